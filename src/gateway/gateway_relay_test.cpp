#include <gmock/gmock.h>

#include "contract/gateway_routes.h"
#include "gateway/gateway_fixture_test.h"

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Received = TestClient::Received;

/// One gateway of a cluster whose others are what the test writes to the bus.
class GatewayRelay : public GatewayFixture {
 protected:
    void start_in_cluster(GatewayOptions options = {}) {
        options.relay_messages = true;
        options.routes_look_interval = Millis(10);
        options.routes_farewell = Millis(0);
        start(std::move(options));
        ASSERT_TRUE(wait([&] { return !announced().empty(); }));
    }
    std::vector<FakeBus::Stored> announced() const { return bus.sent(bus_topics::routes); }
    GatewayRoutes last_announced() const { return *parse_gateway_routes(announced().back().value); }
    void hear(std::string_view other, std::string_view routes) { bus.write(bus_topics::routes, other, routes, ""); }
    void hear_that_telemetry_is_wanted() {
        hear("gw-2", R"({"wants_telemetry":true})");
        ASSERT_TRUE(wait([&] { return counter("muster_gateway_routes_wanted", "telemetry") == 1; }));
    }
    void hear_of_group(const std::string& name) {
        hear("gw-2", R"({"groups":[{"name":")" + name + R"(","members":1,"connected":1}]})");
        ASSERT_TRUE(wait([&] { return counter("muster_gateway_routes_groups ") == 1; }));
    }
    std::vector<FakeBus::Stored> relayed() const { return bus.sent(bus_topics::messages); }
    static std::string header_of(std::string_view other) {
        EventHeader header;
        header.kind = EventKind::publish;
        header.qos = 1;
        header.incarnation = 1;
        header.gateway = other;
        std::string packed;
        encode(header, packed);
        return packed;
    }
};

TEST_F(GatewayRelay, what_nobody_else_wants_is_one_record) {
    start_in_cluster();
    auto client = device("dev-1");
    client->publish("telemetry/dev-1", "1", 1);
    client->publish("status/dev-1", "ONLINE", 1);
    ASSERT_TRUE(wait([&] { return client->acknowledged.size() == 2; }));
    EXPECT_THAT(relayed(), IsEmpty());
}

TEST_F(GatewayRelay, telemetry_that_is_relayed_is_acknowledged_when_both_records_are_durable) {
    start_in_cluster();
    hear_that_telemetry_is_wanted();
    auto client = device("dev-1");
    bus.hold_back();
    client->publish("telemetry/dev-1", "1", 1);
    ASSERT_TRUE(wait([&] { return bus.waiting() == 2; }));
    bus.make_durable(1);
    client->publish("$aws/things/dev-1/shadow/get", "");
    ASSERT_TRUE(wait([&] { return bus.waiting() == 2; }));
    EXPECT_THAT(client->acknowledged, IsEmpty());
    bus.release();
    ASSERT_TRUE(wait([&] { return client->acknowledged.size() == 1; }));
    ASSERT_EQ(relayed().size(), 1U);
    EXPECT_EQ(relayed()[0].key, "telemetry/dev-1");
    EXPECT_EQ(relayed()[0].event().qos, 1);
    EXPECT_EQ(story_of("dev-1"), (std::vector<std::string>{"connect", "telemetry"}));
}

TEST_F(GatewayRelay, requests_of_devices_are_not_relayed) {
    start_in_cluster();
    hear("gw-2", R"({"wants_telemetry":true,"wants_status":true})");
    hear_of_group("g/$aws/things/#");
    auto client = device("dev-1");
    client->publish("$aws/things/dev-1/shadow/get", "", 1);
    ASSERT_TRUE(wait([&] { return client->acknowledged.size() == 1; }));
    EXPECT_THAT(relayed(), IsEmpty());
}

TEST_F(GatewayRelay, the_record_says_which_gateway_delivers_to_a_group) {
    start_in_cluster();
    hear_of_group("g/news/+");
    auto client = device("dev-1");
    auto member = device("dev-2");
    subscribe(*member, "$share/h/news/a");
    client->publish("news/a", "1", 1);
    ASSERT_TRUE(wait([&] { return client->acknowledged.size() == 1 && member->received.size() == 1; }));
    const auto records = relayed();
    ASSERT_EQ(records.size(), 1U);
    const auto assigned = ShareAssignmentsView::parse(records[0].shares);
    ASSERT_TRUE(assigned);
    EXPECT_EQ(assigned->gateway_of("g/news/+"), "gw-2");
    EXPECT_EQ(assigned->gateway_of("h/news/a"), "gw-1");
    EXPECT_EQ(counter("muster_gateway_shares_left_total"), 1);
}

