#pragma once

#include <array>

#include "base/metrics.h"
#include "base/time.h"
#include "processor/fold_output.h"

namespace muster {

/// The processor role's metrics, shared by its threads; written once a batch.
class ProcessorMetrics final {
 public:
    explicit ProcessorMetrics(MetricRegistry& registry);

    void count(const FoldOutput& out, std::uint64_t bytes);
    /// From the record that showed a transition, read by its gateway, to its place in the status store.
    void observe_detections(const FoldOutput& out, Timestamp visible);

    Counter& bytes;
    Counter& transitions;
    Counter& samples;
    Counter& checkpoints;
    Counter& retries;
    Counter& damaged_snapshots;
    Counter& bus_checkpoints;
    Counter& bus_restores;
    Counter& bad_documents;
    Histogram& checkpoint_seconds;
    Gauge& lag;
    Gauge& devices;
    Gauge& partition_time;

 private:
    static constexpr std::size_t kinds = fleet_event_kinds;
    static constexpr std::size_t causes = static_cast<std::size_t>(Cause::admin) + 1;

    std::array<Counter*, kinds> records_{};
    std::array<Counter*, refusals> refused_{};
    std::array<Histogram*, causes> detection_{};
};

}  // namespace muster
