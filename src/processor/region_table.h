#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "contract/region_counts.h"

namespace muster {

/// Counts of every region that the partition's devices are or were in, and of all above them; exact and incremental.
/// Part of the fold; one thread; bounded by regions_max.
class RegionTable final {
 public:
    using Region = std::uint32_t;
    static constexpr Region fleet = 0;  ///< the region ""
    static constexpr Region full = UINT32_MAX;
    static constexpr std::size_t regions_max = 1U << 16U;

    RegionTable();

    /// Makes the region and those above it; `full` at the bound. `path` must be a valid region or empty.
    [[nodiscard]] Region find_or_add(std::string_view path);
    /// Adds to the region and to every one above it.
    void add(Region region, const RegionCounts& counts);
    void subtract(Region region, const RegionCounts& counts);

    /// Appends reports of the regions changed since the last call, and always one of the fleet (it shows that the
    /// partition's time goes on), ascending by path.
    void report(std::int32_t partition, Timestamp time, std::vector<RegionReport>& out);

    [[nodiscard]] const RegionCounts& counts(Region region) const { return regions_[region].counts; }
    [[nodiscard]] std::size_t size() const { return regions_.size(); }

    /// Paths and what is due to be reported; the counts are recounted from the devices by the caller of decode().
    void encode(ByteWriter& out) const;
    [[nodiscard]] Result<void> decode(ByteReader& in);
    /// Ends a recount: only what was due before it is due now.
    void end_recount();

 private:
    struct Entry {
        std::string path;
        Region parent = fleet;
        RegionCounts counts;
        bool changed = false;
    };
    template <class Change>
    void change(Region region, Change&& change);

    std::vector<Entry> regions_;
    std::unordered_map<std::string, Region> by_path_;
    std::vector<Region> changed_;
};

}  // namespace muster
