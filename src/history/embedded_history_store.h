#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fair_shared_mutex.h"
#include "base/log.h"
#include "base/metrics.h"
#include "history/history_store.h"
#include "history/open_lane.h"
#include "history/rollup_chunk.h"

namespace rocksdb {
class ColumnFamilyHandle;
class Env;
class Iterator;
}  // namespace rocksdb

namespace muster {

class EmbeddedChunkReader;
class EmbeddedHistoryFamilies;
class EmbeddedPresenceHistory;
class RocksDatabase;
class SeriesBuilder;

struct EmbeddedHistoryStoreOptions {
    std::string directory;  ///< created when missing
    int raw_days = 7;       ///< DESIGN 3.7; older days are dropped whole
    int minute_days = 30;   ///< of minute rollups
    int hour_days = 5 * 365;
    int transition_days = 90;
    std::uint64_t bytes_max = 0;  ///< what the history may take of the disk; 0: what it can give
    std::uint64_t free_bytes_min = std::uint64_t{2}
                                   << 30U;  ///< left free for the bus and others; at most a 20th of the disk
    std::uint64_t open_bytes_max = std::uint64_t{4} << 30U;  ///< memory for samples that are not yet sealed
    /// Of devices rolled up in one checkpoint: a share of a day that is over.
    std::size_t roll_devices = 500;
    rocksdb::Env* env = nullptr;  ///< null: the real file system; else one with faults, for tests
};

/// The HistoryStore port on RocksDB. Samples are kept a device and hour at a time: open in memory as rows, in lanes,
/// then sealed into a compressed chunk. checkpoint() stores what is new in the open rows (tail_segment.h), so that a
/// start has them again; there is no log of single samples. A day that is over is rolled up, some devices at each
/// checkpoint. "Now" is the newest time appended: no clock decides what is old. Appending does not fail for a disk that
/// refuses: the samples stay in memory up to open_bytes_max, checkpoint() says the error, and the bus has them still.
class EmbeddedHistoryStore final : public HistoryStore {
 public:
    /// `metrics` outlives the store. corrupt: the message names the directory and what to do.
    [[nodiscard]] static Result<std::unique_ptr<EmbeddedHistoryStore>> open(EmbeddedHistoryStoreOptions options,
                                                                            MetricRegistry& metrics);
    ~EmbeddedHistoryStore() override;

    /// Samples older than raw_days and metrics that are not finite are left out and counted.
    [[nodiscard]] Result<void> append(std::span<const Sample> samples) override;
    [[nodiscard]] Result<void> append_transition(std::string_view device, const Transition& transition) override;
    [[nodiscard]] Result<void> checkpoint() override;

    /// too_large: so many samples or metrics in the range that it must be asked for in parts.
    [[nodiscard]] Result<HistoryResult> query(const HistoryQuery& query) const override;
    using HistoryStore::transitions;
    [[nodiscard]] Result<std::vector<Transition>> transitions(const TransitionQuery& query) const override;
    [[nodiscard]] Result<void> presence_at(Timestamp at, std::string_view after,
                                           PastPresenceVisitor visit) const override;
    [[nodiscard]] std::optional<Timestamp> presence_since() const override;
    [[nodiscard]] Result<FleetSeries> fleet_series(const FleetQuery& query) const override;
    [[nodiscard]] Result<TopResult> top(const TopQuery& query) const override;
    [[nodiscard]] Result<ScanResult> scan(const ScanQuery& query, SampleVisitor visit) const override;
    [[nodiscard]] Result<HistoryCheck> verify(FunctionRef<bool(std::uint64_t chunks)> go_on) const override;
    [[nodiscard]] Result<HistoryDisk> disk() const override;

    /// Seals all that is open and rolls up every day that is over, whatever its size. For a planned end and for tests.
    [[nodiscard]] Result<void> seal_all();
    [[nodiscard]] std::uint64_t open_bytes() const { return open_bytes_.load(std::memory_order_relaxed); }

