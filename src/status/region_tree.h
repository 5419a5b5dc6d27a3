#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "contract/region_counts.h"

namespace muster {

/// Every region that has or had a device, with its ancestors up to "" (the fleet), and their counts. A change costs
/// O(depth). Bounded by the devices: a region comes with a device. Not thread-safe.
class RegionTree final {
 public:
    using Number = std::uint32_t;
    static constexpr Number fleet = 0;
    static constexpr Number absent = UINT32_MAX;

    RegionTree();
    RegionTree(const RegionTree&) = delete;
    RegionTree& operator=(const RegionTree&) = delete;

    /// The region's number; it is added when it is new.
    [[nodiscard]] Number number_of(std::string_view region);
    [[nodiscard]] Number find(std::string_view region) const;
    [[nodiscard]] std::string_view path(Number region) const { return regions_[region].path; }
    /// Whether `region` is `above` or lies below it.
    [[nodiscard]] bool is_within(Number region, Number above) const;

    /// Adds to a region and everything above it.
    void add(Number region, const RegionCounts& counts);
    void subtract(Number region, const RegionCounts& counts);

    [[nodiscard]] const RegionCounts& counts(Number region) const { return regions_[region].counts; }
    /// All of them, ascending by path; nothing while no device was ever counted.
    [[nodiscard]] std::vector<std::pair<std::string, RegionCounts>> all() const;

 private:
    struct Region {
        std::string path;
        Number parent = absent;
        RegionCounts counts;
    };

    std::deque<Region> regions_;  ///< a deque, because the map's keys point into it
    std::unordered_map<std::string_view, Number> numbers_;
    bool used_ = false;
};

}  // namespace muster
