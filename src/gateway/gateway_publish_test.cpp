#include <gmock/gmock.h>

#include "gateway/gateway_fixture_test.h"

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class GatewayPublish : public GatewayFixture {};

TEST_F(GatewayPublish, telemetry_goes_to_the_events_under_the_device_id) {
    start();
    auto client = device("dev-1");
    client->publish("telemetry/dev-1", R"({"t":1})");
    ASSERT_TRUE(wait([&] { return events_of("dev-1").size() == 2; }));
    const auto record = events_of("dev-1")[1];
    EXPECT_EQ(record.value, R"({"t":1})");
    EXPECT_EQ(record.event().kind, EventKind::telemetry);
    EXPECT_EQ(record.event().epoch, 1U);
    EXPECT_EQ(record.event().sequence, 2U);
    EXPECT_EQ(record.event().received, record.time);
    EXPECT_EQ(record.partition, partition_of("dev-1", bus.partitions()));
}

TEST_F(GatewayPublish, qos_1_is_acknowledged_only_when_the_bus_has_it) {
    start();
    auto client = device("dev-1");
    bus.hold_back();
    const std::uint16_t id = client->publish("telemetry/dev-1", "{}", 1);
    ASSERT_TRUE(wait([&] { return events_of("dev-1").size() == 2; }));
    // An answer to what comes after it shows that no answer to it is on its way.
    client->subscribe("news/x");
    ASSERT_TRUE(wait([&] { return client->granted.size() == 1; }));
    EXPECT_THAT(client->acknowledged, IsEmpty());
    bus.make_durable();
    ASSERT_TRUE(wait([&] { return !client->acknowledged.empty(); }));
    EXPECT_THAT(client->acknowledged, ElementsAre(id));
}

TEST_F(GatewayPublish, acknowledgements_keep_the_order_of_the_publishes) {
    start();
    auto client = device("dev-1");
    bus.hold_back();
    const std::uint16_t first = client->publish("news/a", "1", 1);
    const std::uint16_t second = client->publish("news/b", "2", 1);
    ASSERT_TRUE(wait([&] { return bus.waiting() == 2; }));
    bus.make_durable(1, true);
    client->subscribe("news/x");
    ASSERT_TRUE(wait([&] { return client->granted.size() == 1; }));
    EXPECT_THAT(client->acknowledged, IsEmpty());
    bus.make_durable();
    ASSERT_TRUE(wait([&] { return client->acknowledged.size() == 2; }));
    EXPECT_THAT(client->acknowledged, ElementsAre(first, second));
}

TEST_F(GatewayPublish, what_the_bus_could_not_keep_is_not_acknowledged_and_ends_the_connection) {
    start();
    auto client = device("dev-1");
    bus.hold_back();
    client->publish("telemetry/dev-1", "{}", 1);
    ASSERT_TRUE(wait([&] { return bus.waiting() == 1; }));
    bus.fail_waiting();
    ASSERT_TRUE(wait([&] { return client->ended; }));
    EXPECT_THAT(client->acknowledged, IsEmpty());
    bus.release();
}

TEST_F(GatewayPublish, an_answer_for_a_connection_that_has_gone_does_not_reach_the_next_one) {
    start();
    bus.hold_back();
    auto first = device("dev-1");
    const std::uint16_t id = first->publish("news/a", "1", 1);
    ASSERT_TRUE(wait([&] { return bus.sent(bus_topics::messages).size() == 1; }));
    auto second = device("dev-1");
    EXPECT_EQ(second->publish("news/b", "2", 1), id);
    ASSERT_TRUE(wait([&] { return bus.sent(bus_topics::messages).size() == 2; }));
    // Everything but the second publish becomes durable.
    bus.make_durable(bus.waiting() - 1);
    second->subscribe("news/x");
    ASSERT_TRUE(wait([&] { return second->granted.size() == 1; }));
    EXPECT_THAT(second->acknowledged, IsEmpty());
    bus.release();
    EXPECT_TRUE(wait([&] { return second->acknowledged.size() == 1; }));
}

