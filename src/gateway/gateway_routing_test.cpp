#include <gmock/gmock.h>

#include "contract/downlink.h"
#include "gateway/gateway_fixture_test.h"

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Received = TestClient::Received;

std::string header_of(std::string_view gateway, bool retain = false) {
    EventHeader header;
    header.kind = EventKind::publish;
    header.retain = retain;
    header.qos = 1;
    header.incarnation = 1;
    header.gateway = gateway;
    std::string packed;
    encode(header, packed);
    return packed;
}

std::string downlink_of(DownlinkKind kind, std::string_view topic, SessionEpoch epoch = 0) {
    std::string packed;
    encode(DownlinkHeader{.kind = kind, .qos = 1, .epoch = epoch, .topic = topic}, packed);
    return packed;
}

class GatewayRouting : public GatewayFixture {};

TEST_F(GatewayRouting, subscribers_on_all_threads_get_a_publish_once) {
    start({.threads = 3});
    std::vector<std::unique_ptr<TestClient>> subscribers;
    for (int i = 0; i < 9; ++i) {
        subscribers.push_back(device("listener-" + std::to_string(i)));
        subscribe(*subscribers.back(), "news/#");
        subscribe(*subscribers.back(), "news/+", 1);
    }
    auto publisher = device("dev-1");
    publisher->publish("news/a", "hello", 1);
    for (const auto& subscriber : subscribers) {
        EXPECT_TRUE(wait([&] { return !subscriber->received.empty(); }));
    }
    EXPECT_TRUE(wait([&] { return publisher->acknowledged.size() == 1; }));
    for (const auto& subscriber : subscribers) {
        EXPECT_THAT(subscriber->received, ElementsAre(Received{"news/a", "hello", 1, false}));
    }
}

TEST_F(GatewayRouting, an_operator_watches_the_telemetry_of_all_devices) {
    start();
    auto watcher = fleet_operator();
    subscribe(*watcher, "telemetry/#");
    device("dev-1")->publish("telemetry/dev-1", "1");
    ASSERT_TRUE(wait([&] { return watcher->received.size() == 1; }));
    device("dev-2")->publish("telemetry/dev-2", "2");
    ASSERT_TRUE(wait([&] { return watcher->received.size() == 2; }));
    EXPECT_THAT(watcher->received,
                ElementsAre(Received{"telemetry/dev-1", "1", 0, false}, Received{"telemetry/dev-2", "2", 0, false}));
}

TEST_F(GatewayRouting, a_device_may_not_subscribe_to_what_others_say) {
    start();
    auto client = device("dev-1");
    for (const char* filter : {"telemetry/dev-2", "telemetry/+", "status/#", "#", "+/dev-2", "$aws/things/dev-2/#",
                               "$aws/events/presence/#", "$aws/things/+/shadow/get"}) {
        subscribe(*client, filter);
        EXPECT_EQ(client->granted.back(), 0x80) << filter;
    }
    subscribe(*client, "telemetry/dev-1");
    EXPECT_EQ(client->granted.back(), 0);
}

TEST_F(GatewayRouting, an_unsubscribed_filter_brings_nothing_more) {
    start();
    auto client = device("dev-1");
    subscribe(*client, "news/a");
    client->unsubscribe("news/a");
    ASSERT_TRUE(wait([&] { return client->unsubscribed == 1; }));
    client->publish("news/a", "1");
    subscribe(*client, "news/b");
    client->publish("news/b", "2");
    ASSERT_TRUE(wait([&] { return !client->received.empty(); }));
    EXPECT_THAT(client->received, ElementsAre(Received{"news/b", "2", 0, false}));
}

