#include "contract/presence.h"

#include <array>
#include <cstddef>

namespace muster {
namespace {

struct CauseRow {
    Cause cause;
    std::string_view name;
    std::string_view aws;
};

// AWS: docs.aws.amazon.com/iot/latest/developerguide/life-cycle-events.html, "disconnectReason".
constexpr std::array<CauseRow, 16> causes{{
    {Cause::none, "none", "UNKNOWN"},
    {Cause::connect, "connect", "UNKNOWN"},
    {Cause::heartbeat, "heartbeat", "UNKNOWN"},
    {Cause::will, "will", "CONNECTION_LOST"},
    {Cause::client_disconnect, "client_disconnect", "CLIENT_INITIATED_DISCONNECT"},
    {Cause::connection_lost, "connection_lost", "CONNECTION_LOST"},
    {Cause::keepalive_timeout, "keepalive_timeout", "MQTT_KEEP_ALIVE_TIMEOUT"},
    {Cause::heartbeat_timeout, "heartbeat_timeout", "MQTT_KEEP_ALIVE_TIMEOUT"},
    {Cause::duplicate_client_id, "duplicate_client_id", "DUPLICATE_CLIENTID"},
    {Cause::auth_error, "auth_error", "AUTH_ERROR"},
    {Cause::protocol_error, "protocol_error", "CLIENT_ERROR"},
    {Cause::throttled, "throttled", "THROTTLED"},
    {Cause::server_shutdown, "server_shutdown", "SERVER_INITIATED_DISCONNECT"},
    {Cause::gateway_lost, "gateway_lost", "SERVER_ERROR"},
    {Cause::sleep_announced, "sleep_announced", "CLIENT_INITIATED_DISCONNECT"},
    {Cause::admin, "admin", "API_INITIATED_DISCONNECT"},
}};

constexpr std::array<std::string_view, 4> states{"never_seen", "online", "offline", "unknown"};

}  // namespace

std::string_view name_of(PresenceState state) {
    return states.at(static_cast<std::size_t>(state));
}

std::string_view name_of(Cause cause) {
    return causes.at(static_cast<std::size_t>(cause)).name;
}

std::string_view name_of(Overlay overlay) {
    switch (overlay) {
        case Overlay::flapping:
            return "flapping";
        case Overlay::sleeping:
            return "sleeping";
        case Overlay::maintenance:
            return "maintenance";
        case Overlay::contested:
            return "contested";
    }
    return "none";
}

std::optional<PresenceState> presence_state_from(std::string_view name) {
    for (std::size_t i = 0; i < states.size(); ++i) {
        if (states[i] == name) {
            return static_cast<PresenceState>(i);
        }
    }
    return std::nullopt;
}

std::optional<Cause> cause_from(std::string_view name) {
    for (const CauseRow& row : causes) {
        if (row.name == name) {
            return row.cause;
        }
    }
    return std::nullopt;
}

std::optional<Overlay> overlay_from(std::string_view name) {
    for (const Overlay overlay : all_overlays) {
        if (name_of(overlay) == name) {
            return overlay;
        }
    }
    return std::nullopt;
}

std::string_view aws_disconnect_reason(Cause cause) {
    return causes.at(static_cast<std::size_t>(cause)).aws;
}

}  // namespace muster
