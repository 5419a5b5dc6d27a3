#include "history/disk_budget.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

using State = HistoryDisk::State;

TEST(DiskBudget, a_disk_with_room_for_all_days_is_ample) {
    const HistoryDisk disk = judge_disk({{10, 10, 5}, 5, 1, 1000, 0.5}, {0, 100, 7});
    EXPECT_EQ(disk.state, State::ample);
    EXPECT_EQ(disk.budget_bytes, 931U);
    EXPECT_EQ(disk.bytes_a_day, 10U);
    EXPECT_FALSE(disk.days_until_full);
}

TEST(DiskBudget, the_warning_comes_days_before_the_disk_is_full) {
    const HistoryDisk disk = judge_disk({{100, 100}, 0, 0, 350, 0.0}, {0, 0, 7});
    EXPECT_EQ(disk.state, State::warning);
    EXPECT_DOUBLE_EQ(disk.days_until_full.value_or(0), 3.5);
}

TEST(DiskBudget, once_all_days_are_there_as_much_goes_as_comes) {
    const HistoryDisk disk = judge_disk({{100, 100, 100, 100, 100, 100, 100, 100}, 0, 0, 50, 0.9}, {0, 0, 7});
    EXPECT_EQ(disk.state, State::ample);
}

TEST(DiskBudget, over_the_limit_or_under_the_free_share_is_full) {
    EXPECT_EQ(judge_disk({{100}, 0, 0, 1000, 0.5}, {99, 0, 7}).state, State::full);
    EXPECT_EQ(judge_disk({{100}, 0, 0, 1000, 0.5}, {0, 1001, 7}).state, State::full);
    EXPECT_EQ(judge_disk({{100}, 0, 0, UINT64_MAX, 0.5}, {0, 1001, 7}).state, State::ample);
    EXPECT_EQ(judge_disk({{}, 0, 0, 1000, 0.5}, {0, 0, 7}).state, State::ample);
}

TEST(DiskBudget, the_first_day_is_extrapolated) {
    EXPECT_EQ(judge_disk({{100}, 0, 0, 1000, 0.5}, {0, 0, 7}).bytes_a_day, 200U);
}

}  // namespace
}  // namespace muster
