#pragma once

#include "base/metrics.h"
#include "history/embedded_history_store.h"

namespace muster {

/// The store's counters and gauges. Of the registry; any thread.
struct EmbeddedHistoryStore::Metrics {
    explicit Metrics(MetricRegistry& registry)
        : samples(registry.counter("muster_history_samples_total", "Samples appended")),
          too_old(registry.counter("muster_history_too_old_total", "Samples left out because their day is gone")),
          refused(registry.counter("muster_history_refused_metrics_total",
                                   "Values left out: not finite, or a name over 255 bytes")),
          dropped(registry.counter("muster_history_dropped_samples_total",
                                   "Samples left out because memory for open chunks is full and the disk refuses")),
          clamped(
              registry.counter("muster_history_clamped_samples_total", "Samples stored under their time of receipt")),
          sealed(registry.counter("muster_history_sealed_chunks_total", "Chunks of a device and hour written")),
          rolled(registry.counter("muster_history_rolled_device_days_total", "Days of a device rolled up")),
          damaged(registry.counter("muster_history_damaged_chunks_total",
                                   "Chunks left out because their checksum was wrong")),
          failures(registry.counter("muster_history_write_failures_total", "Writes that the disk refused")),
          dropped_days(registry.counter("muster_history_early_dropped_days_total",
                                        "Days of raw samples that went before their time for want of disk")),
          days(registry.gauge("muster_history_raw_days", "Days of raw samples on disk")),
          open_bytes(registry.gauge("muster_history_open_bytes", "Rows of chunks that are still open, in memory")),
          open_hours(registry.gauge("muster_history_open_chunks", "Chunks of a device and hour that are still open")),
          disk_bytes(registry.gauge("muster_history_disk_bytes", "Disk that the history takes")),
          budget_bytes(registry.gauge("muster_history_disk_budget_bytes", "Disk that the history may take")),
          disk_state(registry.gauge("muster_history_disk_state", "0 ample, 1 warning, 2 full")) {}

    Counter& samples;
    Counter& too_old;
    Counter& refused;
    Counter& dropped;
    Counter& clamped;
    Counter& sealed;
    Counter& rolled;
    Counter& damaged;
    Counter& failures;
    Counter& dropped_days;
    Gauge& days;
    Gauge& open_bytes;
    Gauge& open_hours;
    Gauge& disk_bytes;
    Gauge& budget_bytes;
    Gauge& disk_state;
};

}  // namespace muster
