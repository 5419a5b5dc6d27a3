#include "processor/region_table.h"

#include <algorithm>

namespace muster {

RegionTable::RegionTable() {
    (void)find_or_add({});
}

RegionTable::Region RegionTable::find_or_add(std::string_view path) {
    if (const auto found = by_path_.find(std::string(path)); found != by_path_.end()) {
        return found->second;
    }
    Region parent = fleet;
    if (const auto slash = path.rfind('/'); slash != std::string_view::npos) {
        parent = find_or_add(path.substr(0, slash));
    }
    if (parent == full || regions_.size() == regions_max) {
        return full;
    }
    const auto region = static_cast<Region>(regions_.size());
    regions_.push_back({std::string(path), parent, {}, false});
    by_path_.emplace(path, region);
    return region;
}

template <class Change>
void RegionTable::change(Region region, Change&& change) {
    while (true) {
        Entry& entry = regions_[region];
        change(entry.counts);
        if (!entry.changed) {
            entry.changed = true;
            changed_.push_back(region);
        }
        if (region == fleet) {
            return;
        }
        region = entry.parent;
    }
}

void RegionTable::add(Region region, const RegionCounts& counts) {
    change(region, [&](RegionCounts& sum) { sum += counts; });
}

void RegionTable::subtract(Region region, const RegionCounts& counts) {
    change(region, [&](RegionCounts& sum) { sum -= counts; });
}

void RegionTable::report(std::int32_t partition, Timestamp time, std::vector<RegionReport>& out) {
    if (!regions_[fleet].changed) {
        changed_.push_back(fleet);
    }
    std::sort(changed_.begin(), changed_.end(),
              [&](Region a, Region b) { return regions_[a].path < regions_[b].path; });
    for (const Region region : changed_) {
        Entry& entry = regions_[region];
        entry.changed = false;
        out.push_back({partition, entry.path, time, entry.counts});
    }
    changed_.clear();
}

void RegionTable::encode(ByteWriter& out) const {
    out.number(static_cast<std::uint32_t>(regions_.size()));
    for (const Entry& entry : regions_) {
        out.text(entry.path);
        out.number(static_cast<std::uint8_t>(entry.changed ? 1 : 0));
    }
}

Result<void> RegionTable::decode(ByteReader& in) {
    regions_.clear();
    by_path_.clear();
    changed_.clear();
    const auto size = in.number<std::uint32_t>();
    for (std::uint32_t i = 0; i < size && in.ok(); ++i) {
        const std::string_view path = in.text();
        const bool is_region = i == 0 ? path.empty() : is_valid_region(path);
        if (!is_region || find_or_add(path) != i) {
            return fail(ErrorCode::corrupt, "snapshot has a region that cannot be");
        }
        if (in.number<std::uint8_t>() != 0) {
            changed_.push_back(i);
        }
    }
    if (!in.ok() || regions_.empty()) {
        return fail(ErrorCode::corrupt, "snapshot ends within its regions");
    }
    // During the recount everything looks reported already, so that the list stays as it was.
    for (Entry& entry : regions_) {
        entry.changed = true;
    }
    return {};
}

void RegionTable::end_recount() {
    for (Entry& entry : regions_) {
        entry.changed = false;
    }
    for (const Region region : changed_) {
        regions_[region].changed = true;
    }
}

}  // namespace muster