TEST_F(GatewayPublish, status_and_requests_go_where_their_readers_are) {
    start();
    auto client = device("dev-1");
    client->publish("status/dev-1", "ONLINE", 1);
    client->publish("$aws/things/dev-1/shadow/get", "", 1);
    client->publish("$aws/commands/things/dev-1/executions/7/response/json", "{}", 1);
    ASSERT_TRUE(wait([&] { return client->acknowledged.size() == 3; }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "status"));
    const auto requests = bus.sent(bus_topics::requests);
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_EQ(requests[0].key, "dev-1");
    EXPECT_EQ(requests[0].event().kind, EventKind::publish);
    EXPECT_EQ(requests[0].event().topic, "$aws/things/dev-1/shadow/get");
}

TEST_F(GatewayPublish, ordinary_publishes_go_to_other_gateways_only_if_asked_or_acknowledged) {
    start();
    auto client = device("dev-1");
    client->publish("news/a", "not relayed");
    client->publish("news/a", "relayed", 1);
    ASSERT_TRUE(wait([&] { return client->acknowledged.size() == 1; }));
    const auto messages = bus.sent(bus_topics::messages);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].value, "relayed");
    EXPECT_EQ(messages[0].key, "news/a");
}

TEST_F(GatewayPublish, a_publish_to_the_topic_of_another_device_ends_the_session) {
    start();
    auto client = device("dev-1");
    client->publish("telemetry/dev-2", "{}", 1);
    ASSERT_TRUE(wait([&] { return client->ended; }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect auth_error"));
    EXPECT_THAT(events_of("dev-2"), IsEmpty());
    EXPECT_EQ(counter("muster_gateway_drops_total", "forbidden"), 1);
}

TEST_F(GatewayPublish, nobody_may_publish_to_reserved_topics) {
    start();
    auto client = fleet_operator();
    client->publish("$aws/events/presence/connected/dev-1", "{}");
    EXPECT_TRUE(wait([&] { return client->ended; }));
}

TEST_F(GatewayPublish, a_will_on_a_foreign_topic_is_refused_at_connect) {
    start();
    auto client = begin({.id = "dev-1", .will_topic = "status/dev-2", .will_payload = "OFFLINE"});
    ASSERT_TRUE(wait([&] { return client->refusal != mqtt::ReasonCode::success; }));
    EXPECT_EQ(client->refusal, mqtt::ReasonCode::not_authorized);
}

TEST_F(GatewayPublish, qos_2_is_taken_once) {
    start();
    const net::TcpSocket socket = std::move(*net::TcpSocket::connect(gateway->address()));
    std::string answers;
    const auto exchange = [&](std::string_view bytes, std::string_view answer) {
        std::array<char, 64> buffer{};
        ASSERT_TRUE(wait([&] { return socket.write(bytes).has_value(); }));
        answers.clear();
        EXPECT_TRUE(wait([&] {
            if (const auto got = socket.read(buffer)) {
                answers.append(buffer.data(), *got);
            }
            return answers == answer;
        })) << ::testing::PrintToString(answers);
    };
    exchange(std::string("\x10\x11\0\4MQTT\4\2\0\0\0\5dev-1", 19), std::string("\x20\2\0\0", 4));
    const std::string publish("\x13\0\x0Ftelemetry/dev-1\0\x09", 20);
    exchange("\x34" + publish, std::string("\x50\2\0\x09", 4));
    exchange("\x3C" + publish, std::string("\x50\2\0\x09", 4));
    exchange(std::string("\x62\2\0\x09", 4), std::string("\x70\2\0\x09", 4));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "telemetry"));
}

TEST_F(GatewayPublish, a_subscription_to_own_requests_is_recorded) {
    start();
    auto client = device("dev-1");
    subscribe(*client, "$aws/things/dev-1/shadow/update/delta", 1);
    ASSERT_TRUE(wait([&] { return bus.sent(bus_topics::requests).size() == 1; }));
    const auto record = bus.sent(bus_topics::requests)[0];
    EXPECT_EQ(record.event().kind, EventKind::subscribed);
    EXPECT_EQ(record.event().topic, "$aws/things/dev-1/shadow/update/delta");
}

}  // namespace
}  // namespace muster
