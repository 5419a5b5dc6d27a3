#include "processor/processor_metrics.h"

#include <algorithm>

namespace muster {
namespace {

const std::vector<double> detection_buckets{0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60};
const std::vector<double> checkpoint_buckets{0.001, 0.005, 0.02, 0.1, 0.5, 2, 10};

/// What does not happen to sound input from sound gateways.
bool is_poison(Refusal refusal) {
    return refusal != Refusal::repeated && refusal != Refusal::stale_epoch && refusal != Refusal::stale_incarnation;
}

}  // namespace

ProcessorMetrics::ProcessorMetrics(MetricRegistry& registry)
    : bytes(registry.counter("muster_processor_bytes_total", "Bytes of the records folded")),
      transitions(registry.counter("muster_processor_transitions_total", "Status documents written")),
      samples(registry.counter("muster_processor_samples_total", "Telemetry samples handed to the history")),
      checkpoints(registry.counter("muster_processor_checkpoints_total", "Checkpoints done")),
      retries(registry.counter("muster_processor_retries_total", "Attempts that a store or the bus refused")),
      damaged_snapshots(registry.counter("muster_processor_damaged_snapshots_total",
                                         "Snapshots that could not be restored; the partition was replayed instead")),
      bus_checkpoints(registry.counter("muster_processor_bus_checkpoints_total", "Snapshots written to the bus")),
      bus_restores(registry.counter("muster_processor_bus_restores_total",
                                    "Partitions restored from the bus, because the disk had no snapshot")),
      bad_documents(registry.counter("muster_processor_bad_documents_total",
                                     "Records of muster.status that could not be read while filling a status store")),
      checkpoint_seconds(
          registry.histogram("muster_processor_checkpoint_seconds", "Time that a checkpoint took", checkpoint_buckets)),
      lag(registry.gauge("muster_processor_lag_records", "Durable records not yet folded")),
      devices(registry.gauge("muster_processor_devices", "Devices that the folds know")),
      partition_time(registry.gauge("muster_processor_partition_time_seconds", "Newest time of a partition")) {
    for (std::size_t kind = 1; kind < kinds; ++kind) {
        records_[kind] = &registry.counter("muster_processor_records_total", "Records folded",
                                           {{"kind", std::string(name_of(static_cast<EventKind>(kind)))}});
    }
    for (std::size_t i = 0; i < refusals; ++i) {
        const auto refusal = static_cast<Refusal>(i);
        refused_[i] =
            is_poison(refusal)
                ? &registry.counter("muster_processor_poison_total", "Records, or parts of them, that cannot be used",
                                    {{"reason", std::string(name_of(refusal))}})
                : &registry.counter("muster_processor_ignored_total", "Records that came too late to matter",
                                    {{"reason", std::string(name_of(refusal))}});
    }
    for (std::size_t i = 1; i < causes; ++i) {
        detection_[i] = &registry.histogram(
            "muster_processor_visible_seconds", "From the record of a transition, at its gateway, to the status store",
            detection_buckets, {{"cause", std::string(name_of(static_cast<Cause>(i)))}});
    }
}

void ProcessorMetrics::count(const FoldOutput& out, std::uint64_t folded_bytes) {
    bytes.Increment(static_cast<double>(folded_bytes));
    transitions.Increment(static_cast<double>(out.documents.size()));
    samples.Increment(static_cast<double>(out.samples.size()));
    for (std::size_t kind = 1; kind < kinds; ++kind) {
        if (out.counts.records[kind] != 0) {
            records_[kind]->Increment(static_cast<double>(out.counts.records[kind]));
        }
    }
    for (std::size_t i = 0; i < refusals; ++i) {
        if (out.counts.refused[i] != 0) {
            refused_[i]->Increment(static_cast<double>(out.counts.refused[i]));
        }
    }
}

void ProcessorMetrics::observe_detections(const FoldOutput& out, Timestamp visible) {
    for (const StatusDocument& document : out.documents) {
        Histogram* const histogram = detection_[static_cast<std::size_t>(document.cause)];
        if (document.state != document.previous && histogram != nullptr) {
            histogram->Observe(std::max(0.0, std::chrono::duration<double>(visible - document.since).count()));
        }
    }
}

}  // namespace muster
