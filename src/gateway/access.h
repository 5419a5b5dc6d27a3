#pragma once

#include <cstdint>
#include <string_view>

#include "contract/mqtt_topics.h"

namespace muster {

/// What a client is to Muster.
enum class Role : std::uint8_t {
    device,          ///< of the fleet, named by its client id: has presence, its own topics and ordinary ones
    fleet_operator,  ///< sees every topic, publishes to ordinary ones
    guest,           ///< without a name: ordinary topics only
};

// The access rules of DESIGN G10. `device` is the device id, empty for other roles.

/// Whether the client may publish to a topic of this class; its will, too.
[[nodiscard]] bool may_publish(Role role, std::string_view device, const ClassifiedTopic& topic);
/// Whether the client may subscribe to this (valid) filter: it must not match any topic of another device.
[[nodiscard]] bool may_subscribe(Role role, std::string_view device, std::string_view filter);

}  // namespace muster
