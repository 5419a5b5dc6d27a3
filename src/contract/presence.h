#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace muster {

/// DESIGN 3.3. Names on the wire: "never_seen", "online", "offline", "unknown".
enum class PresenceState : std::uint8_t { never_seen, online, offline, unknown };

/// Why the last transition happened; the wire name is the enumerator's.
enum class Cause : std::uint8_t {
    none,
    connect,
    heartbeat,  ///< a record of the live session arrived after its heartbeat had timed out
    will,
    client_disconnect,
    connection_lost,
    keepalive_timeout,
    heartbeat_timeout,
    duplicate_client_id,
    auth_error,
    protocol_error,
    throttled,
    server_shutdown,
    gateway_lost,
    sleep_announced,
    admin,
};

/// Bits that lie over a state.
enum class Overlay : std::uint8_t {
    flapping = 1,
    sleeping = 2,
    maintenance = 4,  ///< in a maintenance window of the fleet's policy
    contested = 8,    ///< two clients fight over this id: take-overs again and again
};
inline constexpr std::array<Overlay, 4> all_overlays{Overlay::flapping, Overlay::sleeping, Overlay::maintenance,
                                                     Overlay::contested};
using Overlays = std::uint8_t;
[[nodiscard]] constexpr bool has(Overlays set, Overlay one) {
    return (set & static_cast<Overlays>(one)) != 0;
}

[[nodiscard]] std::string_view name_of(PresenceState state);
[[nodiscard]] std::string_view name_of(Cause cause);
[[nodiscard]] std::string_view name_of(Overlay overlay);
[[nodiscard]] std::optional<PresenceState> presence_state_from(std::string_view name);
[[nodiscard]] std::optional<Cause> cause_from(std::string_view name);
[[nodiscard]] std::optional<Overlay> overlay_from(std::string_view name);

/// AWS IoT's disconnectReason for a cause (lifecycle events), for example "MQTT_KEEP_ALIVE_TIMEOUT".
[[nodiscard]] std::string_view aws_disconnect_reason(Cause cause);

}  // namespace muster
