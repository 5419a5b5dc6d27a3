#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "contract/status_document.h"

namespace muster {

/// The document of one of a fleet's devices, with attributes as devices have them, for the benchmarks of status stores.
[[nodiscard]] inline StatusDocument bench_document(std::size_t device, std::int64_t offset, PresenceState state) {
    StatusDocument made;
    made.id = "device-" + std::to_string(10'000'000 + device);
    made.state = state;
    made.offset = offset;
    made.gateway = "gw-" + std::to_string(device % 10);
    made.protocol = "3.1.1";
    made.client_address = "10.20." + std::to_string(device % 250) + ".17:40123";
    made.attributes.region = "in/r" + std::to_string(device % 30) + "/c" + std::to_string(device % 900);
    made.attributes.model = "model-" + std::to_string(device % 20);
    made.attributes.firmware = "2.1." + std::to_string(device % 7);
    made.attributes.latitude = 12.5;
    made.attributes.longitude = 77.25;
    return made;
}

}  // namespace muster
