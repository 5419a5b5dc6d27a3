#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace muster {

/// Where a running `muster serve` is found.
struct Endpoints {
    std::string mqtt;                      ///< "127.0.0.1:1883"
    std::vector<std::string> listeners{};  ///< all of MQTT's: "mqtts://0.0.0.0:8883"
    std::string http;                      ///< "127.0.0.1:8080"
    std::string token;                     ///< opens the dashboard
    std::filesystem::path data_directory;
    std::uint32_t simulated_devices = 0;
};

/// What serve prints when it is ready: where to look, and one line to paste that connects a device by hand.
[[nodiscard]] std::string banner(const Endpoints& endpoints, std::string_view version);

/// Writes endpoints.json ({"mqtt","http","pid","listeners"}) into the data directory, whole or not at all: scripts wait
/// for it.
[[nodiscard]] Result<void> write_endpoints(const Endpoints& endpoints);
/// The file goes when the server does.
void remove_endpoints(const std::filesystem::path& data_directory);

}  // namespace muster
