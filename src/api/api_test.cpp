#include "api/api.h"

#include <fstream>
#include <iterator>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/api_fixture.h"

namespace muster {
namespace {

using ::testing::HasSubstr;

using ApiTest = ApiFixture;

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST_F(ApiTest, needs_a_token_and_the_right_role) {
    start();
    fill();
    EXPECT_EQ(client->get("/api/v1/fleet").status, 401U);
    EXPECT_EQ(client->get("/api/v1/fleet", "wrong-token-wrong-token").status, 401U);
    EXPECT_EQ(client->get("/api/v1/fleet", viewer).status, 200U);
    const auto refused = send("DELETE", "/api/v1/devices/d-1/shadow", viewer);
    EXPECT_EQ(refused.status, 403U);
    EXPECT_EQ(refused.headers.at("content-type"), "application/problem+json");
    EXPECT_THAT(read_file(directory.path() + "/data/audit.log"), HasSubstr(R"("token":"viewer","action":"DELETE)"));
}

TEST_F(ApiTest, serves_nobody_beyond_this_machine_without_tls) {
    ApiOptions options;
    options.listen = "0.0.0.0:0";
    options.make_token = [] { return "0123456789abcdef"; };
    const auto refused = Api::start(std::move(options), bus, status, history, documents, metrics, clock);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("without TLS"));
}

TEST_F(ApiTest, a_port_that_is_taken_is_told_in_a_sentence) {
    start();
    ApiOptions options;
    options.listen = "127.0.0.1:" + std::to_string(api->port());
    options.data_directory = directory.path() + "/data";
    options.make_token = [] { return "0123456789abcdef"; };
    const auto refused = Api::start(std::move(options), bus, status, history, documents, metrics, clock);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("Address already in use"));
}

TEST_F(ApiTest, a_rebound_host_name_is_refused) {
    start();
    EXPECT_EQ(client->send({"GET", "/api/v1/fleet", viewer, "", {{"Host", "evil.example"}}}).status, 421U);
    EXPECT_EQ(client->send({"GET", "/api/v1/fleet", viewer, "", {{"Origin", "http://evil.example"}}}).status, 403U);
}

TEST_F(ApiTest, the_fleet_adds_up) {
    start();
    fill();
    const auto fleet = parsed(client->get("/api/v1/fleet", viewer));
    const auto& counts = fleet.at("counts").as_object();
    EXPECT_EQ(counts.at("total").as_int64(), 3);
    EXPECT_EQ(counts.at("online").as_int64(), 2);
    EXPECT_EQ(counts.at("offline").as_int64(), 1);
    EXPECT_EQ(counts.at("flapping").as_int64(), 1);
    EXPECT_EQ(fleet.at("regions").as_int64(), 4);
    EXPECT_EQ(fleet.at("lag_ms").as_int64(), 100);
    EXPECT_FALSE(fleet.at("stale").as_bool());
    EXPECT_NEAR(fleet.at("detection_ms").as_object().at("p99").to_number<double>(), 10'000, 700);
}

TEST_F(ApiTest, a_stalled_pipeline_is_said_to_be_stale) {
    pipeline_lag = Millis(5001);
    start();
    EXPECT_TRUE(parsed(client->get("/api/v1/fleet", viewer)).at("stale").as_bool());
}

TEST_F(ApiTest, regions_form_a_tree_with_their_incidents) {
    start();
    fill();
    raise("i-1");
    (void)get_until("/api/v1/alerts/i-1", 200);
    const auto body = parsed(client->get("/api/v1/regions", viewer));
    std::map<std::string, boost::json::object> regions;
    for (const auto& region : body.at("regions").as_array()) {
        regions[std::string(region.at("region").as_string())] = region.as_object();
    }
    ASSERT_EQ(regions.size(), 4U);
    EXPECT_EQ(regions["in"].at("parent").as_string(), "");
    EXPECT_FALSE(regions["in/karnataka"].at("leaf").as_bool());
    EXPECT_EQ(regions["in/karnataka"].at("incident").as_string(), "i-1");
    EXPECT_EQ(regions["in/karnataka/ka-04"].at("name").as_string(), "ka-04");
    EXPECT_EQ(regions["in/karnataka/ka-04"].at("depth").as_int64(), 3);
    EXPECT_TRUE(regions["in/karnataka/ka-04"].at("leaf").as_bool());
    EXPECT_EQ(regions["in/kerala"].at("offline_share").to_number<double>(), 1);
}

TEST_F(ApiTest, devices_are_filtered_and_paged_without_gaps) {
    start();
    for (int i = 100; i < 130; ++i) {
        apply(device("d-" + std::to_string(i), i % 3 == 0 ? PresenceState::offline : PresenceState::online));
    }
    std::vector<std::string> ids;
    std::string cursor;
    do {
        const auto page =
            parsed(client->get("/api/v1/devices?state=offline&region=in/karnataka&limit=4&cursor=" + cursor, viewer));
        for (const auto& each : page.at("devices").as_array()) {
            ids.emplace_back(each.at("id").as_string());
        }
        EXPECT_EQ(page.at("matched").as_int64(), 10);
        const auto& next = page.at("next_cursor");
        cursor = next.is_null() ? "" : std::string(next.as_string());
    } while (!cursor.empty());
    ASSERT_EQ(ids.size(), 10U);
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
    EXPECT_EQ(ids.front(), "d-102");
}

TEST_F(ApiTest, a_bad_query_is_told_which_parameter_and_what_it_may_be) {
    start();
    for (const auto& [query, words] : std::map<std::string, std::string>{
             {"limit=0", "limit must be a whole number from 1 to 1000"},
             {"state=gone", "state must be online, offline, unknown or never_seen"},
             {"overlay=x", "overlay must be flapping, sleeping, maintenance or contested"},
             {"region=UP/..", "region must be a path such as"},
             {"cursor=xyz", "cursor must be the next_cursor of an earlier page"},
             {"colour=red", "unknown query parameter: colour"},
             {"q=%zz", "'%'"}}) {
        const auto reply = client->get("/api/v1/devices?" + query, viewer);
        EXPECT_EQ(reply.status, 400U) << query;
        EXPECT_THAT(reply.body, HasSubstr(words));
    }
}

TEST_F(ApiTest, a_device_is_shown_whole) {
    start();
    fill();
    const auto body = parsed(client->get("/api/v1/devices/d-1", viewer));
    EXPECT_EQ(body.at("metrics").as_object().at("battery").to_number<double>(), 81.5);
    EXPECT_EQ(body.at("client").as_object().at("protocol").as_string(), "3.1.1");
    EXPECT_EQ(body.at("shadow_version").as_int64(), 1);
    EXPECT_EQ(client->get("/api/v1/devices/nobody", viewer).status, 404U);
    EXPECT_EQ(client->get("/api/v1/devices/a%20b", viewer).status, 400U);
}

TEST_F(ApiTest, history_comes_as_json_and_csv) {
    start();
    fill();
    const auto body = parsed(client->get("/api/v1/devices/d-1/history?metrics=battery", viewer));
    const auto& series = body.at("series").as_array();
    ASSERT_EQ(series.size(), 1U);
    EXPECT_EQ(series[0].at("unit").as_string(), "%");
    EXPECT_EQ(series[0].at("points").as_array().size(), 3U);
    const auto csv = client->get("/api/v1/devices/d-1/history.csv?metrics=battery", viewer);
    EXPECT_EQ(csv.headers.at("content-type"), "text/csv; charset=utf-8");
    EXPECT_THAT(csv.body, HasSubstr("time,metric,value\r\n1699999880000,\"battery\",81.5\r\n"));
    EXPECT_EQ(client->get("/api/v1/devices/d-1/history?from=2&to=1", viewer).status, 400U);
    EXPECT_EQ(client->get("/api/v1/devices/nobody/history", viewer).status, 404U);
}

TEST_F(ApiTest, transitions_tell_how_long_a_session_was) {
    start();
    fill();
    const auto body = parsed(client->get("/api/v1/devices/d-1/transitions", viewer));
    const auto& transitions = body.at("transitions").as_array();
    ASSERT_EQ(transitions.size(), 2U);
    EXPECT_EQ(transitions[0].at("cause").as_string(), "connection_lost");
    EXPECT_EQ(transitions[0].at("session_s").as_int64(), 60);
    EXPECT_TRUE(transitions[1].at("session_s").is_null());
}

TEST_F(ApiTest, a_shadow_update_is_answered_by_the_shadow_role) {
    start();
    shadow_role.body = R"({"state":{"desired":{"a":1}},"version":2})";
    const auto reply = send("PATCH", "/api/v1/devices/d-1/shadow", fleet_operator, R"({"state":{"desired":{"a":1}}})");
    EXPECT_EQ(reply.status, 200U);
    EXPECT_EQ(parsed(reply).at("version").as_int64(), 2);
    EXPECT_EQ(requests_seen,
              std::vector<std::string>{R"(d-1 $aws/things/d-1/shadow/update {"state":{"desired":{"a":1}}})"});
    EXPECT_THAT(read_file(directory.path() + "/data/audit.log"),
                HasSubstr(R"("token":"operator","action":"shadow.update","device":"d-1","detail":"","result":200})"));
}

TEST_F(ApiTest, a_version_conflict_is_a_problem_with_the_roles_words) {
    start();
    shadow_role.status = 409;
    shadow_role.body = R"({"code":409,"message":"Version conflict"})";
    const auto reply =
        send("PATCH", "/api/v1/devices/d-1/shadow", fleet_operator, R"({"state":{"desired":{}},"version":9})");
    EXPECT_EQ(reply.status, 409U);
    EXPECT_EQ(parsed(reply).at("detail").as_string(), "Version conflict");
}

TEST_F(ApiTest, what_a_device_reports_is_not_the_operators_to_say) {
    start();
    const auto reply = send("PATCH", "/api/v1/devices/d-1/shadow", admin, R"({"state":{"reported":{"a":1}}})");
    EXPECT_EQ(reply.status, 400U);
    EXPECT_TRUE(requests_seen.empty());
}

TEST_F(ApiTest, a_command_carries_who_asked_for_it) {
    start();
    shadow_role.status = 201;
    shadow_role.body = R"({"execution_id":"e-9"})";
    const auto reply = send("POST", "/api/v1/devices/d-1/commands", fleet_operator, R"({"name":"reboot"})");
    EXPECT_EQ(reply.status, 201U);
    EXPECT_EQ(reply.headers.at("location"), "/api/v1/commands/e-9");
    EXPECT_EQ(requests_seen,
              std::vector<std::string>{R"(d-1 muster/commands/create {"name":"reboot","created_by":"operator"})"});
    EXPECT_EQ(
        send("POST", "/api/v1/devices/d-1/commands", fleet_operator, R"({"name":"reboot","created_by":"x"})").status,
        400U);
}

TEST_F(ApiTest, a_change_nobody_answers_is_a_gateway_timeout) {
    shadow_role.silent = true;
    start([](ApiOptions& options) { options.reply_timeout = Millis(0); });
    const auto reply = send("DELETE", "/api/v1/devices/d-1/shadow", fleet_operator);
    EXPECT_EQ(reply.status, 504U);
    EXPECT_EQ(parsed(reply).at("code").as_string(), "timed_out");
}

TEST_F(ApiTest, attributes_are_accepted_when_they_are_durable) {
    start();
    const auto reply =
        send("PUT", "/api/v1/devices/d-1", fleet_operator, R"({"region":"in/goa","heartbeat_timeout_s":90})");
    EXPECT_EQ(reply.status, 202U);
    EXPECT_EQ(reply.body, R"({"id":"d-1"})");
    for (const char* body :
         {"{}", R"({"region":"UP"})", R"({"lat":91})", R"({"heartbeat_timeout_s":1})", R"({"colour":"red"})", "["}) {
        EXPECT_EQ(send("PUT", "/api/v1/devices/d-1", fleet_operator, body).status, 400U) << body;
    }
}

TEST_F(ApiTest, incidents_are_listed_open_first_of_all) {
    start();
    raise("i-1");
    raise("i-2", false);
    (void)get_until("/api/v1/alerts/i-2", 200);
    EXPECT_EQ(parsed(client->get("/api/v1/alerts", viewer)).at("alerts").as_array().size(), 1U);
    EXPECT_EQ(parsed(client->get("/api/v1/alerts?state=all", viewer)).at("alerts").as_array().size(), 2U);
}

TEST_F(ApiTest, health_and_metrics_need_no_token) {
    start();
    EXPECT_EQ(client->get("/healthz").status, 200U);
    EXPECT_EQ(parsed(get_until("/readyz", 200)).at("ready").as_bool(), true);
    const auto reply = client->get("/metrics");
    EXPECT_THAT(reply.body, HasSubstr(R"(muster_api_requests_total{route="/healthz",status="200"} 1)"));
}

TEST_F(ApiTest, is_not_ready_before_the_pipeline_has_spoken) {
    start([](ApiOptions& options) { options.pipeline = [] { return PipelineHealth{}; }; });
    const auto reply = client->get("/readyz");
    EXPECT_EQ(reply.status, 503U);
    EXPECT_THAT(reply.body, HasSubstr("the processor has not seen a record yet"));
}

TEST_F(ApiTest, a_live_session_sees_a_change) {
    start();
    fill();
    LoopbackSocket socket;
    ASSERT_EQ(socket.open(api->port(), "/api/v1/live?access_token=" + viewer), 101U);
    EXPECT_THAT(socket.receive(), HasSubstr(R"("type":"hello")"));
    // The answer to the ping proves that the subscription before it is in place.
    socket.send(R"({"subscribe":["changes"]})");
    socket.send(R"({"ping":1})");
    EXPECT_THAT(socket.receive(), HasSubstr("pong"));
    apply(device("d-1", PresenceState::offline));
    const auto message = parsed(socket.receive());
    EXPECT_EQ(message.at("type").as_string(), "changes");
    EXPECT_EQ(message.at("data").as_array()[0].at("state").as_string(), "offline");
}

TEST_F(ApiTest, a_live_session_needs_a_token_and_its_own_page) {
    start();
    EXPECT_EQ(LoopbackSocket().open(api->port(), "/api/v1/live"), 401U);
    EXPECT_EQ(LoopbackSocket().open(api->port(), "/api/v1/live?access_token=" + viewer, "http://evil.example"), 403U);
    EXPECT_EQ(LoopbackSocket().open(api->port(), "/api/v1/fleet?access_token=" + viewer), 404U);
    EXPECT_EQ(client->get("/api/v1/live", viewer).status, 426U);
}

TEST_F(ApiTest, ends_its_live_sessions_when_it_stops) {
    start();
    LoopbackSocket socket;
    ASSERT_EQ(socket.open(api->port(), "/api/v1/live?access_token=" + viewer), 101U);
    (void)socket.receive();
    api.reset();
    EXPECT_EQ(socket.receive(), "");
}

TEST_F(ApiTest, stops_with_a_change_under_way) {
    shadow_role.silent = true;
    start();
    LoopbackClient other(api->port());
    std::thread asks(
        [&] { EXPECT_ANY_THROW((void)other.send({"DELETE", "/api/v1/devices/d-1/shadow", fleet_operator, "", {}})); });
    while (metrics.render().find("muster_api_pending_replies 1") == std::string::npos) {
        std::this_thread::yield();
    }
    api.reset();
    asks.join();
}

TEST_F(ApiTest, too_much_is_refused_and_the_refusal_arrives) {
    start();
    const auto large = send("PATCH", "/api/v1/devices/d-1/shadow", fleet_operator, std::string(300'000, ' '));
    EXPECT_EQ(large.status, 413U);
    EXPECT_EQ(client->send({"GET", "/healthz", "", "", {{"X-Filler", std::string(20'000, 'x')}}}).status, 431U);
    EXPECT_THAT(client->send_raw("nonsense\r\n\r\n"), HasSubstr("400 Bad Request"));
    EXPECT_EQ(client->get("/healthz").status, 200U);
}

TEST_F(ApiTest, connections_over_the_bound_are_told_to_come_back) {
    start([](ApiOptions& options) { options.connections_max = 1; });
    EXPECT_EQ(client->get("/healthz").status, 200U);
    EXPECT_THAT(LoopbackClient(api->port()).send_raw(""), HasSubstr("503 Service Unavailable"));
}

TEST_F(ApiTest, head_has_no_body_and_the_connection_goes_on) {
    start();
    const auto head = send("HEAD", "/healthz", "");
    EXPECT_EQ(head.status, 200U);
    EXPECT_EQ(head.headers.at("content-length"), "15");
    EXPECT_EQ(head.body, "");
    EXPECT_EQ(client->get("/healthz").status, 200U);
}

TEST_F(ApiTest, a_wrong_method_learns_the_right_ones) {
    start();
    const auto reply = send("POST", "/api/v1/fleet", viewer);
    EXPECT_EQ(reply.status, 405U);
    EXPECT_EQ(reply.headers.at("allow"), "GET");
    EXPECT_EQ(client->get("/api/v1/nothing", viewer).status, 404U);
}

}  // namespace
}  // namespace muster