TEST_F(GatewayRouting, a_retained_message_awaits_its_subscriber_and_an_empty_one_clears_it) {
    start();
    auto publisher = device("dev-1");
    publisher->publish("status/dev-1", "ONLINE", 1, true);
    ASSERT_TRUE(wait([&] { return publisher->acknowledged.size() == 1; }));
    auto watcher = fleet_operator();
    subscribe(*watcher, "status/#", 1);
    ASSERT_TRUE(wait([&] { return !watcher->received.empty(); }));
    EXPECT_THAT(watcher->received, ElementsAre(Received{"status/dev-1", "ONLINE", 1, true}));
    publisher->publish("status/dev-1", "", 1, true);
    ASSERT_TRUE(wait([&] { return publisher->acknowledged.size() == 2; }));
    const auto records = bus.sent(bus_topics::retained);
    ASSERT_EQ(records.size(), 2U);
    EXPECT_TRUE(records[1].tombstone);
    auto late = fleet_operator();
    subscribe(*late, "status/#");
    subscribe(*late, "news/#");
    EXPECT_THAT(late->received, IsEmpty());
}

TEST_F(GatewayRouting, retained_messages_of_the_bus_are_there_at_the_start) {
    (void)bus.open_topic({.name = std::string(bus_topics::retained)});
    bus.write(bus_topics::retained, "news/a", "old", header_of("gw-2", true));
    start();
    auto client = device("dev-1");
    subscribe(*client, "news/#");
    ASSERT_TRUE(wait([&] { return !client->received.empty(); }));
    EXPECT_THAT(client->received, ElementsAre(Received{"news/a", "old", 0, true}));
}

TEST_F(GatewayRouting, thousands_of_retained_messages_reach_a_reader_although_its_buffer_is_small) {
    GatewayOptions options;
    options.limits.session.output_bytes_max = 4096;
    options.limits.output_bytes_ceiling = 65536;
    (void)bus.open_topic({.name = std::string(bus_topics::retained)});
    for (int i = 0; i < 5000; ++i) {
        bus.write(bus_topics::retained, "status/d" + std::to_string(i), std::string(100, 'x'), header_of("gw-2", true));
    }
    start(options);
    auto watcher = fleet_operator();
    subscribe(*watcher, "status/#", 1);
    EXPECT_TRUE(wait([&] { return watcher->received.size() == 5000; })) << watcher->received.size();
}

TEST_F(GatewayRouting, messages_of_other_gateways_reach_subscribers_and_own_ones_do_not_come_twice) {
    start();
    auto watcher = fleet_operator();
    subscribe(*watcher, "$aws/events/presence/#");
    subscribe(*watcher, "news/#");
    auto publisher = device("dev-1");
    publisher->publish("news/a", "own", 1);
    ASSERT_TRUE(wait([&] { return publisher->acknowledged.size() == 1; }));
    bus.write(bus_topics::messages, "$aws/events/presence/connected/dev-9", "{}", header_of("processor"));
    ASSERT_TRUE(wait([&] { return watcher->received.size() >= 2; }));
    EXPECT_THAT(watcher->received, ElementsAre(Received{"news/a", "own", 0, false},
                                               Received{"$aws/events/presence/connected/dev-9", "{}", 0, false}));
}

TEST_F(GatewayRouting, a_kept_session_gets_what_came_while_it_was_away) {
    start();
    auto client = connect({.id = "dev-1", .clean = false});
    EXPECT_FALSE(client->session_present);
    subscribe(*client, "news/#", 1);
    client->vanish();
    ASSERT_TRUE(wait([&] { return gateway->connections() == 0; }));
    auto publisher = device("dev-2");
    publisher->publish("news/a", "kept", 1);
    publisher->publish("news/a", "QoS 0 is not kept", 0);
    publisher->publish("news/b", "kept too", 1);
    ASSERT_TRUE(wait([&] { return publisher->acknowledged.size() == 2; }));
    client = connect({.id = "dev-1", .clean = false});
    EXPECT_TRUE(client->session_present);
    ASSERT_TRUE(wait([&] { return client->received.size() == 2; }));
    EXPECT_THAT(client->received,
                ElementsAre(Received{"news/a", "kept", 1, false}, Received{"news/b", "kept too", 1, false}));
}

TEST_F(GatewayRouting, a_clean_connect_forgets_the_kept_session) {
    start();
    auto client = connect({.id = "dev-1", .clean = false});
    subscribe(*client, "news/#", 1);
    client->disconnect();
    ASSERT_TRUE(wait([&] { return gateway->connections() == 0; }));
    client = connect({.id = "dev-1", .clean = true});
    EXPECT_FALSE(client->session_present);
    client->publish("news/a", "1");
    subscribe(*client, "other/x");
    EXPECT_THAT(client->received, IsEmpty());
}

