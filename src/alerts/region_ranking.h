#pragma once

#include <array>
#include <string>
#include <vector>

#include "alerts/region_sums.h"
#include "contract/alert_rule.h"

namespace muster {

/// The regions of one judgement by what a rule at most makes of them, the highest first: a thousand rules on all
/// regions then look at those over their thresholds, and not each at every one. A list is made when a rule first asks
/// for it. Owned by RegionRules, for one judgement; one thread.
class RegionRanking final {
 public:
    /// Of every region, or of those that were reported since the last judgement. `sums` outlives it, unchanged.
    RegionRanking(RegionSums& sums, bool all) : sums_(sums), all_(all) {}

    /// The regions whose value, whatever causes explain of it, is over `raise`. `metric` is one of regions.
    void for_each_over(RuleMetric metric, double raise, RegionSums::Visit visit);

 private:
    struct Place {
        double value = 0;
        const std::string* region = nullptr;
        const RegionCounts* counts = nullptr;
    };
    struct List {
        bool made = false;
        std::vector<Place> places;
    };

    void make(RuleMetric metric, List& list);

    RegionSums& sums_;
    const bool all_;
    std::array<List, 3> lists_;
};

}  // namespace muster
