#include "alerts/report_clock.h"

#include <algorithm>

namespace muster {

void ReportClock::on_report(std::int32_t partition, Timestamp time) {
    // Where the report stands beside the furthest partition's last one, and never before it: what is read late, in a
    // burst, has elapsed already; one that was away runs along from where it comes back.
    const std::int64_t beside_ms = std::min(elapsed_ms_, lead_ms_ + (time - led_).count());
    const auto [found, is_new] =
        partitions_.try_emplace(partition, Partition{time, partitions_.empty() ? 0 : beside_ms});
    Partition& reporter = found->second;
    if (!is_new) {
        const std::int64_t step_ms =
            std::clamp<std::int64_t>((time - reporter.reported).count(), 0, report_step_ms_max);
        reporter.at_ms = std::max(reporter.at_ms + step_ms, beside_ms);
        reporter.reported = time;
    }
    if (reporter.at_ms >= elapsed_ms_) {
        elapsed_ms_ = lead_ms_ = reporter.at_ms;
        led_ = time;
    }
    time_ = std::max(time_, time);
}

}  // namespace muster
