#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

/// One entry of a device's presence history.
struct Transition {
    Timestamp time{};
    PresenceState state = PresenceState::never_seen;
    Cause cause = Cause::none;
    Overlays overlays = 0;
    std::uint64_t epoch = 0;
    std::string gateway;
    std::int64_t detected_in_ms = 0;
    std::int64_t offset =
        0;  ///< of the record that caused it; (device, offset) is unique: a replayed one overwrites itself
};

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
    /// Newest first, at most `limit`, of [from, to).
    [[nodiscard]] virtual Result<std::vector<Transition>> transitions(std::string_view device, Timestamp from,
                                                                      Timestamp to, std::size_t limit) const = 0;
};

}  // namespace muster
