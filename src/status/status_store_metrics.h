#pragma once

#include "base/metrics.h"

namespace muster {

/// What every StatusStore counts of what it is given.
struct StatusStoreMetrics {
    explicit StatusStoreMetrics(MetricRegistry& metrics)
        : applied(metrics.counter("muster_status_transitions_total", "Transitions applied to the status store")),
          redelivered(
              metrics.counter("muster_status_redelivered_total", "Transitions ignored because they were known")),
          left_out(metrics.counter("muster_status_left_out_total",
                                   "Transitions of devices over the store's bound, or without a valid id")),
          touches(
              metrics.counter("muster_status_touches_total", "Records that renewed a device's last contact or values")),
          unknown_touches(
              metrics.counter("muster_status_unknown_touches_total", "Touches of devices that are not known")) {}

    Counter& applied;
    Counter& redelivered;
    Counter& left_out;
    Counter& touches;
    Counter& unknown_touches;
};

}  // namespace muster
