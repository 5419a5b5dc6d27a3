#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "bus/bus.h"
#include "history/history_store.h"
#include "status/status_store.h"

namespace muster {

struct ProcessorOptions {
    std::string name = "processor";    ///< as the writer of muster.messages, and for metrics
    std::string group = "processor";   ///< consumer group on muster.events
    std::string data_directory;        ///< of the snapshots, one file a partition; created when missing
    Millis heartbeat_timeout{60'000};  ///< of devices whose attributes set none
    Millis gateway_lost_after{5000};   ///< others' time without a gateway's ticks until it is lost
    Millis gateway_grace{60'000};      ///< and until its sessions count as offline
    Millis checkpoint_interval{5000};  ///< of partition time: what is replayed after a kill
    std::size_t checkpoint_devices =
        50'000;  ///< in one checkpoint, and at least one partition: the others have their turn
    Millis bus_checkpoint_interval{60'000};  ///< of partition time: how often a partition's snapshot goes to the bus,
                                             ///< for a processor whose disk is new
    bool is_alone = true;      ///< nobody else has partitions of the group: its own snapshots are the newest there are
    bool only_stores = false;  ///< writes nothing to the bus: another group does, this one is for its stores
    std::size_t threads = 1;   ///< 1 to 64; the partitions are shared out
    std::size_t poll_records_max = 5000;  ///< a batch: bounds what is in memory between bus and stores
    std::size_t producer_queue_bytes_max = 32U << 20U;
    Millis idle{100};   ///< longest wait for records
    Millis retry{200};  ///< between attempts when a store or the bus says no
};

/// How far the role has come, for the API's pipeline health. Counts since the start.
struct ProcessorProgress {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lag = 0;  ///< durable records not yet folded
    std::uint64_t devices = 0;
    Timestamp newest{};  ///< newest partition time; epoch 0 = none yet
};

class ProcessorMetrics;
class ProcessorWorker;

/// The processor role: folds muster.events and hands what follows to the history, the status store and the bus
/// (muster.status, muster.regions, muster.messages), in this order, a batch at a time. At a checkpoint everything said
/// so far is made durable first, then the fold's snapshot, then the offset: a kill at any instant is a replay whose
/// outputs are those of before, with the same offsets. While a store or the bus fails it waits and repeats the same
/// step.
///
/// A processor whose disk is new takes each partition's newest snapshot from muster.checkpoints and replays from there;
/// a status store that is new is filled from muster.status first.
class Processor final {
 public:
    /// Opens its topics. Everything passed outlives the role. `clock` serves metrics and waiting, never a verdict.
    [[nodiscard]] static Result<std::unique_ptr<Processor>> start(ProcessorOptions options, Bus& bus,
                                                                  StatusStore& status, HistoryStore& history,
                                                                  const Clock& clock, MetricRegistry& metrics);
    ~Processor();
    Processor(const Processor&) = delete;
    Processor& operator=(const Processor&) = delete;

    /// Ends the threads after a last checkpoint. A batch that cannot be handed over because something fails is given up
    /// and repeated at the next start. Safe to call twice.
    void stop();

    [[nodiscard]] ProcessorProgress progress() const;

 private:
    Processor();
    void export_progress() const;

    std::unique_ptr<ProcessorOptions> options_;
    std::unique_ptr<ProcessorMetrics> metrics_;
    std::vector<std::unique_ptr<ProcessorWorker>> workers_;
    std::shared_ptr<void> refresh_;
};

}  // namespace muster
