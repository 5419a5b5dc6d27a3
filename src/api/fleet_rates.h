#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>

#include "api/latency_window.h"
#include "base/metrics.h"
#include "base/time.h"
#include "contract/status_document.h"

namespace muster {

/// How fast the fleet changes and how soon that is seen here, over the last minute, from the transitions as they become
/// visible. Fed by the status store's writers, read by the api's threads; constant size.
class FleetRates final {
 public:
    FleetRates(MetricRegistry& metrics, const Clock& clock);

    void on_transition(const StatusDocument& document);

    struct Snapshot {
        std::int64_t connects_per_min = 0;       ///< devices that came online
        std::int64_t disconnects_per_min = 0;    ///< devices that left online
        std::optional<double> detection_p50_ms;  ///< from the time of the record that told to the time it is visible
        std::optional<double> detection_p99_ms;
    };
    [[nodiscard]] Snapshot snapshot();

 private:
    static constexpr std::size_t seconds = 60;
    struct Second {
        std::int64_t number = -1;
        std::int64_t connects = 0;
        std::int64_t disconnects = 0;
    };

    const Clock& clock_;
    Histogram& detection_seconds_;
    std::mutex mutex_;
    std::array<Second, seconds> seconds_;  // under mutex_
    LatencyWindow detection_;              // under mutex_
};

}  // namespace muster
