#include "alerts/region_sums.h"

#include <algorithm>

namespace muster {

bool is_within(std::string_view region, std::string_view ancestor) {
    return ancestor.empty() ||
           (region.starts_with(ancestor) && (region.size() == ancestor.size() || region[ancestor.size()] == '/'));
}

bool RegionSums::on_report(const RegionReport& report) {
    auto found = regions_.find(report.region);
    if (found == regions_.end()) {
        if (regions_.size() == regions_max) {
            return false;
        }
        found = regions_.emplace(report.region, Region{}).first;
    }
    Region& region = found->second;
    RegionCounts& kept = region.partitions[report.partition];
    region.sum -= kept;
    region.sum += report.counts;
    kept = report.counts;
    if (!region.changed) {
        region.changed = true;
        changed_.push_back(found);
        changed_sorted_ = false;
    }
    return true;
}

RegionCounts RegionSums::counts(std::string_view region) const {
    const auto found = regions_.find(region);
    return found == regions_.end() ? RegionCounts{} : found->second.sum;
}

void RegionSums::for_each_child(std::string_view region,
                                FunctionRef<void(std::string_view, const RegionCounts&)> visit) const {
    const std::string prefix = region.empty() ? std::string() : std::string(region) + "/";
    for (auto at = regions_.lower_bound(prefix); at != regions_.end() && at->first.starts_with(prefix); ++at) {
        const std::string_view below = std::string_view(at->first).substr(prefix.size());
        if (!below.empty() && below.find('/') == std::string_view::npos) {
            visit(at->first, at->second.sum);
        }
    }
}

void RegionSums::for_each_within(std::string_view region, Visit visit) const {
    if (region.empty()) {
        for (const auto& [path, entry] : regions_) {
            visit(path, entry.sum);
        }
        return;
    }
    // "a-b" stands between "a" and "a/b".
    if (const auto found = regions_.find(region); found != regions_.end()) {
        visit(found->first, found->second.sum);
    }
    const std::string prefix = std::string(region) + "/";
    for (auto at = regions_.lower_bound(prefix); at != regions_.end() && at->first.starts_with(prefix); ++at) {
        visit(at->first, at->second.sum);
    }
}

void RegionSums::for_each_changed_within(std::string_view region, Visit visit) {
    if (!changed_sorted_) {
        std::sort(changed_.begin(), changed_.end(), [](const auto& a, const auto& b) { return a->first < b->first; });
        changed_sorted_ = true;
    }
    const auto visit_from = [&](std::string_view path, auto goes_on) {
        auto at = std::lower_bound(changed_.begin(), changed_.end(), path,
                                   [](const auto& item, std::string_view wanted) { return item->first < wanted; });
        for (; at != changed_.end() && goes_on((*at)->first); ++at) {
            visit((*at)->first, (*at)->second.sum);
        }
    };
    if (region.empty()) {
        return visit_from({}, [](const std::string&) { return true; });
    }
    const std::string prefix = std::string(region) + "/";
    visit_from(region, [&](const std::string& path) { return path == region; });
    visit_from(prefix, [&](const std::string& path) { return path.starts_with(prefix); });
}

void RegionSums::forget_changes() {
    for (const auto& region : changed_) {
        region->second.changed = false;
    }
    changed_.clear();
    changed_sorted_ = true;
}

}  // namespace muster