TEST_F(GatewayRelay, a_message_for_a_group_is_delivered_only_where_it_was_assigned) {
    start_in_cluster();
    auto member = device("dev-1");
    subscribe(*member, "$share/g/news/#");
    subscribe(*member, "other/#");
    ShareAssignments there;
    ASSERT_TRUE(there.add("g/news/#", "gw-3"));
    ShareAssignments here;
    ASSERT_TRUE(here.add("g/news/#", "gw-1"));
    bus.write(bus_topics::messages, "news/a", "for gw-3", header_of("gw-2"), false, {}, std::string(there.bytes()));
    bus.write(bus_topics::messages, "news/a", "for gw-1", header_of("gw-2"), false, {}, std::string(here.bytes()));
    bus.write(bus_topics::messages, "news/a", "rubbish", header_of("gw-2"), false, {}, "rubbish");
    bus.write(bus_topics::messages, "other/a", "end", header_of("gw-2"));
    ASSERT_TRUE(wait([&] { return member->received.size() >= 2; }));
    EXPECT_THAT(member->received,
                ElementsAre(Received{"news/a", "for gw-1", 0, false}, Received{"other/a", "end", 0, false}));
    EXPECT_EQ(counter("muster_gateway_drops_total", "malformed"), 1);
    EXPECT_EQ(counter("muster_gateway_shares_taken_total"), 1);
}

TEST_F(GatewayRelay, a_message_for_a_group_without_members_any_more_is_a_counted_drop) {
    start_in_cluster();
    auto watcher = device("dev-1");
    subscribe(*watcher, "news/#");
    ShareAssignments here;
    ASSERT_TRUE(here.add("g/news/#", "gw-1"));
    bus.write(bus_topics::messages, "news/a", "1", header_of("gw-2"), false, {}, std::string(here.bytes()));
    ASSERT_TRUE(wait([&] { return watcher->received.size() == 1; }));
    EXPECT_EQ(counter("muster_gateway_drops_total", "offline"), 1);
}

TEST_F(GatewayRelay, announces_itself_after_changes_and_takes_it_back_when_it_stops) {
    start_in_cluster();
    EXPECT_EQ(announced()[0].key, "gw-1");
    EXPECT_EQ(last_announced().incarnation, 1U);
    EXPECT_FALSE(last_announced().wants_telemetry);
    auto watcher = fleet_operator();
    subscribe(*watcher, "telemetry/#");
    subscribe(*watcher, "$share/g/news/#");
    EXPECT_TRUE(wait([&] { return last_announced().wants_telemetry && last_announced().groups.size() == 1; }));
    EXPECT_THAT(last_announced().groups, ElementsAre(GatewayRoutes::Group{"g/news/#", 1, 1}));
    watcher->disconnect();
    EXPECT_TRUE(wait([&] { return !last_announced().wants_telemetry && last_announced().groups.empty(); }));
    gateway->stop();
    EXPECT_TRUE(announced().back().tombstone);
}

TEST_F(GatewayRelay, announces_itself_again_although_nothing_changes) {
    GatewayOptions options;
    options.routes_refresh_interval = Millis(20);
    start_in_cluster(options);
    EXPECT_TRUE(wait([&] { return announced().size() >= 4; }));
    EXPECT_EQ(announced()[1].value, announced()[0].value);
}

TEST_F(GatewayRelay, does_not_announce_more_groups_than_it_may) {
    GatewayOptions options;
    options.limits.routes_groups_announced_max = 2;
    start_in_cluster(options);
    auto client = device("dev-1");
    for (const char* filter : {"$share/c/x", "$share/a/x", "$share/b/x"}) {
        subscribe(*client, filter);
    }
    EXPECT_TRUE(wait([&] { return counter("muster_gateway_routes_groups_omitted") == 1; }));
    EXPECT_THAT(last_announced().groups,
                ElementsAre(GatewayRoutes::Group{"a/x", 1, 1}, GatewayRoutes::Group{"b/x", 1, 1}));
}

TEST_F(GatewayRelay, malformed_routes_are_counted_and_passed_over) {
    start_in_cluster();
    for (const char* routes : {"", "rubbish", "[]", R"({"wants_telemetry":"yes"})", R"({"groups":[{"name":"x"}]})",
                               R"({"groups":[{"name":"g/a/#/b","members":1}]})"}) {
        hear("gw-2", routes);
    }
    hear("", "{}");
    hear("gw-3", R"({"wants_telemetry":true})");
    ASSERT_TRUE(wait([&] { return counter("muster_gateway_routes_gateways ") == 1; }));
    EXPECT_EQ(counter("muster_gateway_drops_total", "malformed"), 7);
}

TEST_F(GatewayRelay, without_a_cluster_nothing_is_announced) {
    start();
    auto client = device("dev-1");
    subscribe(*client, "$share/g/news/#");
    client->publish("news/a", "1", 1);
    ASSERT_TRUE(wait([&] { return client->received.size() == 1 && client->acknowledged.size() == 1; }));
    EXPECT_THAT(announced(), IsEmpty());
}

}  // namespace
}  // namespace muster
