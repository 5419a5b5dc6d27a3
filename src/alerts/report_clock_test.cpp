#include "alerts/report_clock.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace muster {
namespace {

constexpr Timestamp start = from_epoch_ms(1'700'000'000'000);

struct ReportClockTest : testing::Test {
    /// Reports of a partition of each second from `first` to `last`.
    void report(std::int32_t partition, int first, int last) {
        for (int second = first; second <= last; ++second) {
            clock.on_report(partition, start + Seconds(second));
        }
    }

    ReportClock clock;
};

TEST_F(ReportClockTest, elapses_with_the_steps_of_the_reports) {
    report(0, 0, 100);
    EXPECT_EQ(clock.elapsed_ms(), 100'000);
    EXPECT_EQ(clock.time(), start + Seconds(100));
}

TEST_F(ReportClockTest, partitions_that_are_read_one_after_the_other_in_bursts_do_not_add_up) {
    for (int burst = 0; burst < 30; ++burst) {
        for (const std::int32_t partition : {0, 1, 2, 3}) {
            report(partition, burst * 20, burst * 20 + 19);
        }
    }
    EXPECT_EQ(clock.elapsed_ms(), 599'000);
}

TEST_F(ReportClockTest, bursts_of_any_length_and_order_do_not_add_up) {
    Random random(5);
    std::array<int, 4> next{};
    int furthest = 0;
    for (int turn = 0; turn < 2000; ++turn) {
        const auto partition = random.below(next.size());
        const int last = next[partition] + static_cast<int>(random.below(15));
        report(static_cast<std::int32_t>(partition), next[partition], last);
        next[partition] = last + 1;
        furthest = std::max(furthest, last);
        ASSERT_LE(clock.elapsed_ms(), std::int64_t{furthest} * 1000);
        ASSERT_GE(clock.elapsed_ms(), std::int64_t{furthest} * 1000 - 60'000);
    }
}

TEST_F(ReportClockTest, time_in_which_nothing_was_reported_does_not_count) {
    report(0, 0, 10);
    report(1, 0, 10);
    report(0, 1000, 1010);
    report(1, 1000, 1010);
    EXPECT_EQ(clock.elapsed_ms(), 10'000 + ReportClock::report_step_ms_max + 10'000);
}

TEST_F(ReportClockTest, one_that_was_away_takes_over_at_once_when_the_others_stop) {
    report(0, 0, 5);
    report(1, 0, 500);
    report(0, 500, 500);
    report(0, 501, 510);
    EXPECT_EQ(clock.elapsed_ms(), 510'000);
}

TEST_F(ReportClockTest, a_jump_of_a_clock_decides_nothing) {
    report(0, 0, 10);
    report(1, 0, 10);
    clock.on_report(0, start + Seconds(100'000));
    EXPECT_EQ(clock.elapsed_ms(), 10'000 + ReportClock::report_step_ms_max);
    report(0, 11, 40);
    report(1, 11, 40);
    EXPECT_LE(clock.elapsed_ms(), 41'000 + ReportClock::report_step_ms_max);
    EXPECT_GE(clock.elapsed_ms(), 40'000);
}

}  // namespace
}  // namespace muster
