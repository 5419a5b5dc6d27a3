#include "api/region_history.h"

#include "api/api_fixture.h"
#include "api/battery_forecast.h"

namespace muster {
namespace {

class RegionHistoryTest : public ApiFixture {
 protected:
    RegionHistoryTest() : lane(lane_metrics), keeper(history, lane, clock, lane_metrics) {}

    static RegionCounts counts(std::int64_t countable, std::int64_t offline) {
        RegionCounts out;
        out.countable = countable;
        out.countable_offline = offline;
        return out;
    }

    MetricRegistry lane_metrics;
    SlowLane lane;
    RegionHistory keeper;
};

TEST_F(RegionHistoryTest, serves_the_offline_share_of_each_minute) {
    const Timestamp minute = std::chrono::floor<std::chrono::minutes>(clock.now()) - Seconds(3600);
    for (int i = 0; i < 10; ++i) {
        keeper.keep(minute + Seconds(60 * i + 7), {{"", counts(200, i)}, {"in/ka", counts(50, i)}});
    }
    start();
    const auto reply = client->get("/api/v1/regions/history?region=in/ka", viewer);
    ASSERT_EQ(reply.status, 200U) << reply.body;
    const auto body = parsed(reply);
    const auto& points = body.at("points").as_array();
    ASSERT_EQ(points.size(), 10U);
    EXPECT_EQ(points[4].at("time").as_int64(), to_epoch_ms(minute + Seconds(240)));
    EXPECT_DOUBLE_EQ(points[4].at("offline_share").as_double(), 0.08);
    EXPECT_DOUBLE_EQ(points[4].at("offline").to_number<double>(), 4);
    EXPECT_DOUBLE_EQ(points[4].at("countable").to_number<double>(), 50);
    const auto fleet = parsed(client->get("/api/v1/regions/history", viewer));
    EXPECT_DOUBLE_EQ(fleet.at("points").as_array()[4].at("offline_share").as_double(), 0.02);
}

TEST_F(RegionHistoryTest, a_minute_that_two_roles_keep_is_one_point) {
    const Timestamp minute = std::chrono::floor<std::chrono::minutes>(clock.now()) - Seconds(600);
    keeper.keep(minute + Seconds(1), {{"in", counts(10, 1)}});
    keeper.keep(minute + Seconds(2), {{"in", counts(10, 2)}});
    start();
    const auto body = parsed(client->get("/api/v1/regions/history?region=in", viewer));
    ASSERT_EQ(body.at("points").as_array().size(), 1U);
    EXPECT_DOUBLE_EQ(body.at("points").as_array()[0].at("offline_share").as_double(), 0.2);
}

TEST_F(RegionHistoryTest, the_running_role_keeps_them_while_the_pipeline_is_not_stale) {
    fill();
    pipeline_lag = Millis(60'000);
    start();
    const auto points = [&](const std::string& region) {
        return parsed(client->get("/api/v1/regions/history?from=2000-01-01&to=2100-01-01&region=" + region, viewer))
            .at("points")
            .as_array()
            .size();
    };
    EXPECT_EQ(points("in/kerala"), 0U) << "counts that nobody brings up to date";
    api.reset();
    pipeline_lag = Millis(100);
    start();
    // The role's own thread keeps the first minute, within its first tick.
    for (int asked = 0; asked < 10'000 && points("in/kerala") == 0; ++asked) {
        std::this_thread::sleep_for(Millis(1));
    }
    EXPECT_EQ(points("in/kerala"), 1U);
}

TEST_F(RegionHistoryTest, bad_questions_are_told_so) {
    start();
    EXPECT_EQ(client->get("/api/v1/regions/history?region=IN//x", viewer).status, 400U);
    EXPECT_EQ(client->get("/api/v1/regions/history?metric=battery", viewer).status, 400U);
    EXPECT_EQ(client->get("/api/v1/regions/history?region=in/nowhere", viewer).status, 200U);
    EXPECT_EQ(client->get("/api/v1/regions/history", "").status, 401U);
}

TEST_F(RegionHistoryTest, over_the_bound_regions_are_left_out_and_counted) {
    std::vector<std::pair<std::string, RegionCounts>> many;
    for (std::size_t i = 0; i < RegionHistory::regions_max + 3; ++i) {
        many.emplace_back("r-" + std::to_string(i), counts(1, 0));
    }
    keeper.keep(clock.now(), many);
    Counter& refused = lane_metrics.counter("muster_api_region_history_refused_total", "");
    EXPECT_DOUBLE_EQ(refused.Value(), 3);
}

TEST_F(RegionHistoryTest, a_device_tells_when_its_battery_will_be_empty) {
    fill();
    apply(device("d-4"));
    for (int i = 0; i < 48 * 6; ++i) {  // 12 percent a day for two days, every ten minutes
        const std::vector<std::pair<std::string_view, double>> values{{"battery", 60 - i / 12.0}};
        const Timestamp time = clock.now() - Seconds(600 * (48 * 6 - i));
        (void)history.append(std::vector<Sample>{{"d-4", time, values}});
    }
    start();
    const auto body = parsed(client->get("/api/v1/devices/d-4/forecast", viewer));
    EXPECT_EQ(body.at("state").as_string(), "draining");
    EXPECT_NEAR(body.at("per_day").to_number<double>(), -12, 0.2);
    EXPECT_NEAR(body.at("days").to_number<double>(), 3, 0.2);
    EXPECT_LE(body.at("days_low").to_number<double>(), body.at("days").to_number<double>());
    EXPECT_GE(body.at("days_high").to_number<double>(), body.at("days").to_number<double>());
    const auto unknown = parsed(client->get("/api/v1/devices/d-1/forecast", viewer));
    EXPECT_EQ(unknown.at("state").as_string(), "unknown") << "three samples tell nothing";
    EXPECT_TRUE(unknown.at("days").is_null());
    EXPECT_EQ(client->get("/api/v1/devices/nobody/forecast", viewer).status, 404U);
    EXPECT_EQ(client->get("/api/v1/devices/d-4/forecast?points=3", viewer).status, 400U);
}

}  // namespace
}  // namespace muster
