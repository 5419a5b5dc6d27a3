#include "api/fleet_rates.h"

namespace muster {

FleetRates::FleetRates(MetricRegistry& metrics, const Clock& clock)
    : clock_(clock),
      detection_seconds_(metrics.histogram("muster_api_detection_seconds",
                                           "From the record that told of a transition to its being visible on the API.",
                                           {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60})) {}

void FleetRates::on_transition(const StatusDocument& document) {
    if (document.state == document.previous) {
        return;  // an overlay or an attribute: `since` is of an earlier day
    }
    const Millis monotonic = clock_.monotonic();
    const std::int64_t delay_ms = std::max<std::int64_t>(0, (clock_.now() - document.since).count());
    detection_seconds_.Observe(static_cast<double>(delay_ms) / 1000.0);
    const std::int64_t number = monotonic / Seconds(1);
    const std::lock_guard lock(mutex_);
    detection_.add(monotonic, delay_ms);
    Second& second = seconds_[static_cast<std::size_t>(number) % seconds];
    if (second.number != number) {
        second = {number, 0, 0};
    }
    second.connects += document.state == PresenceState::online ? 1 : 0;
    second.disconnects += document.previous == PresenceState::online ? 1 : 0;
}

FleetRates::Snapshot FleetRates::snapshot() {
    const Millis monotonic = clock_.monotonic();
    const std::int64_t oldest = monotonic / Seconds(1) - static_cast<std::int64_t>(seconds) + 1;
    Snapshot snapshot;
    const std::lock_guard lock(mutex_);
    for (const Second& second : seconds_) {
        if (second.number >= oldest && second.number >= 0) {
            snapshot.connects_per_min += second.connects;
            snapshot.disconnects_per_min += second.disconnects;
        }
    }
    snapshot.detection_p50_ms = detection_.quantile(monotonic, 0.5);
    snapshot.detection_p99_ms = detection_.quantile(monotonic, 0.99);
    return snapshot;
}

}  // namespace muster
