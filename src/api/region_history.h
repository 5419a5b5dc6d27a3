#pragma once

#include <string>
#include <utility>
#include <vector>

#include "api/router.h"
#include "api/slow_lane.h"
#include "base/metrics.h"
#include "base/time.h"
#include "contract/region_counts.h"
#include "history/history_store.h"

namespace muster {

/// Every region's offline share, minute by minute, in the history of samples: a region is kept as a device whose id
/// begins with '/', which no device's can, so that its minutes have the retention and the rollups of samples (DESIGN
/// 3.7). Several api roles write the same minutes, and a minute is one sample whoever writes it. What a kill -9 loses
/// is what no checkpoint of the processor covered: a minute at most. Any thread; bounded by regions_max.
class RegionHistory final {
 public:
    static constexpr std::size_t regions_max = 2000;
    static constexpr char mark = '/';

    RegionHistory(HistoryStore& history, SlowLane& lane, const Clock& clock, MetricRegistry& metrics);

    /// The counts of the minute in which `now` is; "" is the fleet. Regions over regions_max are left out and counted.
    void keep(Timestamp now, const std::vector<std::pair<std::string, RegionCounts>>& regions);

    void add_routes(std::vector<Route>& routes) const;

 private:
    [[nodiscard]] HttpResponse get_history(const ApiRequest& request) const;

    HistoryStore& history_;
    SlowLane& lane_;
    const Clock& clock_;
    Counter& refused_;
    Counter& failed_;
};

}  // namespace muster