 private:
    using Day = std::chrono::sys_days;
    struct Metrics;
    struct DueHour {
        OpenDevice* device = nullptr;
        HourNumber hour = 0;
    };
    /// A sample, and the hash of its device.
    struct HashedSample {
        const Sample* sample = nullptr;
        std::uint32_t hash = 0;
    };
    static constexpr std::size_t lanes = 64;
    static constexpr std::size_t append_group = 16;  ///< samples worked on at once

    EmbeddedHistoryStore(EmbeddedHistoryStoreOptions options, MetricRegistry& metrics);

    // Opening, in embedded_history_store.cpp.
    Result<void> open_database();
    Result<void> after_open();
    Result<void> restore_tails();
    Result<void> reopen();
    [[nodiscard]] Result<void> check_open() const;
    [[nodiscard]] Result<void> written(Result<void> result);

    // Time.
    void note_newest(Timestamp time);
    [[nodiscard]] Timestamp newest() const;
    [[nodiscard]] Day newest_day() const;
    [[nodiscard]] Day oldest_day() const;

    // Appending, in embedded_history_append.cpp.
    [[nodiscard]] OpenLane& lane_of(std::string_view device) const;
    void append_by_lane(std::span<const HashedSample> samples);
    void append_group_to(OpenLane& lane, std::span<const HashedSample> samples);
    void append_metrics(OpenLane& lane, OpenDevice& device, const Sample& sample, MetricValues metrics);
    void append_row(OpenLane& lane, OpenDevice& device, const Sample& sample, MetricValues metrics);
    [[nodiscard]] bool append_to_hour(OpenLane& lane, OpenDevice& device, const Sample& sample, MetricValues metrics);
    [[nodiscard]] bool has_families(Day day) const;
    void make_families(std::span<const Day> days, bool with_rollups = false);
    [[nodiscard]] OpenDevice::Hour* hour_for(OpenLane& lane, OpenDevice& device, HourNumber hour);
    [[nodiscard]] Result<std::size_t> save_lanes(std::size_t first);
    [[nodiscard]] Result<void> seal(OpenLane& lane, std::span<const DueHour> due);
    [[nodiscard]] Result<void> seal_in_parts(OpenLane& lane, std::span<const DueHour> due);
    [[nodiscard]] Result<void> seal_due(OpenLane& lane, bool all);
    [[nodiscard]] Result<std::uint32_t> encode_hour(const DueHour& due, std::string& key, std::string& chunk) const;
    [[nodiscard]] bool is_due(const OpenDevice& device, HourNumber hour) const;

    // What goes on beside, in embedded_history_upkeep.cpp.
    [[nodiscard]] Result<void> upkeep(bool all);
    [[nodiscard]] Result<void> roll_days(std::size_t devices_max);
    [[nodiscard]] Result<void> roll_device(std::string_view device, Day day);
    [[nodiscard]] Result<void> end_roll(Day day);
    [[nodiscard]] std::optional<Day> day_to_roll() const;
    [[nodiscard]] bool is_rolled(Day day) const;
    [[nodiscard]] bool is_being_rolled(Day day) const;
    [[nodiscard]] Result<void> drop_old_days();
    [[nodiscard]] Result<void> keep_budget();
    [[nodiscard]] bool make_room();
    [[nodiscard]] HistoryDisk measure_disk() const;

    using AllIterators = std::array<std::vector<std::pair<Day, std::shared_ptr<rocksdb::Iterator>>>, 3>;
    [[nodiscard]] Result<AllIterators> iterators_of_all() const;
    [[nodiscard]] Result<void> verify_presence(HistoryCheck& check, FunctionRef<bool(std::uint64_t)> go_on) const;

