#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "base/log.h"
#include "base/metrics.h"
#include "history/history_store.h"

namespace rocksdb {
class ColumnFamilyHandle;
}  // namespace rocksdb

namespace muster {

class EmbeddedPresenceHistory;
class RocksDatabase;

struct EmbeddedHistoryStoreOptions {
    std::string directory;  ///< created when missing
    int raw_days = 7;       ///< DESIGN 3.7; older days are dropped whole
    int transition_days = 90;
};

/// The HistoryStore port on RocksDB: a row a sample, a column family a day, so that a day is dropped at once. "Now" is
/// the newest time appended: no clock decides what is old.
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
    [[nodiscard]] Result<HistoryCheck> verify(FunctionRef<bool(std::uint64_t chunks)> go_on) const override;

 private:
    using Day = std::chrono::sys_days;

    EmbeddedHistoryStore(EmbeddedHistoryStoreOptions options, MetricRegistry& metrics);
    Result<void> open_database();
    void find_days();
    [[nodiscard]] Day newest_day() const;
    [[nodiscard]] Day oldest_day() const;
    [[nodiscard]] tl::unexpected<Error> damaged(std::string_view device) const;
    void note_newest(Timestamp time);
    [[nodiscard]] Result<void> make_days(std::span<const Sample> samples);
    [[nodiscard]] Result<void> drop_old_days();
    [[nodiscard]] Result<void> written(Result<void> result);
    [[nodiscard]] Result<void> verify_presence(HistoryCheck& check, FunctionRef<bool(std::uint64_t)> go_on) const;
    [[nodiscard]] Result<void> check_open() const;
    [[nodiscard]] Result<void> read_day(rocksdb::ColumnFamilyHandle* family, const HistoryQuery& query,
                                        class SeriesBuilder& series, std::size_t& samples_left) const;

    const EmbeddedHistoryStoreOptions options_;
    std::atomic<std::int64_t> newest_ms_{0};
    std::unique_ptr<EmbeddedPresenceHistory> presence_;  ///< in files of its own
    mutable std::shared_mutex
        mutex_;  ///< shared: the days are in use; exclusive: days come or go, the database is reopened
    std::unique_ptr<RocksDatabase> database_;
    std::map<Day, rocksdb::ColumnFamilyHandle*> days_;
    std::atomic<bool> last_write_failed_{false};

    Counter& samples_;
    Counter& too_old_;
    Counter& refused_metrics_;
    Counter& failures_;
    Gauge& days_gauge_;
    std::shared_ptr<void> refresh_;
};

}  // namespace muster
