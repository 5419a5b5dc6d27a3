#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "base/time.h"
#include "contract/presence.h"

namespace muster {

/// Values of one device at one time. Views are of the caller. Values are finite.
struct Sample {
    std::string_view device;
    Timestamp time{};
    std::span<const std::pair<std::string_view, double>> metrics;
};

/// One entry of a device's presence history: how it was from `time` on.
struct Transition {
    Timestamp time{};
    PresenceState state = PresenceState::never_seen;
    Cause cause = Cause::none;
    Overlays overlays = 0;
    std::uint64_t epoch = 0;
    std::string gateway;
    std::int64_t detected_in_ms = 0;
    std::int64_t offset =
        0;               ///< of the record that caused it; (device, offset) is unique: a replayed one overwrites itself
    Timestamp since{};   ///< when the state began; epoch 0 = at `time`
    std::string region;  ///< of the device from `time` on; empty = none
    bool moved = false;  ///< only its region changed: not listed among the device's transitions
};

/// Which transitions of a device: those of [from, to), and of those at `to` itself the ones whose offset is below
/// `to_offset`, so that a page may end between two of one millisecond.
struct TransitionQuery {
    std::string_view device;
    Timestamp from{};
    Timestamp to{};
    std::int64_t to_offset = 0;
    std::size_t limit = 500;  ///< 1 to 10,000
};

/// A device as it was at some time. Views are valid during the visit.
struct PastPresence {
    std::string_view device;
    PresenceState state = PresenceState::never_seen;
    Cause cause = Cause::none;
    Overlays overlays = 0;
    Timestamp since{};
    std::string_view region;
};
/// False ends the visits.
using PastPresenceVisitor = FunctionRef<bool(const PastPresence&)>;

struct HistoryQuery {
    std::string device;
    Timestamp from{};                  ///< inclusive
    Timestamp to{};                    ///< exclusive
    std::vector<std::string> metrics;  ///< empty = all
    std::size_t points_max = 500;      ///< per metric, 1 to 10,000
};

/// One drawn point: the bucket that starts at `time`; average == minimum == maximum where it holds one sample.
struct HistoryPoint {
    Timestamp time{};
    double average = 0;
    double minimum = 0;
    double maximum = 0;
    std::uint32_t samples = 0;
};

struct HistorySeries {
    std::string metric;
    std::vector<HistoryPoint> points;  ///< ascending; a bucket without samples is absent: gaps are gaps
};

struct HistoryResult {
    std::string resolution;  ///< "raw", "1m", "1h": what it was read from
    std::vector<HistorySeries> series;
};

/// The HistoryStore port: telemetry samples and presence transitions. Appended by the processor role, read by the api
/// role. Appending the same (device, metric, time) again leaves one sample, the last. Any thread.
class HistoryStore {
 public:
    virtual ~HistoryStore() = default;

    /// Durable only after the next checkpoint(): until then the bus can replay it.
    [[nodiscard]] virtual Result<void> append(std::span<const Sample> samples) = 0;
    [[nodiscard]] virtual Result<void> append_transition(std::string_view device, const Transition& transition) = 0;
    [[nodiscard]] virtual Result<void> checkpoint() = 0;

    [[nodiscard]] virtual Result<HistoryResult> query(const HistoryQuery& query) const = 0;
    /// Newest first, at most `limit`.
    [[nodiscard]] virtual Result<std::vector<Transition>> transitions(const TransitionQuery& query) const = 0;
    [[nodiscard]] Result<std::vector<Transition>> transitions(std::string_view device, Timestamp from, Timestamp to,
                                                              std::size_t limit) const {
        return transitions({.device = device, .from = from, .to = to, .limit = limit});
    }
    /// Every device as it was at `at`, that time included; ascending by id, those after `after`. not_found: the history
    /// does not reach back so far; the message says how far.
    [[nodiscard]] virtual Result<void> presence_at(Timestamp at, std::string_view after,
                                                   PastPresenceVisitor visit) const = 0;
    /// The earliest time of which presence_at() can tell; nullopt: there is no presence history yet.
    [[nodiscard]] virtual std::optional<Timestamp> presence_since() const = 0;
};

}  // namespace muster
