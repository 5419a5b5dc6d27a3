#pragma once

#include <cstdint>
#include <vector>

#include "history/history_store.h"

namespace muster {

/// What the history takes now.
struct DiskUse {
    std::vector<std::uint64_t> raw_days;  ///< bytes of each, oldest first
    std::uint64_t rollup_bytes = 0;
    std::uint64_t other_bytes = 0;
    std::uint64_t free_bytes = 0;    ///< of its disk
    double share_of_newest_day = 0;  ///< that has passed, 0 to 1
};

struct DiskLimits {
    std::uint64_t bytes_max = 0;  ///< 0: what the disk can give
    std::uint64_t free_bytes_min = 0;
    std::uint32_t raw_days = 7;
};

/// What that means: whether raw days must go, and when they will have to at the present rate.
[[nodiscard]] HistoryDisk judge_disk(const DiskUse& use, const DiskLimits& limits);

}  // namespace muster
