#include "alerts/report_clock.h"

#include <algorithm>

namespace muster {

void ReportClock::on_report(std::int32_t partition, Timestamp time) {
    const auto [found, is_new] = partitions_.try_emplace(partition, Partition{time, elapsed_ms_});
    Partition& reporter = found->second;
    if (!is_new) {
        reporter.at_ms += std::clamp<std::int64_t>((time - reporter.reported).count(), 0, report_step_ms_max);
        reporter.reported = time;
    }
    elapsed_ms_ = std::max(elapsed_ms_, reporter.at_ms);
    if (elapsed_ms_ - reporter.at_ms > report_step_ms_max) {
        reporter.at_ms = elapsed_ms_;  // it was away; from here on it runs along
    }
    time_ = std::max(time_, time);
}

}  // namespace muster