TEST_F(GatewayRouting, a_resumed_session_tells_the_shadow_role_that_its_device_listens) {
    start();
    auto client = connect({.id = "dev-1", .clean = false});
    subscribe(*client, "$aws/things/dev-1/shadow/update/delta", 1);
    client->vanish();
    ASSERT_TRUE(wait([&] { return gateway->connections() == 0; }));
    client = connect({.id = "dev-1", .clean = false});
    ASSERT_TRUE(wait([&] { return bus.sent(bus_topics::requests).size() == 2; }));
    EXPECT_EQ(bus.sent(bus_topics::requests)[1].event().epoch, 2U);
}

TEST_F(GatewayRouting, downlink_reaches_the_device_if_it_subscribed) {
    start();
    auto client = device("dev-1");
    subscribe(*client, "$aws/things/dev-1/shadow/#", 1);
    const std::string topic = bus_topics::downlink("gw-1");
    bus.write(topic, "dev-1", "not heard", downlink_of(DownlinkKind::publish, "$aws/things/dev-1/jobs/notify"));
    bus.write(topic, "dev-1", "old session", downlink_of(DownlinkKind::publish, "$aws/things/dev-1/shadow/x", 77));
    bus.write(topic, "dev-1", "{}", downlink_of(DownlinkKind::publish, "$aws/things/dev-1/shadow/get/accepted", 1));
    ASSERT_TRUE(wait([&] { return !client->received.empty(); }));
    EXPECT_THAT(client->received, ElementsAre(Received{"$aws/things/dev-1/shadow/get/accepted", "{}", 1, false}));
    EXPECT_EQ(counter("muster_gateway_drops_total", "not_subscribed"), 1);
    EXPECT_EQ(counter("muster_gateway_drops_total", "offline"), 1);
}

TEST_F(GatewayRouting, downlink_that_comes_while_the_gateway_starts_reaches_the_device) {
    const std::string topic = bus_topics::downlink("gw-1");
    const std::string heard = "$aws/things/dev-1/shadow/update/delta";
    start();
    auto client = connect({.id = "dev-1", .clean = false});
    subscribe(*client, heard, 1);
    client->vanish();
    ASSERT_TRUE(wait([&] { return gateway->connections() == 0; }));
    gateway.reset();
    bus.on_consumer = [&] { bus.write(topic, "dev-1", "{}", downlink_of(DownlinkKind::publish, heard)); };
    start();
    client = connect({.id = "dev-1", .clean = false});
    ASSERT_TRUE(wait([&] { return !client->received.empty(); }));
    EXPECT_EQ(client->received.front().topic, heard);
}

TEST_F(GatewayRouting, downlink_closes_a_session_for_its_administrator) {
    start();
    auto client = device("dev-1");
    bus.write(bus_topics::downlink("gw-1"), "dev-1", "", downlink_of(DownlinkKind::close, ""));
    ASSERT_TRUE(wait([&] { return client->ended; }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect admin"));
}

TEST_F(GatewayRouting, records_without_a_valid_header_are_counted_and_passed_over) {
    start();
    auto watcher = fleet_operator();
    subscribe(*watcher, "news/#");
    bus.write(bus_topics::messages, "news/a", "1", "rubbish");
    bus.write(bus_topics::downlink("gw-1"), "dev-1", "1", "rubbish");
    bus.write(bus_topics::messages, "news/+", "wildcard", header_of("gw-2"));
    bus.write(bus_topics::messages, "news/a", "2", header_of("gw-2"));
    ASSERT_TRUE(wait([&] { return !watcher->received.empty(); }));
    EXPECT_THAT(watcher->received, ElementsAre(Received{"news/a", "2", 0, false}));
    EXPECT_EQ(counter("muster_gateway_drops_total", "malformed"), 3);
}

}  // namespace
}  // namespace muster
