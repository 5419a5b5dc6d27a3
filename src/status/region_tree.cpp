#include "status/region_tree.h"

#include <algorithm>

namespace muster {

RegionTree::RegionTree() {
    regions_.push_back({{}, absent, {}});
    numbers_.emplace(regions_.front().path, fleet);
}

RegionTree::Number RegionTree::find(std::string_view region) const {
    const auto found = numbers_.find(region);
    return found == numbers_.end() ? absent : found->second;
}

RegionTree::Number RegionTree::number_of(std::string_view region) {
    Number at = find(region);
    if (at != absent) {
        return at;
    }
    Number parent = absent;
    for_each_region_of(region, [&](std::string_view each) {
        at = find(each);
        if (at == absent) {
            at = static_cast<Number>(regions_.size());
            regions_.push_back({std::string(each), parent, {}});
            numbers_.emplace(regions_.back().path, at);
        }
        parent = at;
    });
    return at;
}

bool RegionTree::is_within(Number region, Number above) const {
    while (region != absent && region != above) {
        region = regions_[region].parent;
    }
    return region == above;
}

void RegionTree::add(Number region, const RegionCounts& counts) {
    used_ = true;
    for (; region != absent; region = regions_[region].parent) {
        regions_[region].counts += counts;
    }
}

void RegionTree::subtract(Number region, const RegionCounts& counts) {
    for (; region != absent; region = regions_[region].parent) {
        regions_[region].counts -= counts;
    }
}

std::vector<std::pair<std::string, RegionCounts>> RegionTree::all() const {
    std::vector<std::pair<std::string, RegionCounts>> result;
    if (!used_) {
        return result;
    }
    for (const Region& region : regions_) {
        result.emplace_back(region.path, region.counts);
    }
    std::ranges::sort(result, {}, &std::pair<std::string, RegionCounts>::first);
    return result;
}

}  // namespace muster
