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

using MetricValues = std::span<const std::pair<std::string_view, double>>;

/// Values of one device at one time. Views are of the caller. Values are finite.
struct Sample {
    std::string_view device;
    Timestamp time{};
    MetricValues metrics;
    bool time_clamped = false;  ///< the device's own time was absurd: `time` is that of its receipt
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

/// What a query is read from.
enum class Resolution : std::uint8_t { raw, minute, hour };

/// "raw", "1m", "1h".
[[nodiscard]] std::string_view name_of(Resolution resolution);
[[nodiscard]] std::optional<Resolution> resolution_from(std::string_view name);

struct HistoryQuery {
    std::string device;
    Timestamp from{};                  ///< inclusive
    Timestamp to{};                    ///< exclusive
    std::vector<std::string> metrics;  ///< empty = all
    std::size_t points_max = 500;      ///< per metric, 1 to 10,000
    std::optional<Resolution>
        resolution{};  ///< absent: the finest that is kept for the range and read at a bounded cost
};

/// One drawn point: the bucket that starts at `time`; average == minimum == maximum where it holds one sample.
struct HistoryPoint {
    Timestamp time{};
    double average = 0;
    double minimum = 0;
    double maximum = 0;
    std::uint32_t samples = 0;
    /// Samples over those due in the bucket at the device's usual interval, 0 to 1; 1 for a single raw sample.
    float completeness = 1;
    std::uint32_t time_clamped = 0;  ///< of the samples: those that bear their time of receipt. Not known of rollups
};

struct HistorySeries {
    std::string metric;
    std::vector<HistoryPoint> points;  ///< ascending; a bucket without samples is absent: gaps are gaps
    float completeness = 1;            ///< samples over those due between the first and the last of the range
};

struct HistoryResult {
    std::string resolution;  ///< "raw", "1m", "1h": what it was read from, the coarsest when there are several
    std::vector<HistorySeries> series;
    Millis step{0};                    ///< width of a bucket; 0: every point is a sample
    std::uint64_t damaged_chunks = 0;  ///< left out, because their checksum was wrong: what is shown is incomplete
};

/// A group of devices, for example a region's: one metric drawn over time.
struct FleetQuery {
    std::span<const std::string> devices;
    std::string metric;
    Timestamp from{};
    Timestamp to{};
    std::size_t points_max = 1440;  ///< 1 to 10,000; a bucket is whole minutes
};

/// A bucket of a group's series. Each device counts once, with its own average in the bucket, however often it reports.
struct FleetPoint {
    Timestamp time{};
    double average = 0;
    double minimum = 0;  ///< of all samples
    double maximum = 0;
    std::uint64_t samples = 0;
    std::uint32_t devices = 0;  ///< that have a sample in the bucket
};

struct FleetSeries {
    Millis step{0};
    std::vector<FleetPoint> points;  ///< ascending, without gaps filled in
    std::uint64_t damaged_chunks = 0;
};

/// By how much a metric of a device has changed between its first and its last sample of a range.
struct MetricChange {
    std::string device;
    double first = 0;
    double last = 0;
    double minimum = 0;
    double maximum = 0;
    std::uint64_t samples = 0;

    [[nodiscard]] double change() const { return last - first; }
};

enum class ChangeOrder : std::uint8_t { largest, rise, fall };  ///< of the absolute value; signed, up or down first

/// The devices whose metric changed most.
struct TopQuery {
    std::optional<std::span<const std::string>> devices;  ///< absent: all that have samples in the range
    std::string metric;
    Timestamp from{};
    Timestamp to{};
    std::size_t limit = 10;  ///< 1 to 1,000
    ChangeOrder order = ChangeOrder::largest;
};

struct TopResult {
    std::vector<MetricChange> changes;  ///< in the order asked for; equal ones by device
    std::uint64_t devices = 0;          ///< that had the metric in the range
    std::uint64_t damaged_chunks = 0;
};

/// Which stored samples to go through, ascending by device, then time.
struct ScanQuery {
    std::string device;  ///< empty = all
    Timestamp from{};
    Timestamp to = Timestamp::max();
    std::string after_device;  ///< of all devices only those whose ids sort after it: to go on after a break
};

/// False ends the scan. Views last for the call. Metrics ascend by name.
using SampleVisitor = FunctionRef<bool(const Sample& sample)>;

struct ScanResult {
    std::uint64_t devices = 0;
    std::uint64_t samples = 0;
    std::uint64_t damaged_chunks = 0;
};

/// What a check of every stored checksum and every chunk's inner order found.
struct HistoryCheck {
    std::uint64_t chunks = 0;  ///< of samples
    std::uint64_t samples = 0;
    std::uint64_t rollups = 0;           ///< chunks of them
    std::uint64_t transitions = 0;       ///< and moves
    std::uint64_t baseline_devices = 0;  ///< of the presence history's baselines, all days together
    std::uint64_t bytes = 0;
    std::uint64_t damaged = 0;
    std::vector<std::string> damaged_examples;  ///< at most 20, in words: what and where
};

/// What the history takes of its disk and how long that can go on.
struct HistoryDisk {
    enum class State : std::uint8_t {
        ample,
        warning,  ///< at the present rate raw days will have to go before their time
        full,     ///< the oldest raw days go early
    };
    State state = State::ample;
    std::uint64_t raw_bytes = 0;
    std::uint64_t rollup_bytes = 0;
    std::uint64_t other_bytes = 0;          ///< samples of open chunks, write-ahead log
    std::uint64_t budget_bytes = 0;         ///< what the history may take: its own limit, or what the disk can give
    std::uint64_t bytes_a_day = 0;          ///< raw samples of the newest whole day, or of the present one extrapolated
    std::optional<double> days_until_full;  ///< absent: never at the present rate, because old days go first
    std::uint32_t raw_days = 0;             ///< on disk
    std::uint64_t days_dropped_early = 0;   ///< since the start
};

[[nodiscard]] std::string_view name_of(HistoryDisk::State state);

/// The HistoryStore port: telemetry samples and presence transitions. Appended by the processor role, read by the api
/// role. Appending the same (device, metric, time) again leaves one sample, the last. Any thread. Queries other than
/// query() and transitions() answer `unsupported` where an implementation does not have them.
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
                                                   PastPresenceVisitor visit) const;
    /// The earliest time of which presence_at() can tell; nullopt: there is no presence history yet.
    [[nodiscard]] virtual std::optional<Timestamp> presence_since() const;

    [[nodiscard]] virtual Result<FleetSeries> fleet_series(const FleetQuery& query) const;
    [[nodiscard]] virtual Result<TopResult> top(const TopQuery& query) const;
    /// Everything appended before the call is seen, what is appended meanwhile may be. Memory does not grow with what
    /// is read. Damaged chunks are left out and counted.
    [[nodiscard]] virtual Result<ScanResult> scan(const ScanQuery& query, SampleVisitor visit) const;
    /// Reads all that is stored; `go_on` is asked now and then with the chunks checked so far, and false ends the
    /// check.
    [[nodiscard]] virtual Result<HistoryCheck> verify(FunctionRef<bool(std::uint64_t chunks)> go_on) const;
    [[nodiscard]] virtual Result<HistoryDisk> disk() const;
};

}  // namespace muster
