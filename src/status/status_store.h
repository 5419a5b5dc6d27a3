#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "base/time.h"
#include "contract/region_counts.h"
#include "contract/status_document.h"

namespace muster {

inline constexpr std::size_t latest_metrics_max =
    32;  ///< metrics kept per device for the overview; the rest is in history

/// The latest value of each metric of a device, sorted by name.
using LatestMetrics = std::vector<std::pair<std::string, double>>;

/// What the store keeps for a device: its last transition plus what changes with every record.
struct DeviceStatus {
    StatusDocument document;
    Timestamp last_seen{};
    Timestamp telemetry_time{};  ///< epoch 0 = none yet
    Timestamp last_ping{};       ///< when a ping was received; epoch 0 = none yet
    Timestamp last_published{};  ///< when its telemetry or status was received; epoch 0 = none yet
    LatestMetrics metrics;
};

/// By what a device showed that it lives.
enum class TouchKind : std::uint8_t {
    message,  ///< its telemetry or status
    ping,
    session,  ///< another record of its session
};

/// A record seen that changed no state: a device's last_seen and, for telemetry, its values. Views are of the caller.
struct StatusTouch {
    std::string_view id;
    Timestamp last_seen{};
    Timestamp telemetry_time{};  ///< epoch 0 = not telemetry
    std::span<const std::pair<std::string_view, double>> metrics;
    TouchKind kind = TouchKind::message;
};

struct DeviceFilter {
    std::optional<PresenceState> state;
    std::optional<Overlay> overlay;
    std::string region;  ///< this region and everything below; empty = all
    std::string model;
    std::string id_prefix;  ///< canaries are among the devices only when this asks for them
};

struct DevicePage {
    std::vector<DeviceStatus> devices;  ///< ascending by id
    std::string next_after;             ///< id to continue after; empty: no more
};

/// The StatusStore port: the queryable copy of every device's presence. Written by the processor role, read by the api
/// role; nothing in it that cannot be rebuilt from muster.status and the processor's replay. Any thread. Two
/// implementations: embedded_status_store (memory, snapshot in the data directory) and redis_status_store.
class StatusStore {
 public:
    virtual ~StatusStore() = default;

    /// Applies transitions and touches of one processor's batch, in this order. A document whose offset is not above
    /// the one kept for that device is ignored (redelivery).
    [[nodiscard]] virtual Result<void> apply(std::span<const StatusDocument> transitions,
                                             std::span<const StatusTouch> touches) = 0;
    [[nodiscard]] virtual Result<std::optional<DeviceStatus>> get(std::string_view id) const = 0;
    /// Devices after `after` in id order that match, at most `limit` (1 to 1000).
    [[nodiscard]] virtual Result<DevicePage> list(const DeviceFilter& filter, std::string_view after,
                                                  std::size_t limit) const = 0;
    /// Counts of a region and everything below; "" = the fleet. Exact.
    [[nodiscard]] virtual Result<RegionCounts> counts(std::string_view region) const = 0;
    /// Every region that has or had a device, with its ancestors, ascending by path.
    [[nodiscard]] virtual Result<std::vector<std::pair<std::string, RegionCounts>>> regions() const = 0;
    /// Calls after each applied transition or touch that has telemetry, also of another process, from the writer's
    /// thread or one of the store's: they must only copy and wake. When a list() of this store returns, all
    /// that was applied before it was called has been told. Dropping the handle stops the calls.
    using OnTransition = std::function<void(const StatusDocument&)>;
    using OnTouch = std::function<void(const StatusTouch&)>;
    [[nodiscard]] virtual std::shared_ptr<void> watch(OnTransition on_transition, OnTouch on_touch) = 0;
    /// Makes everything applied so far survive a restart. Called at the processor's checkpoints.
    [[nodiscard]] virtual Result<void> checkpoint() = 0;
    /// How often the store was found to have lost some of what it was given, as a server does that was restarted. Who
    /// writes it and sees the number grow, fills it again from muster.status. Any thread.
    [[nodiscard]] virtual std::uint64_t losses() const { return 0; }
};

}  // namespace muster
