#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/fair_shared_mutex.h"
#include "base/log.h"
#include "base/metrics.h"
#include "history/embedded_presence_scan.h"
#include "history/history_store.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace muster {

class RocksDatabase;

struct EmbeddedPresenceHistoryOptions {
    std::string directory;                  ///< created when missing
    int days = 90;                          ///< issue 5; older days are dropped whole
    std::size_t baseline_devices = 20'000;  ///< of a day's baseline written at one checkpoint: some 60 ms of CPU
    Millis baseline_delay{10 * 60'000};     ///< after midnight until the baseline is begun: partitions may lag
    rocksdb::Env* env = nullptr;            ///< null: the real file system; else one with faults, for tests
};

/// Every transition of every device, and so the fleet at any time, on RocksDB: a column family a day, which retention
/// drops at once (docs/decisions/0035-presence-history.md). A day begins with its baseline, every device as it was at
/// midnight, which checkpoints write bit by bit once the day is there; without one a question reads from the last day
/// that has one. "Now" is the newest time appended: no clock decides what is old. Owned by the embedded history store.
/// Any thread.
class EmbeddedPresenceHistory final {
 public:
    /// `metrics` outlives it. corrupt: the message names the directory and what to do.
    [[nodiscard]] static Result<std::unique_ptr<EmbeddedPresenceHistory>> open(EmbeddedPresenceHistoryOptions options,
                                                                               MetricRegistry& metrics);
    ~EmbeddedPresenceHistory();
    EmbeddedPresenceHistory(const EmbeddedPresenceHistory&) = delete;
    EmbeddedPresenceHistory& operator=(const EmbeddedPresenceHistory&) = delete;

    /// Durable after the next checkpoint. A transition older than all days kept is left out and counted.
    [[nodiscard]] Result<void> append(std::string_view device, const Transition& transition);
    /// Also drops old days and goes on with a baseline, neither of which makes it fail.
    [[nodiscard]] Result<void> checkpoint();

    // Questions leave out what is damaged, and count it.
    [[nodiscard]] Result<std::vector<Transition>> transitions(const TransitionQuery& query) const;
    [[nodiscard]] Result<void> presence_at(Timestamp at, std::string_view after, PastPresenceVisitor visit) const;
    [[nodiscard]] std::optional<Timestamp> since() const;
    /// Of its disk: all of its files, write-ahead log included.
    [[nodiscard]] std::uint64_t disk_bytes() const;

    /// What a check of the stored rows found.
    struct Checked {
        std::uint64_t entries = 0;
        std::uint64_t baseline_devices = 0;
        std::uint64_t damaged = 0;                  ///< rows, or blocks of rows
        std::vector<std::string> damaged_examples;  ///< at most 20, in words: what and where
    };
    /// Reads every row with its checksum. `report` is called now and then with what was found so far; false ends the
    /// check. A damaged row is counted and passed over; io: a file cannot be read on.
    [[nodiscard]] Result<Checked> verify(FunctionRef<bool(const Checked&)> report) const;

 private:
    using Day = std::chrono::sys_days;
    using Family = rocksdb::ColumnFamilyHandle*;
    /// A baseline that is being written.
    struct Building {
        Day day;
        std::string after;  ///< the last device that is in it
        std::uint64_t devices = 0;
    };

    EmbeddedPresenceHistory(EmbeddedPresenceHistoryOptions options, MetricRegistry& metrics);
    [[nodiscard]] Result<void> open_database();
    [[nodiscard]] Result<void> find_days();
    [[nodiscard]] Result<void> check_open() const;
    [[nodiscard]] Result<void> written(Result<void> result);
    void note_newest(Timestamp time);
    [[nodiscard]] Day newest_day() const;
    [[nodiscard]] Day oldest_day() const;

    [[nodiscard]] bool is_too_old(Day day) const;
    [[nodiscard]] bool is_under_a_baseline(Day day) const;
    [[nodiscard]] Result<void> make_day(Day day);
    [[nodiscard]] Result<void> append_late(Day day, const std::string& key, const std::string& row);
    [[nodiscard]] PresenceScan scan(Day last_day, Timestamp at, std::string_view after) const;

    [[nodiscard]] Result<void> reopen();
    [[nodiscard]] std::optional<Day> day_without_baseline() const;
    [[nodiscard]] Result<void> begin_baseline();
    [[nodiscard]] Result<void> go_on_with_baseline();
    [[nodiscard]] Result<bool> write_baseline_part();
    [[nodiscard]] Result<void> drop_old_days();
    [[nodiscard]] static Result<bool> verify_day(const std::string& name, rocksdb::Iterator& rows, Checked& checked,
                                                 FunctionRef<bool(const Checked&)> report);
    [[nodiscard]] Result<std::uint64_t> read_backward(Family day, const std::string& first, const std::string& end,
                                                      std::size_t limit, std::vector<Transition>& result) const;
    void note_damage(std::uint64_t rows) const;

    const EmbeddedPresenceHistoryOptions options_;
    std::atomic<std::int64_t> newest_ms_{0};
    std::atomic<bool> last_write_failed_{false};
    std::mutex checkpoint_mutex_;  ///< one checkpoint at a time; taken before the others; guards log_
    LogLimit log_;
    mutable LogLimit damage_log_{Seconds(60)};
    mutable FairSharedMutex in_use_;  ///< shared: iterators are open; exclusive: the database is reopened
    mutable FairSharedMutex mutex_;   ///< of what follows; appends and baseline parts share it
    std::unique_ptr<RocksDatabase> database_;
    std::map<Day, Family> days_;
    std::set<Day> baselines_;  ///< days whose baseline is whole
    std::optional<Building> building_;

    Counter& entries_;
    Counter& late_;
    Counter& too_old_;
    Counter& failures_;
    Counter& damaged_;
    Counter& baselines_written_;
    Gauge& days_gauge_;
    std::shared_ptr<void> refresh_;
};

}  // namespace muster
