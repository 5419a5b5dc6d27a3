#include "api/recent_series.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "api/fleet_rates.h"
#include "api/latency_window.h"
#include "contract/json.h"

namespace muster {
namespace {

TEST(LatencyWindow, knows_nothing_of_an_empty_minute) {
    LatencyWindow window;
    EXPECT_EQ(window.quantile(Millis(1000), 0.5), std::nullopt);
}

TEST(LatencyWindow, gives_quantiles_to_a_sixteenth) {
    LatencyWindow window;
    for (int ms = 1; ms <= 1000; ++ms) {
        window.add(Millis(100), ms);
    }
    EXPECT_NEAR(*window.quantile(Millis(100), 0.5), 500, 500 / 16.0);
    EXPECT_NEAR(*window.quantile(Millis(100), 0.99), 990, 990 / 16.0);
    EXPECT_EQ(*window.quantile(Millis(100), 0.001), 1);
}

TEST(LatencyWindow, forgets_after_a_minute) {
    LatencyWindow window;
    window.add(Millis(0), 7);
    EXPECT_EQ(window.quantile(Millis(59'999), 0.5), 7);
    EXPECT_EQ(window.quantile(Millis(60'000), 0.5), std::nullopt);
}

TEST(LatencyWindow, puts_negative_and_huge_values_at_its_ends) {
    LatencyWindow window;
    window.add(Millis(0), -5);
    EXPECT_EQ(window.quantile(Millis(0), 1), 0);
    window.add(Millis(0), INT64_MAX);
    EXPECT_GT(*window.quantile(Millis(0), 1), 4'000'000);
}

TEST(FleetRates, count_what_came_and_went_in_the_last_minute) {
    MetricRegistry metrics;
    ManualClock clock;
    clock.advance(Seconds(100));
    FleetRates rates(metrics, clock);
    StatusDocument document;
    document.since = clock.now() - Millis(80);
    document.previous = PresenceState::never_seen;
    document.state = PresenceState::online;
    rates.on_transition(document);
    document.previous = PresenceState::online;
    document.state = PresenceState::offline;
    rates.on_transition(document);
    document.previous = PresenceState::offline;
    rates.on_transition(document);  // an overlay only
    const auto now = rates.snapshot();
    EXPECT_EQ(now.connects_per_min, 1);
    EXPECT_EQ(now.disconnects_per_min, 1);
    EXPECT_NEAR(now.detection_p99_ms.value_or(0), 80, 5);
    clock.advance(Seconds(60));
    EXPECT_EQ(rates.snapshot().connects_per_min, 0);
    EXPECT_EQ(rates.snapshot().detection_p50_ms, std::nullopt);
}

RegionCounts counts(std::int64_t offline) {
    RegionCounts out;
    out.countable = 10;
    out.countable_offline = offline;
    return out;
}

TEST(RecentSeries, keeps_a_day) {
    RecentSeries series;
    for (int i = 0; i < 9000; ++i) {
        series.add({from_epoch_ms(i * 10'000), {}, 0, 0, 0, {}});
    }
    const auto all = json::parse_object(series.fleet_json(RecentSeries::minutes_max));
    EXPECT_EQ(all->at("series").as_array().size(), 8640U);
    const auto hour = json::parse_object(series.fleet_json(60));
    EXPECT_EQ(hour->at("series").as_array().size(), 360U);
    EXPECT_EQ(hour->at("series").as_array().back().at("t").as_int64(), 89'990'000);
}

TEST(RecentSeries, a_region_that_came_late_or_left_has_gaps) {
    RecentSeries series;
    series.add_regions(from_epoch_ms(60'000), {{"", counts(0)}, {"in", counts(1)}});
    series.add_regions(from_epoch_ms(120'000), {{"", counts(0)}, {"in", counts(2)}, {"us", counts(5)}});
    series.add_regions(from_epoch_ms(180'000), {{"us", counts(5)}});
    const auto json = json::parse_object(series.regions_json(60));
    EXPECT_EQ(boost::json::serialize(json->at("times")), "[60000,120000,180000]");
    EXPECT_EQ(boost::json::serialize(json->at("regions")),
              R"([{"region":"in","offline_share":[1E-1,2E-1,null]},{"region":"us","offline_share":[null,5E-1,5E-1]}])");
}

TEST(RecentSeries, forgets_a_region_that_is_gone_for_a_day) {
    RecentSeries series;
    series.add_regions(from_epoch_ms(0), {{"old", counts(1)}});
    for (std::size_t i = 1; i <= RecentSeries::minutes_max; ++i) {
        series.add_regions(from_epoch_ms(static_cast<std::int64_t>(i) * 60'000), {{"in", counts(1)}});
    }
    const auto json = json::parse_object(series.regions_json(RecentSeries::minutes_max));
    ASSERT_EQ(json->at("regions").as_array().size(), 1U);
    EXPECT_EQ(json->at("regions").as_array()[0].at("offline_share").as_array().size(), RecentSeries::minutes_max);
}

}  // namespace
}  // namespace muster