    // Reading, in embedded_history_queries.cpp and embedded_history_scans.cpp.
    using OpenCopies = std::vector<std::pair<HourNumber, std::string>>;
    using Wanted = std::span<const std::string>;
    [[nodiscard]] OpenCopies copy_open(std::string_view device, Timestamp from, Timestamp to) const;
    [[nodiscard]] Result<void> read_samples(EmbeddedChunkReader& reader, std::string_view device, Timestamp from,
                                            Timestamp to, SampleTable& table) const;
    [[nodiscard]] Result<std::vector<MetricRollups>> read_rollups(EmbeddedChunkReader& reader, std::string_view device,
                                                                  Day day, Resolution resolution, Wanted wanted) const;
    [[nodiscard]] bool has_rollups(std::string_view device, Day day, Resolution resolution) const;
    [[nodiscard]] Timestamp first_kept() const;
    [[nodiscard]] Resolution resolution_for(const HistoryQuery& query) const;
    [[nodiscard]] Result<void> read_day(EmbeddedChunkReader& reader, const HistoryQuery& query, Day day,
                                        Resolution resolution, SeriesBuilder& series) const;
    [[nodiscard]] Result<void> add_to_fleet(EmbeddedChunkReader& reader, std::string_view device,
                                            const FleetQuery& query, class FleetBuilder& fleet) const;
    [[nodiscard]] Result<std::optional<MetricChange>> change_of(EmbeddedChunkReader& reader, std::string_view device,
                                                                const TopQuery& query) const;
    [[nodiscard]] Result<std::uint64_t> scan_day(EmbeddedChunkReader& reader, std::string_view device, Day day,
                                                 const ScanQuery& query, SampleVisitor visit, bool& go_on) const;
    /// Calls `visit` with each device that has samples in days of the range, ascending, until it says false.
    [[nodiscard]] Result<void> for_each_device(EmbeddedChunkReader& reader, Timestamp from, Timestamp to,
                                               std::string_view after,
                                               FunctionRef<Result<bool>(std::string_view device)> visit) const;
    [[nodiscard]] std::vector<std::string> open_devices() const;

    const EmbeddedHistoryStoreOptions options_;
    std::atomic<std::int64_t> newest_ms_{0};
    std::unique_ptr<EmbeddedPresenceHistory> presence_;  ///< in files of its own
    // Locks are taken in this order: upkeep_mutex_, in_use_, mutex_, a lane's (several: ascending), roll_mutex_. Who
    // has a lane's does not ask for mutex_.
    mutable FairSharedMutex in_use_;  ///< shared: iterators are open beyond mutex_; exclusive: the database is reopened
    mutable FairSharedMutex mutex_;   ///< shared: families are in use; exclusive: they come or go
    std::unique_ptr<RocksDatabase> database_;
    std::unique_ptr<EmbeddedHistoryFamilies> families_;
    std::unique_ptr<std::array<OpenLane, lanes>> lanes_;
    std::atomic<bool> last_write_failed_{false};
    std::atomic<std::uint64_t> open_bytes_{0};
    std::atomic<std::int64_t> open_hours_{0};
    /// Grows between a chunk's being stored and its rows' going from memory: a reader that has copied the open rows
    /// looks at what is stored as of then.
    std::atomic<std::uint64_t> seals_{0};

    std::mutex upkeep_mutex_;                              ///< one checkpoint at a time does what goes on beside
    std::mutex roll_mutex_;                                ///< one device is rolled up at a time
    std::size_t next_to_seal_ = 0;                         ///< lane; under upkeep_mutex_
    std::string rolled_to_;                                ///< device; under upkeep_mutex_
    std::atomic<std::int32_t> rolled_until_{INT32_MIN};    ///< day since 1970 that is rolled up, with all before
    std::atomic<std::int32_t> rolling_{INT32_MIN};         ///< day that is being rolled up
    std::atomic<std::int32_t> dropped_before_{INT32_MIN};  ///< days before it went early
    std::atomic<std::uint64_t> days_dropped_early_{0};
    mutable LogLimit disk_log_{Seconds(60)};

    std::unique_ptr<Metrics> metrics_;
    std::shared_ptr<void> refresh_;
};

}  // namespace muster
