#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "base/metrics.h"
#include "status/device_table.h"
#include "status/status_store.h"
#include "status/status_store_metrics.h"
#include "status/status_watchers.h"

namespace muster {

class RocksDatabase;

struct EmbeddedStatusStoreOptions {
    std::string directory;                ///< of the snapshot; created when missing
    std::size_t devices_max = 4'000'000;  ///< about 350 B of memory each; more are counted and left out
};

/// The StatusStore port in memory, for one process, with a snapshot in RocksDB that a checkpoint brings up to date by
/// what has changed. One lock: a writer's batch or a short piece of a listing at a time.
class EmbeddedStatusStore final : public StatusStore {
 public:
    /// Reads the snapshot back, about 2 s a million devices. `metrics` outlives the store. corrupt: the message names
    /// the directory and what to do.
    [[nodiscard]] static Result<std::unique_ptr<EmbeddedStatusStore>> open(EmbeddedStatusStoreOptions options,
                                                                           MetricRegistry& metrics);
    ~EmbeddedStatusStore() override;

    Result<void> apply(std::span<const StatusDocument> transitions, std::span<const StatusTouch> touches) override;
    [[nodiscard]] Result<std::optional<DeviceStatus>> get(std::string_view id) const override;
    [[nodiscard]] Result<DevicePage> list(const DeviceFilter& filter, std::string_view after,
                                          std::size_t limit) const override;
    [[nodiscard]] Result<RegionCounts> counts(std::string_view region) const override;
    [[nodiscard]] Result<std::vector<std::pair<std::string, RegionCounts>>> regions() const override;
    [[nodiscard]] std::shared_ptr<void> watch(OnTransition on_transition, OnTouch on_touch) override;
    [[nodiscard]] Result<void> checkpoint() override;

 private:
    EmbeddedStatusStore(EmbeddedStatusStoreOptions options, std::unique_ptr<RocksDatabase> snapshot,
                        MetricRegistry& metrics);
    Result<void> restore();
    Result<void> write_snapshot(std::span<const DeviceTable::Index> devices);
    /// Makes new devices listable; returns with the reader's lock held.
    std::shared_lock<std::shared_mutex> lock_ordered() const;

    const EmbeddedStatusStoreOptions options_;
    std::mutex checkpoint_mutex_;  ///< one checkpoint at a time; guards the next two
    std::unique_ptr<RocksDatabase> snapshot_;
    bool last_write_failed_ = false;
    mutable std::shared_mutex mutex_;
    mutable DeviceTable table_;  ///< mutable: listing may put new devices in order first
    StatusWatchers watchers_;
    StatusStoreMetrics counts_;
    Gauge& devices_;
    std::shared_ptr<void> refresh_;
};

}  // namespace muster
