#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"
#include "base/result.h"

namespace muster {

/// Where to listen, from "address:port" or "[v6]:port"; "localhost" is 127.0.0.1.
struct ListenAddress {
    std::string address;
    std::uint16_t port = 0;
};
/// invalid_argument: not of that form, or (there is no TLS yet) not a loopback address: tokens would cross the network
/// in the clear.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

/// True for localhost and for loopback addresses, with or without a port, and for the names in `allowed`. A page of
/// another site that made its name resolve to 127.0.0.1 (DNS rebinding) still sends its own name.
[[nodiscard]] bool is_host_allowed(std::string_view host, const std::vector<std::string>& allowed);
/// True when there is no Origin (not a browser) or it is the very host that is asked.
[[nodiscard]] bool is_origin_allowed(std::string_view origin, std::string_view host);
/// The token of "Authorization: Bearer …"; empty when there is none.
[[nodiscard]] std::string_view bearer_token(const HttpRequest& request);

}  // namespace muster
