#include "history/disk_budget.h"

#include <algorithm>
#include <numeric>

namespace muster {
namespace {

/// Of the newest day that has to have passed before it says anything of a whole one.
constexpr double telling_share = 0.1;

/// Bytes of the newest whole day, or of the present one when it is larger by now, or the only one.
std::uint64_t rate_of(const DiskUse& use) {
    if (use.raw_days.empty()) {
        return 0;
    }
    const auto present = static_cast<double>(use.raw_days.back());
    const double whole = use.share_of_newest_day < telling_share ? present : present / use.share_of_newest_day;
    if (use.raw_days.size() == 1) {
        return static_cast<std::uint64_t>(whole);
    }
    return std::max(use.raw_days[use.raw_days.size() - 2], static_cast<std::uint64_t>(present));
}

}  // namespace

HistoryDisk judge_disk(const DiskUse& use, const DiskLimits& limits) {
    HistoryDisk disk;
    disk.raw_bytes = std::accumulate(use.raw_days.begin(), use.raw_days.end(), std::uint64_t{0});
    disk.rollup_bytes = use.rollup_bytes;
    disk.other_bytes = use.other_bytes;
    disk.raw_days = static_cast<std::uint32_t>(use.raw_days.size());
    const std::uint64_t used = disk.raw_bytes + disk.rollup_bytes + disk.other_bytes;
    // free may be unknown, as UINT64_MAX.
    const std::uint64_t given = use.free_bytes > UINT64_MAX - used ? UINT64_MAX : used + use.free_bytes;
    disk.budget_bytes = given > limits.free_bytes_min ? given - limits.free_bytes_min : 0;
    if (limits.bytes_max != 0) {
        disk.budget_bytes = std::min(disk.budget_bytes, limits.bytes_max);
    }
    disk.bytes_a_day = rate_of(use);
    if (used > disk.budget_bytes) {
        disk.state = HistoryDisk::State::full;
        disk.days_until_full = 0;
        return disk;
    }
    // As many days as are kept, and the present one; from then on as much goes as comes.
    const auto days_to_come = static_cast<double>(limits.raw_days + 1) - static_cast<double>(use.raw_days.size()) +
                              (use.raw_days.empty() ? 0.0 : 1.0 - use.share_of_newest_day);
    const auto room = static_cast<double>(disk.budget_bytes - used);
    const auto rate = static_cast<double>(disk.bytes_a_day);
    if (rate > 0 && room < rate * std::max(days_to_come, 0.0)) {
        disk.state = HistoryDisk::State::warning;
        disk.days_until_full = room / rate;
    }
    return disk;
}

}  // namespace muster
