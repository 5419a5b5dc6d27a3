#include <fmt/format.h>

#include "api/api_fixture.h"
#include "contract/fleet_policy.h"

namespace muster {
namespace {

struct PolicyRequestsTest : ApiFixture {
    void begin() {
        start();
        (void)get_until("/readyz", 200);
    }
    [[nodiscard]] std::string window(const std::string& id, int from_s, int to_s) const {
        const std::int64_t now = to_epoch_ms(clock.now());
        return fmt::format(R"({{"id":"{}","query":{{"region":"in/ka","devices":["d-2","d-1"]}},"from":{},"to":{}}})",
                           id, now + std::int64_t{from_s} * 1000, now + std::int64_t{to_s} * 1000);
    }
    ClientReply plan(const std::string& body) { return send("POST", "/api/v1/maintenance", fleet_operator, body); }
    [[nodiscard]] boost::json::array windows() {
        return parsed(client->get("/api/v1/maintenance", viewer)).at("windows").as_array();
    }
};

TEST_F(PolicyRequestsTest, a_window_is_kept_and_said_on_the_bus_once_a_partition) {
    std::vector<std::string> said;
    bus.on_append = [&](const std::string& topic, const MemoryBus::Record& record) {
        if (topic == bus_topics::policy || topic == bus_topics::events) {
            EXPECT_EQ(decode_event_header(record.header(event_header_name))->kind, EventKind::policy);
            said.push_back(topic + " " + record.key + " " + record.value);
        }
    };
    begin();
    const auto reply = plan(window("w-1", 60, 120));
    ASSERT_EQ(reply.status, 201) << reply.body;
    ASSERT_EQ(said.size(), 2U);
    EXPECT_TRUE(said[0].starts_with("muster.policy fleet {")) << said[0];
    EXPECT_TRUE(said[1].starts_with("muster.events  {")) << "without a key: it is of the partition";
    const auto policy = parse_fleet_policy(said[1].substr(said[1].find('{')));
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->version, 1U);
    ASSERT_EQ(policy->maintenance.size(), 1U);
    EXPECT_EQ(policy->maintenance[0].query.devices, (std::vector<std::string>{"d-1", "d-2"}));
    EXPECT_EQ(policy->maintenance[0].created_by, "operator");
    EXPECT_EQ(windows().at(0).at("phase").as_string(), "planned");
    clock.advance(Seconds(60));
    EXPECT_EQ(windows().at(0).at("phase").as_string(), "open");
    clock.advance(Seconds(60));
    EXPECT_EQ(windows().at(0).at("phase").as_string(), "ended");
}

TEST_F(PolicyRequestsTest, a_window_can_be_taken_back_once) {
    begin();
    ASSERT_EQ(plan(window("w-1", 60, 120)).status, 201);
    EXPECT_EQ(plan(window("w-1", 60, 120)).status, 409);
    EXPECT_EQ(send("DELETE", "/api/v1/maintenance/w-1", fleet_operator).status, 200);
    EXPECT_EQ(send("DELETE", "/api/v1/maintenance/w-1", fleet_operator).status, 404);
    EXPECT_TRUE(windows().empty());
}

TEST_F(PolicyRequestsTest, what_ended_long_ago_is_forgotten_by_the_next_change) {
    begin();
    ASSERT_EQ(plan(window("old", 0, 60)).status, 201);
    clock.advance(std::chrono::hours(24 * 8));
    ASSERT_EQ(windows().size(), 1U);
    ASSERT_EQ(plan(window("new", 0, 60)).status, 201);
    ASSERT_EQ(windows().size(), 1U);
    EXPECT_EQ(windows().at(0).at("id").as_string(), "new");
}

TEST_F(PolicyRequestsTest, a_window_that_cannot_be_is_refused_in_words) {
    begin();
    for (const std::string& body :
         {window("w", -120, -60), window("w", 60, 60), window("a b", 60, 120), window("w", 0, 400 * 86'400),
          std::string(R"({"query":{},"from":1,"to":99999999999999})"), std::string(R"({"other":1})"),
          std::string("[")}) {
        const auto reply = plan(body);
        EXPECT_EQ(reply.status, 400) << body << reply.body;
    }
    EXPECT_TRUE(windows().empty());
}

TEST_F(PolicyRequestsTest, a_change_that_the_bus_does_not_take_is_taken_back) {
    begin();
    ASSERT_EQ(plan(window("kept", 60, 120)).status, 201);
    bus.refuses = true;
    EXPECT_EQ(plan(window("lost", 60, 120)).status, 503);
    ASSERT_EQ(windows().size(), 1U);
    EXPECT_EQ(windows().at(0).at("id").as_string(), "kept");
    bus.refuses = false;
    EXPECT_EQ(plan(window("lost", 60, 120)).status, 201);
}

TEST_F(PolicyRequestsTest, the_policy_outlives_the_api_and_is_said_again) {
    begin();
    ASSERT_EQ(plan(window("w-1", 60, 120)).status, 201);
    ASSERT_EQ(send("PUT", "/api/v1/models/m1", fleet_operator, R"({"heartbeat_timeout_s":30})").status, 200);
    api.reset();
    std::atomic<int> said{0};
    bus.on_append = [&](const std::string& topic, const MemoryBus::Record& record) {
        if (topic == bus_topics::events && parse_fleet_policy(record.value)->version == 2) {
            ++said;
        }
    };
    begin();
    EXPECT_EQ(windows().size(), 1U);
    while (said == 0) {
        std::this_thread::yield();  // bounded by the test's time-out
    }
    EXPECT_EQ(parsed(client->get("/api/v1/models", viewer)).at("models").at(0).at("model").as_string(), "m1");
}

TEST_F(PolicyRequestsTest, a_models_timeout_is_set_and_given_back) {
    begin();
    EXPECT_EQ(send("PUT", "/api/v1/models/m1", fleet_operator, R"({"heartbeat_timeout_s":4})").status, 400);
    EXPECT_EQ(send("PUT", "/api/v1/models/m1", fleet_operator, R"({"timeout":40})").status, 400);
    EXPECT_EQ(send("PUT", "/api/v1/models/m1", viewer, R"({"heartbeat_timeout_s":40})").status, 403);
    EXPECT_EQ(send("PUT", "/api/v1/models/a%2Fb", fleet_operator, R"({"heartbeat_timeout_s":40})").status, 200);
    EXPECT_EQ(parsed(client->get("/api/v1/models", viewer)).at("models").at(0).at("model").as_string(), "a/b");
    EXPECT_EQ(send("DELETE", "/api/v1/models/a%2Fb", fleet_operator).status, 200);
    EXPECT_EQ(send("DELETE", "/api/v1/models/a%2Fb", fleet_operator).status, 404);
}

}  // namespace
}  // namespace muster
