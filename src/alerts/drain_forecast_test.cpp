#include "alerts/drain_forecast.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"

namespace muster {
namespace {

constexpr Timestamp start = from_epoch_ms(1'700'000'000'000);

struct DrainForecastTest : testing::Test {
    /// A sample a minute, with noise of half a percent.
    void drain(double hours, double a_day) {
        for (int minute = 0; minute < static_cast<int>(hours * 60); ++minute) {
            percent += a_day / 1440;
            now += Seconds(60);
            (void)forecast.take(percent + 0.5 * random.normal(), now);
        }
    }

    DrainForecast forecast;
    Random random{3};
    double percent = 90;
    Timestamp now = start;
};

TEST_F(DrainForecastTest, says_nothing_in_the_first_hour) {
    drain(0.9, -10);
    EXPECT_FALSE(forecast.estimate());
    drain(0.5, -10);
    EXPECT_TRUE(forecast.estimate());
}

TEST_F(DrainForecastTest, tells_the_days_with_an_interval_that_holds_the_truth) {
    int held = 0;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        forecast = {};
        random = Random(seed);
        percent = 90;
        now = start;
        drain(72, -6);
        const auto estimate = forecast.estimate();
        ASSERT_TRUE(estimate);
        const double truth = percent / 6;
        EXPECT_NEAR(estimate->days, truth, 0.1 * truth);
        EXPECT_NEAR(estimate->per_day, -6, 0.6);
        held += estimate->days_low <= truth + 0.2 && truth - 0.2 <= estimate->days_high ? 1 : 0;
    }
    EXPECT_GE(held, 40) << "the interval is one of 90 %";
}

TEST_F(DrainForecastTest, the_interval_narrows_as_the_days_pass) {
    drain(3, -6);
    const auto early = forecast.estimate();
    drain(45, -6);
    const auto late = forecast.estimate();
    ASSERT_TRUE(early && late);
    EXPECT_LT(late->days_high - late->days_low, early->days_high - early->days_low);
}

TEST_F(DrainForecastTest, a_battery_that_does_not_drain_is_never_empty) {
    drain(24, 0);
    ASSERT_TRUE(forecast.estimate());
    EXPECT_TRUE(std::isinf(forecast.estimate()->days) || forecast.estimate()->days > 300);
    EXPECT_FALSE(forecast.is_charging());
}

TEST_F(DrainForecastTest, charging_begins_anew) {
    drain(24, -20);
    ASSERT_TRUE(forecast.estimate());
    drain(0.5, 500);
    EXPECT_FALSE(forecast.estimate());
    EXPECT_TRUE(forecast.is_charging());
    drain(3, -20);
    ASSERT_TRUE(forecast.estimate());
    EXPECT_FALSE(forecast.is_charging());
    EXPECT_NEAR(forecast.estimate()->per_day, -20, 5) << "of what was before the charge nothing counts";
}

TEST_F(DrainForecastTest, a_device_that_reports_once_an_hour_is_seen_to_charge_too) {
    for (int hour = 0; hour < 48; ++hour) {
        now += Seconds(3600);
        (void)forecast.take(80 - hour, now);
    }
    ASSERT_TRUE(forecast.estimate());
    EXPECT_NEAR(forecast.estimate()->per_day, -24, 1);
    for (int hour = 0; hour < 4; ++hour) {
        now += Seconds(3600);
        (void)forecast.take(60 + hour, now);
    }
    EXPECT_TRUE(forecast.is_charging());
}

TEST_F(DrainForecastTest, one_value_that_is_too_high_is_no_charge) {
    drain(24, -20);
    now += Seconds(60);
    (void)forecast.take(100, now);
    EXPECT_TRUE(forecast.estimate());
    EXPECT_FALSE(forecast.is_charging());
}

TEST_F(DrainForecastTest, follows_a_pace_that_has_changed_within_hours) {
    drain(30, -5);
    drain(10, -40);
    ASSERT_TRUE(forecast.estimate());
    EXPECT_LT(forecast.estimate()->days, 3);
}

TEST_F(DrainForecastTest, a_silence_is_a_gap_and_a_long_one_begins_anew) {
    drain(10, -10);
    now += Seconds(3600);
    percent -= 10.0 / 24;
    drain(2, -10);
    ASSERT_TRUE(forecast.estimate());
    EXPECT_NEAR(forecast.estimate()->per_day, -10, 2);
    now += Seconds(30 * 86'400);
    drain(0.2, -10);
    EXPECT_FALSE(forecast.estimate());
}

TEST_F(DrainForecastTest, a_late_value_changes_nothing) {
    drain(10, -10);
    const auto before = forecast.estimate();
    EXPECT_FALSE(forecast.take(5, start));
    EXPECT_EQ(forecast.estimate()->days, before->days);
}

}  // namespace
}  // namespace muster
