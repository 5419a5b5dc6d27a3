#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "contract/status_document.h"

namespace muster {

/// Bounds of a FleetPolicy, which travels in one record and is looked at for every device that it may concern.
inline constexpr std::size_t maintenance_windows_max = 256;
inline constexpr std::size_t maintenance_devices_max = 1000;  ///< named by one window
inline constexpr std::size_t model_timeouts_max = 1000;
inline constexpr std::size_t policy_text_bytes_max = 256;  ///< of a reason or a window's id
inline constexpr std::size_t policy_bytes_max = std::size_t{256} << 10U;
inline constexpr std::uint32_t heartbeat_timeout_s_min = 5;
inline constexpr std::uint32_t heartbeat_timeout_s_max = 7 * 24 * 3600;

/// Which devices something concerns: those that meet every condition given. One without any condition is not valid.
struct DeviceQuery {
    std::string region;                ///< this region and everything below; empty = any
    std::string model;                 ///< empty = any
    std::vector<std::string> devices;  ///< ascending; empty = any

    [[nodiscard]] bool matches(std::string_view device, std::string_view region_of, std::string_view model_of) const;
    bool operator==(const DeviceQuery&) const = default;
};

/// Planned work: from `from` until before `to`, by partition time, its devices are in maintenance.
struct MaintenanceWindow {
    std::string id;  ///< 1 to 64 of [A-Za-z0-9_-]
    DeviceQuery query;
    Timestamp from{};
    Timestamp to{};
    std::string reason;
    std::string created_by;

    bool operator==(const MaintenanceWindow&) const = default;
};

/// What operators have laid down for the fleet as a whole: the value of a `policy` record on every partition of
/// muster.events, so that the processor stays a pure function of its records (G9), and of muster.policy. The whole
/// policy each time; of two the one with the larger version holds.
struct FleetPolicy {
    std::uint64_t version = 0;
    std::map<std::string, std::uint32_t, std::less<>> heartbeat_timeouts_s;  ///< by model
    std::vector<MaintenanceWindow> maintenance;                              ///< ascending by id

    bool operator==(const FleetPolicy&) const = default;
};

/// The same policy always gives the same bytes.
[[nodiscard]] std::string to_json(const FleetPolicy& policy);
[[nodiscard]] std::string to_json(const MaintenanceWindow& window);
/// malformed: a member of the wrong type, a bound or a rule above that is broken, in words for an operator.
[[nodiscard]] Result<FleetPolicy> parse_fleet_policy(std::string_view json);
/// {"id":…,"query":{"region":…,"model":…,"devices":[…]},"from":…,"to":…,"reason":…,"created_by":…}; times in epoch ms.
/// malformed as above.
[[nodiscard]] Result<MaintenanceWindow> parse_maintenance_window(std::string_view json);

}  // namespace muster
