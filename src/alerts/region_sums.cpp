#include "alerts/region_sums.h"

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

}  // namespace muster
