#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "contract/region_counts.h"

namespace muster {

/// One moment of the fleet.
struct FleetSample {
    Timestamp time{};
    RegionCounts counts;
    double records_per_s = 0;
    std::int64_t connects_per_min = 0;
    std::size_t incidents_open = 0;
    std::optional<double> detection_p99_ms;
};

/// The last 24 h of the fleet (every 10 s) and of the regions' offline shares (every 60 s), in memory only: gone with
/// the process. At most 8,640 samples, and 1,440 shares of each of at most `regions_max` regions. Any thread.
class RecentSeries final {
 public:
    static constexpr Seconds fleet_step{10};
    static constexpr Seconds regions_step{60};
    static constexpr std::size_t minutes_max = 1440;  ///< 24 h
    static constexpr std::size_t regions_max = 2000;

    void add(const FleetSample& sample);
    /// `regions`: ascending by path. A region beyond regions_max is left out.
    void add_regions(Timestamp time, const std::vector<std::pair<std::string, RegionCounts>>& regions);

    [[nodiscard]] std::string fleet_json(std::size_t minutes) const;
    [[nodiscard]] std::string regions_json(std::size_t minutes) const;

 private:
    static constexpr std::size_t fleet_samples_max = minutes_max * 6;
    static constexpr float absent = std::numeric_limits<float>::quiet_NaN();

    mutable std::mutex mutex_;
    std::deque<FleetSample> fleet_;                    // under mutex_
    std::deque<Timestamp> times_;                      // under mutex_
    std::map<std::string, std::deque<float>> shares_;  // under mutex_; each as long as times_
};

}  // namespace muster
