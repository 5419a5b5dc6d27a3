#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "contract/region_counts.h"

namespace muster {

/// True when `region` is `ancestor` or lies below it; "" is above everything.
[[nodiscard]] bool is_within(std::string_view region, std::string_view ancestor);

/// The counts of every region over all partitions, from the newest report of each. One thread; bounded by regions_max.
class RegionSums final {
 public:
    static constexpr std::size_t regions_max = 1U << 17U;

    struct Region {
        RegionCounts sum;
        std::unordered_map<std::int32_t, RegionCounts> partitions;
    };
    using Regions = std::map<std::string, Region, std::less<>>;

    /// False over regions_max: the report was not used.
    bool on_report(const RegionReport& report);

    /// Ascending by path: a region stands before all below it.
    [[nodiscard]] const Regions& regions() const { return regions_; }
    /// Zeros for a region that was never reported.
    [[nodiscard]] RegionCounts counts(std::string_view region) const;
    /// The regions one level below.
    void for_each_child(std::string_view region, FunctionRef<void(std::string_view, const RegionCounts&)> visit) const;

 private:
    Regions regions_;
};

}  // namespace muster
