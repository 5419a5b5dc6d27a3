#pragma once

#include <string>

#include "api/api_client.h"
#include "base/result.h"

namespace muster {

/// Which server a command speaks to, and by what right. What is left out, the server has left in its data directory.
struct RunningServer {
    std::string data_directory;
    std::string url{};    ///< "http://127.0.0.1:8080"
    std::string token{};  ///< of `role`
    std::string role{};   ///< "admin"; empty: any may ask
};

/// A client of it. unavailable: none is running. unauthorized: there is no token of that role.
[[nodiscard]] Result<ApiClient> client_of(const RunningServer& server);

}  // namespace muster
