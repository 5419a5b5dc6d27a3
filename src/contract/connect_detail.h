#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace muster {

/// What the gateway knows of a new session apart from its header: the value of a connect record.
struct ConnectDetail {
    std::string address;   ///< the client's "address:port"
    std::string protocol;  ///< "3.1.1" or "5.0"
};

/// {"address":"127.0.0.1:4242","protocol":"3.1.1"}
[[nodiscard]] std::string to_json(const ConnectDetail& detail);
/// An empty value gives empty members; unknown members are ignored. malformed: a member that is not a string of at most
/// 64 bytes.
[[nodiscard]] Result<ConnectDetail> parse_connect_detail(std::string_view json);

}  // namespace muster
