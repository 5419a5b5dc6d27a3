#include <algorithm>
#include <set>
#include <thread>

#include "api/api_client.h"
#include "api/api_fixture.h"
#include "api/history_export.h"
#include "api/query_string.h"

namespace muster {
namespace {

class HistoryApi : public ApiFixture {
 protected:
    Transition entry(std::int64_t after_s, PresenceState state, const std::string& region, std::int64_t offset = 0) {
        Transition made = transition(after_s, state, state == PresenceState::online ? Cause::connect : Cause::will);
        made.region = region;
        made.offset = offset;
        return made;
    }
    /// d-1 dies 100 s ago, d-2 lives, d-3 came 50 s ago and flaps.
    void fill_past() {
        (void)history.append_transition("d-1", entry(-1000, PresenceState::online, "in/ka", 1));
        (void)history.append_transition("d-2", entry(-900, PresenceState::online, "in/kl", 2));
        (void)history.append_transition("d-1", entry(-100, PresenceState::offline, "in/ka", 3));
        Transition flapping = entry(-50, PresenceState::online, "", 4);
        flapping.overlays = static_cast<Overlays>(Overlay::flapping);
        (void)history.append_transition("d-3", flapping);
    }
    [[nodiscard]] std::string at(std::int64_t after_s) const {
        return std::to_string(to_epoch_ms(clock.now() + Seconds(after_s)));
    }
    static std::int64_t count(const boost::json::object& body, const char* name) {
        return body.at("counts").at(name).as_int64();
    }
    static std::vector<std::string> ids(const boost::json::object& body) {
        std::vector<std::string> out;
        for (const auto& device : body.at("devices").as_array()) {
            out.emplace_back(device.at("id").as_string());
        }
        return out;
    }
};

TEST_F(HistoryApi, the_fleet_at_a_time_has_the_counts_of_that_time) {
    start();
    fill_past();
    const auto before = parsed(client->get("/api/v1/fleet?at=" + at(-101), viewer));
    EXPECT_EQ(count(before, "online"), 2);
    EXPECT_EQ(count(before, "total"), 2);
    const auto after = parsed(client->get("/api/v1/fleet?at=" + at(-100), viewer));
    EXPECT_EQ(count(after, "online"), 1);
    EXPECT_EQ(count(after, "offline"), 1);
    const auto& regions = after.at("regions").as_array();
    ASSERT_EQ(regions.size(), 3U);
    EXPECT_EQ(regions[0].at("region").as_string(), "in");
    EXPECT_EQ(regions[0].at("counts").at("total").as_int64(), 2);
    EXPECT_EQ(regions[1].at("region").as_string(), "in/ka");
    EXPECT_EQ(regions[1].at("offline_share").to_number<double>(), 1.0);
    const auto now = parsed(client->get("/api/v1/fleet?at=" + at(0), viewer));
    EXPECT_EQ(count(now, "flapping"), 1);
    EXPECT_EQ(count(now, "total"), 3);
}

TEST_F(HistoryApi, a_time_may_be_iso_8601_and_one_before_the_history_is_not_found) {
    start();
    fill_past();
    EXPECT_EQ(count(parsed(client->get("/api/v1/fleet?at=2023-11-14T22:11:40Z", viewer)), "offline"), 1)
        << "1,700,000,000 s is 22:13:20";
    EXPECT_EQ(count(parsed(client->get("/api/v1/fleet?at=2023-11-15T03:41:39.999%2B05:30", viewer)), "offline"), 0);
    EXPECT_EQ(client->get("/api/v1/fleet?at=yesterday", viewer).status, 400U);
    EXPECT_EQ(client->get("/api/v1/fleet?at=2020-01-01", viewer).status, 404U);
    EXPECT_EQ(client->get("/api/v1/fleet?at=5&x=1", viewer).status, 400U);
}

TEST_F(HistoryApi, devices_at_a_time_are_listed_in_pages_and_filtered) {
    start();
    fill_past();
    const std::string path = "/api/v1/devices?at=" + at(0);
    EXPECT_EQ(ids(parsed(client->get(path, viewer))), (std::vector<std::string>{"d-1", "d-2", "d-3"}));
    const auto page = parsed(client->get(path + "&limit=2", viewer));
    EXPECT_EQ(ids(page).size(), 2U);
    const auto next =
        parsed(client->get(path + "&limit=2&cursor=" + std::string(page.at("next_cursor").as_string()), viewer));
    EXPECT_EQ(ids(next), (std::vector<std::string>{"d-3"}));
    EXPECT_TRUE(next.at("next_cursor").is_null());
    EXPECT_EQ(ids(parsed(client->get(path + "&state=offline", viewer))), (std::vector<std::string>{"d-1"}));
    EXPECT_EQ(ids(parsed(client->get(path + "&region=in", viewer))).size(), 2U);
    EXPECT_EQ(ids(parsed(client->get(path + "&region=in/k", viewer))).size(), 0U);
    EXPECT_EQ(ids(parsed(client->get(path + "&overlay=flapping", viewer))), (std::vector<std::string>{"d-3"}));
    EXPECT_EQ(ids(parsed(client->get(path + "&q=d-2", viewer))), (std::vector<std::string>{"d-2"}));
    EXPECT_EQ(client->get(path + "&model=m1", viewer).status, 400U);
}

TEST_F(HistoryApi, transitions_come_in_pages_that_miss_and_double_none) {
    start();
    for (int i = 0; i < 25; ++i) {
        // Five share each millisecond.
        (void)history.append_transition(
            "d-1", entry(-100 + i / 5, i % 2 == 0 ? PresenceState::online : PresenceState::offline, "", i));
    }
    std::vector<std::int64_t> epochs;
    std::vector<std::int64_t> times;
    std::string cursor;
    for (int page = 0; page < 10; ++page) {
        const auto body = parsed(client->get("/api/v1/devices/d-1/transitions?limit=3" + cursor, viewer));
        for (const auto& one : body.at("transitions").as_array()) {
            times.push_back(one.at("time").as_int64());
        }
        if (body.at("next_cursor").is_null()) {
            break;
        }
        cursor = "&cursor=" + std::string(body.at("next_cursor").as_string());
    }
    EXPECT_EQ(times.size(), 25U);
    EXPECT_TRUE(std::is_sorted(times.rbegin(), times.rend()));
    EXPECT_EQ(client->get("/api/v1/devices/d-1/transitions?cursor=nonsense", viewer).status, 400U);
    EXPECT_EQ(client->get("/api/v1/devices/d-1/transitions?cursor=" + encode_cursor("d-1"), viewer).status, 400U);
}

TEST_F(HistoryApi, a_regions_average_and_the_devices_that_changed_most) {
    start();
    fill();
    const auto average = parsed(client->get("/api/v1/fleet/history?metric=battery&region=in/karnataka", viewer));
    EXPECT_EQ(average.at("devices").as_int64(), 2);
    EXPECT_EQ(average.at("unit").as_string(), "%");
    EXPECT_EQ(average.at("points").as_array().size(), 3U);
    EXPECT_EQ(average.at("points").as_array()[0].as_array()[1].as_double(), 81.5);
    const auto top = parsed(client->get("/api/v1/fleet/top?metric=battery&by=fall&n=5", viewer));
    EXPECT_EQ(top.at("top").as_array().size(), 1U);
    EXPECT_EQ(top.at("top").as_array()[0].at("device").as_string(), "d-1");
    EXPECT_EQ(
        parsed(client->get("/api/v1/fleet/top?metric=battery&region=in/kerala", viewer)).at("top").as_array().size(),
        0U);
    EXPECT_EQ(client->get("/api/v1/fleet/history", viewer).status, 400U) << "no metric";
    EXPECT_EQ(client->get("/api/v1/fleet/top?metric=battery&by=luck", viewer).status, 400U);
}

TEST_F(HistoryApi, an_export_is_streamed_whole) {
    start();
    fill();
    for (int i = 0; i < 40'000; ++i) {
        const std::pair<std::string_view, double> values[] = {{"load", i}};
        (void)history.append(std::vector<Sample>{{i % 2 == 0 ? "d-2" : "d-3", clock.now() - Millis(i + 1), values}});
    }
    const auto all = client->get("/api/v1/history/export?from=0", viewer);
    EXPECT_EQ(all.status, 200U);
    EXPECT_EQ(all.headers.at("content-type"), "application/x-ndjson");
    EXPECT_GT(all.body.size(), 4 * HistoryExport::piece_bytes) << "several pieces";
    EXPECT_EQ(std::count(all.body.begin(), all.body.end(), '\n'), 40'003);
    EXPECT_TRUE(all.body.starts_with(R"({"device":"d-1","time":)"));
    std::string last_line;
    std::set<std::string> lines;
    for (std::size_t begin = 0; begin < all.body.size();) {
        const auto end = all.body.find('\n', begin);
        lines.insert(all.body.substr(begin, end - begin));
        begin = end + 1;
    }
    EXPECT_EQ(lines.size(), 40'003U) << "none twice";
    const auto csv = client->get("/api/v1/history/export?from=0&format=csv&region=in/kerala", viewer);
    EXPECT_TRUE(csv.body.starts_with("device,time,metric,value\r\nd-2,")) << csv.body.substr(0, 80);
    EXPECT_EQ(std::count(csv.body.begin(), csv.body.end(), '\n'), 20'001);
    const auto one = client->get("/api/v1/history/export?device=d-1", viewer);
    EXPECT_EQ(std::count(one.body.begin(), one.body.end(), '\n'), 3) << "and the connection goes on";
    const auto presence = client->get("/api/v1/history/export?device=d-1&kind=transitions&format=csv", viewer);
    EXPECT_EQ(std::count(presence.body.begin(), presence.body.end(), '\n'), 3) << presence.body;
    EXPECT_EQ(client->get("/api/v1/history/export?device=d-1&region=in", viewer).status, 400U);
    EXPECT_EQ(client->get("/api/v1/history/export?format=parquet", viewer).status, 400U);
}

TEST_F(HistoryApi, one_check_runs_at_a_time_and_ends_with_its_reader) {
    start();
    history.check_waits = true;
    {
        LoopbackClient leaving(api->port());
        (void)leaving.send_raw(
            "GET /api/v1/history/check HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer nobody\r\n\r\n");
    }
    history.check_waits = false;
    const auto checked = client->get("/api/v1/history/check", viewer);
    EXPECT_EQ(checked.status, 200U);
    EXPECT_NE(checked.body.find(R"("ok":true)"), std::string::npos) << checked.body;
}

TEST_F(HistoryApi, a_second_check_is_answered_503_while_one_runs) {
    start();
    history.check_waits = true;
    ClientReply first;
    std::thread checking([&] { first = LoopbackClient(api->port()).get("/api/v1/history/check", viewer); });
    history.checks_begun.wait(0);
    const auto second = client->get("/api/v1/history/check", viewer);
    EXPECT_EQ(second.status, 503U);
    EXPECT_NE(second.body.find("being checked already"), std::string::npos) << second.body;
    const auto refused = ApiClient("127.0.0.1:" + std::to_string(api->port()), viewer)
                             .get("/api/v1/history/check", {}, [](std::string_view) { return Result<void>(); });
    ASSERT_FALSE(refused) << "and so is the command";
    EXPECT_NE(refused.error().message().find("being checked already"), std::string::npos) << refused.error().message();
    history.check_waits = false;
    checking.join();
    EXPECT_EQ(first.status, 200U);
    EXPECT_NE(first.body.find(R"("ok":true)"), std::string::npos) << first.body;
    EXPECT_EQ(client->get("/api/v1/history/check", viewer).status, 200U) << "the next one runs again";
    EXPECT_EQ(history.checks_begun, 2);
}

TEST_F(HistoryApi, the_commands_client_reads_what_is_streamed_and_says_what_is_refused) {
    start();
    fill();
    const std::string address = "127.0.0.1:" + std::to_string(api->port());
    std::string body;
    const auto take = [&](std::string_view bytes) -> Result<void> {
        body.append(bytes);
        return {};
    };
    ASSERT_TRUE(ApiClient(address, viewer).get("/api/v1/history/export", {{"device", "d-1"}}, take));
    EXPECT_EQ(std::count(body.begin(), body.end(), '\n'), 3);
    const auto refused = ApiClient(address, viewer).get("/api/v1/history/export", {{"device", "a b"}}, take);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("device must be"), std::string::npos) << refused.error().message();
    EXPECT_EQ(ApiClient(address, "wrong").get("/api/v1/history/export", {}, take).error().code,
              ErrorCode::unauthorized);
    const auto full = ApiClient(address, viewer)
                          .get("/api/v1/history/export", {{"device", "d-1"}},
                               [](std::string_view) -> Result<void> { return fail(ErrorCode::io, "disk full"); });
    EXPECT_EQ(full.error().code, ErrorCode::io);
    const std::uint16_t port = api->port();
    api.reset();
    EXPECT_EQ(ApiClient("127.0.0.1:" + std::to_string(port), viewer).get("/api/v1/fleet", {}, take).error().code,
              ErrorCode::unavailable);
}

TEST(ParseTime, reads_epoch_milliseconds_and_iso_8601) {
    const std::vector<std::pair<const char*, std::int64_t>> times{{"0", 0},
                                                                  {"1700000000123", 1'700'000'000'123},
                                                                  {"2023-11-14", 1'699'920'000'000},
                                                                  {"2023-11-14T22:13:20Z", 1'700'000'000'000},
                                                                  {"2023-11-14T22:13:20.5Z", 1'700'000'000'500},
                                                                  {"2023-11-14T22:13:20.123456Z", 1'700'000'000'123},
                                                                  {"2023-11-14T22:13Z", 1'699'999'980'000},
                                                                  {"2023-11-15T03:43:20+05:30", 1'700'000'000'000},
                                                                  {"2023-11-15T03:43:20 05:30", 1'700'000'000'000},
                                                                  {"2023-11-14T17:13:20-05:00", 1'700'000'000'000}};
    for (const auto& [text, ms] : times) {
        const auto time = parse_time(text);
        ASSERT_TRUE(time) << text;
        EXPECT_EQ(to_epoch_ms(*time), ms) << text;
    }
    for (const char* text : {"", "-1", "now", "2023-13-01", "2023-02-29", "2023-1-1", "2023-11-14T", "2023-11-14T22",
                             "2023-11-14T22:13:20", "2023-11-14T24:00Z", "2023-11-14T22:60Z", "2023-11-14T22:13:60Z",
                             "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20Zx", "99999999999999999", "1e5"}) {
        EXPECT_FALSE(parse_time(text)) << text;
    }
}

}  // namespace
}  // namespace muster
