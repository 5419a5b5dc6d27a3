#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"
#include "base/time.h"
#include "contract/presence.h"
#include "contract/status_document.h"

namespace muster {

/// How many devices of a region (and of everything below it) are in which state; exact, incremental, additive over
/// partitions. `total` is the sum of the four states; overlays count across them.
struct RegionCounts {
    std::int64_t online = 0;
    std::int64_t offline = 0;
    std::int64_t unknown = 0;
    std::int64_t never_seen = 0;
    std::int64_t flapping = 0;
    std::int64_t sleeping = 0;
    std::int64_t maintenance = 0;
    // The devices that count for the offline share: not sleeping, not in maintenance, seen at least once; a flapping
    // one counts by its last stable minute (DESIGN 3.4).
    std::int64_t countable = 0;
    std::int64_t countable_offline = 0;
    // The mean position of the devices that have one.
    double latitude_sum = 0;
    double longitude_sum = 0;
    std::int64_t positioned = 0;

    [[nodiscard]] std::int64_t total() const { return online + offline + unknown + never_seen; }
    [[nodiscard]] double offline_share() const {
        return countable == 0 ? 0.0 : static_cast<double>(countable_offline) / static_cast<double>(countable);
    }
    RegionCounts& operator+=(const RegionCounts& other);
    RegionCounts& operator-=(const RegionCounts& other);
    bool operator==(const RegionCounts&) const = default;
};

/// What one device adds to the counts of its region and of every region above it. Sleeping devices and those in
/// maintenance do not count for the offline share, nor do those never seen; a flapping one counts by what its last
/// stable minute was, any other by its state; unknown counts as there. A canary adds nothing.
[[nodiscard]] RegionCounts contribution_of(const StatusDocument& document);
/// The same from the parts of a document that matter.
struct CountedPresence {
    PresenceState state = PresenceState::never_seen;
    Overlays overlays = 0;
    bool steady_offline = false;  ///< PresenceEvidence::steady_offline
    double latitude = 0;
    double longitude = 0;
};
[[nodiscard]] RegionCounts contribution_of(const CountedPresence& presence);
/// Calls `visit` with "" (the fleet), then each region on the path down to `region`: "in", "in/ka", "in/ka/ka-04".
void for_each_region_of(std::string_view region, FunctionRef<void(std::string_view)> visit);

/// The value of a muster.regions record: one partition's share of one region at a time of the records.
struct RegionReport {
    std::int32_t partition = 0;
    std::string region;  ///< "" is the whole fleet
    Timestamp time{};
    RegionCounts counts;
};

[[nodiscard]] std::string to_json(const RegionReport& report);
[[nodiscard]] Result<RegionReport> parse_region_report(std::string_view json);
/// The record key: "3:in/karnataka".
[[nodiscard]] std::string region_report_key(std::int32_t partition, std::string_view region);

}  // namespace muster
