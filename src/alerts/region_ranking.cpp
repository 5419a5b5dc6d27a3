#include "alerts/region_ranking.h"

#include <algorithm>

namespace muster {
namespace {

double value_of(RuleMetric metric, const RegionCounts& counts) {
    if (metric == RuleMetric::offline_count) {
        return static_cast<double>(counts.countable_offline);
    }
    if (metric == RuleMetric::offline_share) {
        return counts.offline_share();
    }
    const std::int64_t seen = counts.total() - counts.never_seen;
    return seen <= 0 ? 0.0 : static_cast<double>(counts.flapping) / static_cast<double>(seen);
}

}  // namespace

void RegionRanking::make(RuleMetric metric, List& list) {
    list.made = true;
    const auto add = [&](const std::string& region, const RegionCounts& counts) {
        list.places.push_back({value_of(metric, counts), &region, &counts});
    };
    if (all_) {
        sums_.for_each_within({}, add);
    } else {
        sums_.for_each_changed_within({}, add);
    }
    std::sort(list.places.begin(), list.places.end(), [](const Place& a, const Place& b) { return a.value > b.value; });
}

void RegionRanking::for_each_over(RuleMetric metric, double raise, RegionSums::Visit visit) {
    List& list = lists_.at(static_cast<std::size_t>(metric));
    if (!list.made) {
        make(metric, list);
    }
    for (auto at = list.places.begin(); at != list.places.end() && at->value > raise; ++at) {
        visit(*at->region, *at->counts);
    }
}

}  // namespace muster
