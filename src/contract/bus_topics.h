#pragma once

#include <string>
#include <string_view>

namespace muster::bus_topics {

// DESIGN 3.2. All have the same number of partitions.
inline constexpr std::string_view events = "muster.events";
inline constexpr std::string_view requests = "muster.requests";
inline constexpr std::string_view status = "muster.status";  ///< key device id, value StatusDocument JSON, compacted
inline constexpr std::string_view regions =
    "muster.regions";  ///< key "partition:region", value RegionCounts JSON, compacted
inline constexpr std::string_view alerts = "muster.alerts";  ///< key incident id, value Incident JSON, compacted
inline constexpr std::string_view policy =
    "muster.policy";  ///< key policy_key, value FleetPolicy JSON, compacted: the policy that is in force
inline constexpr std::string_view policy_key = "fleet";
inline constexpr std::string_view checkpoints =
    "muster.checkpoints";  ///< key "partition:piece", compacted: a processor's snapshots, for one whose disk is new
inline constexpr std::string_view rules = "muster.rules";        ///< key rule name, value AlertRule JSON, compacted
inline constexpr std::string_view messages = "muster.messages";  ///< key MQTT topic, ordinary publishes, short
inline constexpr std::string_view retained =
    "muster.retained";  ///< key MQTT topic, retained messages, compacted; tombstone = cleared

inline constexpr std::string_view notifications =
    "muster.notifications";  ///< key "sink/incident id", compacted: what a sink was told last; tombstone = of its end
inline constexpr std::string_view baselines =
    "muster.baselines";  ///< key part, compacted: what the rules on values have learnt of the devices
inline constexpr std::string_view documents =
    "muster.documents";  ///< key "collection/key", value the document, compacted: what the shadow role has committed
inline constexpr std::string_view processes =
    "muster.processes";  ///< key "role/name", value ProcessReport JSON, compacted; tombstone = stopped
inline constexpr std::string_view routes =
    "muster.routes";  ///< key gateway name, value GatewayRoutes JSON, compacted; tombstone = stopped

[[nodiscard]] inline std::string downlink(std::string_view gateway) {
    return std::string("muster.downlink.").append(gateway);
}

}  // namespace muster::bus_topics
