#include "alerts/metric_baseline.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"

namespace muster {
namespace {

struct MetricBaselineTest : testing::Test {
    double usual() { return std::round((20 + 0.5 * random.normal()) * 100) / 100; }
    void learn(int samples) {
        for (int i = 0; i < samples; ++i) {
            (void)baseline.take(usual());
        }
    }

    Random random{7};
    MetricBaseline baseline;
};

TEST_F(MetricBaselineTest, says_nothing_before_it_is_warm) {
    learn(static_cast<int>(MetricBaseline::warm_up) - 1);
    EXPECT_FALSE(baseline.take(1000).is_warm);
    EXPECT_TRUE(baseline.take(20).is_warm);
}

TEST_F(MetricBaselineTest, finds_the_level_and_the_deviation) {
    learn(2000);
    EXPECT_NEAR(baseline.level(), 20, 0.5);
    EXPECT_NEAR(baseline.deviation(), 0.5, 0.15);
    EXPECT_NEAR(baseline.take(25).deviation, 10, 3);
}

TEST_F(MetricBaselineTest, outliers_of_any_size_do_not_change_what_is_usual) {
    learn(500);
    const double deviation = baseline.deviation();
    for (int i = 0; i < 10; ++i) {
        EXPECT_GT(baseline.take(1e9).deviation, 1e6) << "each is as far off as the first";
    }
    EXPECT_NEAR(baseline.level(), 20, 1.5);
    EXPECT_LT(baseline.deviation(), deviation * 1.1);
    EXPECT_LT(std::abs(baseline.take(20).deviation), 3);
}

TEST_F(MetricBaselineTest, a_sample_is_judged_before_it_is_taken_in) {
    learn(500);
    MetricBaseline before = baseline;
    const double level = before.level();
    const double deviation = before.deviation();
    EXPECT_DOUBLE_EQ(baseline.take(30).deviation, (30 - level) / deviation);
}

TEST_F(MetricBaselineTest, a_shift_that_stays_becomes_usual) {
    learn(500);
    for (int i = 0; i < 400; ++i) {
        (void)baseline.take(usual() + 10);
    }
    EXPECT_LT(std::abs(baseline.take(30).deviation), 3);
}

TEST_F(MetricBaselineTest, an_outlier_amid_the_first_samples_is_forgotten) {
    learn(2);
    (void)baseline.take(5000);
    learn(500);
    EXPECT_NEAR(baseline.level(), 20, 1);
    EXPECT_LT(baseline.deviation(), 1.5);
}

TEST_F(MetricBaselineTest, scatter_that_grows_is_noise_and_a_single_spike_is_not) {
    learn(500);
    EXPECT_LT(baseline.take(1000).noise, 2);
    EXPECT_LT(baseline.take(20).noise, 2);
    learn(100);
    double noise = 0;
    for (int i = 0; i < 48; ++i) {
        noise = baseline.take(20 + 2.5 * random.normal()).noise;
    }
    EXPECT_GT(noise, 2.5);
}

TEST_F(MetricBaselineTest, one_step_of_a_coarse_sensor_is_no_deviation) {
    for (int i = 0; i < 500; ++i) {
        (void)baseline.take(i % 50 == 0 ? 21 : 20);
    }
    EXPECT_LT(baseline.take(21).deviation, 1);
    EXPECT_GT(baseline.take(35).deviation, 8);
}

TEST_F(MetricBaselineTest, a_value_that_never_changed_has_no_deviation) {
    for (int i = 0; i < 500; ++i) {
        EXPECT_FALSE(baseline.take(5).is_warm);
    }
    EXPECT_EQ(baseline.take(5).repeats, 501U);
    EXPECT_EQ(baseline.take(6).repeats, 1U);
}

}  // namespace
}  // namespace muster
