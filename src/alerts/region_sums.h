#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

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
        bool changed = false;
    };
    using Regions = std::map<std::string, Region, std::less<>>;
    using Visit = FunctionRef<void(const std::string&, const RegionCounts&)>;

    /// False over regions_max: the report was not used.
    bool on_report(const RegionReport& report);

    /// Ascending by path: a region stands before all below it.
    [[nodiscard]] const Regions& regions() const { return regions_; }
    /// Zeros for a region that was never reported.
    [[nodiscard]] RegionCounts counts(std::string_view region) const;
    /// The regions one level below.
    void for_each_child(std::string_view region, FunctionRef<void(std::string_view, const RegionCounts&)> visit) const;
    /// The region and everything below it.
    void for_each_within(std::string_view region, Visit visit) const;
    /// Of these, those reported since forget_changes(), each once. Regions of one call ascend by path.
    void for_each_changed_within(std::string_view region, Visit visit);
    void forget_changes();

 private:
    Regions regions_;
    std::vector<Regions::iterator> changed_;
    bool changed_sorted_ = true;
};

}  // namespace muster
