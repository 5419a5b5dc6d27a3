#pragma once

#include <cstdint>
#include <string>

namespace muster {

/// `muster gateway drain`.
struct GatewayDrainOptions {
    std::string gateway = "gw-1";
    std::uint32_t rate_per_s = 500;
    std::string server_reference;
    bool moved = false;
    bool undo = false;
    bool no_wait = false;
    std::string data_directory = "muster-data";
    std::string url;    ///< "http://127.0.0.1:8080"; empty: of the muster serve that has the data directory
    std::string token;  ///< an admin's; empty: the data directory's
};

/// Asks the API to drain a gateway, or to end that, and says on standard error how far it has come until its clients
/// have gone. Returns the exit code: 0, or 1 with one sentence. Ctrl-C ends the waiting, not the drain.
[[nodiscard]] int run_gateway_drain(const GatewayDrainOptions& options);

}  // namespace muster
