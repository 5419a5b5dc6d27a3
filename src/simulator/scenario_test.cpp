#include "simulator/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(Scenario, shares_are_read_as_percent_or_as_a_fraction) {
    EXPECT_DOUBLE_EQ(parse_share("2%").value(), 0.02);
    EXPECT_DOUBLE_EQ(parse_share("0.5").value(), 0.5);
    EXPECT_DOUBLE_EQ(parse_share("100%").value(), 1);
    for (const auto* wrong : {"", "%", "2", "101%", "-1%", "x", "nan", "2%%"}) {
        EXPECT_FALSE(parse_share(wrong)) << wrong;
    }
}

TEST(Scenario, durations_have_a_unit_or_are_seconds) {
    EXPECT_EQ(parse_duration("90").value(), Millis(90'000));
    EXPECT_EQ(parse_duration("90s").value(), Millis(90'000));
    EXPECT_EQ(parse_duration("1.5m").value(), Millis(90'000));
    EXPECT_EQ(parse_duration("250ms").value(), Millis(250));
    EXPECT_EQ(parse_duration("1h").value(), Millis(3'600'000));
    for (const auto* wrong : {"", "s", "-1", "1d", "1e30", "nan"}) {
        EXPECT_FALSE(parse_duration(wrong)) << wrong;
    }
}

TEST(Scenario, an_outage_is_region_start_duration_and_share) {
    const Outage expected{.region = "in/karnataka", .start = Millis(60'000), .duration = Millis(120'000), .share = 0.3};
    EXPECT_EQ(parse_outage("in/karnataka@60+2m:30%").value(), expected);
    EXPECT_DOUBLE_EQ(parse_outage("all@1+1").value().share, 0.6);
    for (const auto* wrong : {"", "in/karnataka", "in@60", "@60+1", "in@x+1", "in@1+2:200%", "in+1@2"}) {
        EXPECT_FALSE(parse_outage(wrong)) << wrong;
    }
}

TEST(Scenario, a_storm_is_an_outage_of_no_duration_everywhere) {
    const Outage expected{.region = "all", .start = Millis(300'000), .duration = Millis(0), .share = 1};
    EXPECT_EQ(parse_storm("5m").value(), expected);
    EXPECT_DOUBLE_EQ(parse_storm("5m:40%").value().share, 0.4);
}

TEST(Scenario, what_cannot_be_simulated_is_refused_with_its_reason) {
    EXPECT_TRUE(validate(Scenario{}));
    Scenario scenario;
    scenario.devices = 0;
    EXPECT_EQ(validate(scenario).error().message(), "the number of devices must be between 1 and 1000000: 0");
    scenario = {};
    scenario.regions = {"in/goa"};
    EXPECT_THAT(validate(scenario).error().message(), testing::HasSubstr("'in/goa'; there are in/karnataka/ka-04, "));
    scenario = {};
    scenario.flappers = 0.6;
    scenario.sleepers = 0.6;
    EXPECT_FALSE(validate(scenario));
    scenario = {};
    scenario.regions = {"de"};
    scenario.outages = {Outage{.region = "in/karnataka"}};
    EXPECT_FALSE(validate(scenario));
}

}  // namespace
}  // namespace muster
