#include <gmock/gmock.h>

#include "contract/downlink.h"
#include "contract/drain_order.h"
#include "gateway/gateway_fixture_test.h"
#include "gateway/wire_client_test.h"

namespace muster {
namespace {

using ::testing::ElementsAre;

class GatewayDrain : public GatewayFixture {
 protected:
    void order(const std::string& json) {
        std::string header;
        encode(DownlinkHeader{.kind = DownlinkKind::drain, .topic = {}}, header);
        bus.write(bus_topics::downlink("gw-1"), "gw-1", json, header);
    }
    std::unique_ptr<WireClient> dial(const std::string& id) {
        auto client = std::make_unique<WireClient>(*reactor, gateway->address());
        client->connect({.id = id});
        EXPECT_TRUE(wait([&] { return !client->heard.empty(); }));
        client->heard.erase(client->heard.begin());
        return client;
    }
};

TEST_F(GatewayDrain, an_order_that_comes_while_the_gateway_starts_is_obeyed) {
    bus.on_consumer = [this] { order(R"({"rate_per_s":1000})"); };
    start();
    ASSERT_TRUE(wait([&] { return gateway->is_draining(); }));
    const auto refused = dial("dev-1");
    EXPECT_TRUE(wait([&] { return refused->ended; }));
}

TEST_F(GatewayDrain, clients_are_told_where_to_go_and_presence_why_they_went) {
    start();
    auto modern = dial("dev-5");
    auto old = connect({.id = "dev-3", .will_topic = "status/dev-3", .will_payload = "OFFLINE"});
    order(R"({"rate_per_s":1000,"server_reference":"mqtt2.example.com:8883"})");
    ASSERT_TRUE(wait([&] { return modern->ended && old->ended; }));
    EXPECT_THAT(modern->heard, ElementsAre("disconnect use_another_server server=mqtt2.example.com:8883"));
    EXPECT_THAT(story_of("dev-5"), ElementsAre("connect", "disconnect server_shutdown"));
    EXPECT_THAT(story_of("dev-3"), ElementsAre("connect", "disconnect server_shutdown"));  // no will
    EXPECT_EQ(counter("muster_gateway_drained_total"), 2);
    EXPECT_EQ(counter("muster_gateway_draining"), 1);
    EXPECT_TRUE(gateway->is_draining());
}

TEST_F(GatewayDrain, whoever_comes_is_sent_on_until_it_is_over) {
    start();
    order(R"({"moved":true,"server_reference":"mqtt2.example.com:8883"})");
    ASSERT_TRUE(wait([&] { return gateway->is_draining(); }));
    std::unique_ptr<WireClient> client;
    ASSERT_TRUE(wait([&] {  // the threads hear of it one after the other
        client = std::make_unique<WireClient>(*reactor, gateway->address());
        client->connect({.id = "dev-5"});
        EXPECT_TRUE(wait([&] { return !client->heard.empty(); }));
        return client->heard.front() == "connack server_moved server=mqtt2.example.com:8883";
    }));
    auto old = begin({.id = "dev-3"});
    ASSERT_TRUE(wait([&] { return old->ended; }));
    EXPECT_FALSE(old->connected);
    order(R"({"undo":true})");
    ASSERT_TRUE(wait([&] { return !gateway->is_draining(); }));
    ASSERT_TRUE(wait([&] {
        auto again = begin({.id = "dev-3"});
        EXPECT_TRUE(wait([&] { return again->connected || again->ended; }));
        return again->connected;
    }));
}

TEST_F(GatewayDrain, connections_are_closed_at_the_rate_that_was_asked_for) {
    GatewayOptions options;
    options.threads = 1;
    start(options);
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 40; ++i) {
        clients.push_back(device("dev-" + std::to_string(i)));
    }
    order(R"({"rate_per_s":20})");
    const auto gone = [&] {
        return std::count_if(clients.begin(), clients.end(), [](const auto& client) { return client->ended; });
    };
    ASSERT_TRUE(wait([&] { return gone() > 0; }));
    EXPECT_LE(gone(), 20);
    order(R"({"undo":true})");
    ASSERT_TRUE(wait([&] { return !gateway->is_draining(); }));
    EXPECT_LT(gone(), 40);
}

TEST_F(GatewayDrain, an_order_that_makes_no_sense_is_counted_and_changes_nothing) {
    start();
    for (const char* nonsense : {"", "[]", R"({"rate_per_s":0})", R"({"rate_per_s":"fast"})", R"({"other":1})",
                                 R"({"server_reference":"a b"})"}) {
        order(nonsense);
    }
    ASSERT_TRUE(wait([&] { return counter("muster_gateway_drops_total", "malformed") == 6; }));
    EXPECT_FALSE(gateway->is_draining());
    EXPECT_TRUE(device("dev-1")->connected);
}

class GatewayRates : public GatewayFixture {};

TEST_F(GatewayRates, a_client_over_its_rate_is_slowed_and_loses_nothing) {
    GatewayOptions options;
    options.limits.client_messages_per_s = 100;
    start(options);
    auto client = device("dev-1");
    for (int i = 0; i < 130; ++i) {
        client->publish("telemetry/dev-1", "{}", static_cast<std::uint8_t>(i % 2));
    }
    auto other = device("dev-2");  // the others are served meanwhile
    other->publish("telemetry/dev-2", "{}", 1);
    ASSERT_TRUE(wait([&] { return other->acknowledged.size() == 1; }));
    ASSERT_TRUE(wait([&] { return client->acknowledged.size() == 65; }));
    EXPECT_EQ(events_of("dev-1").size(), 131U);
    EXPECT_GT(counter("muster_gateway_rate_holds_total"), 0);
}

TEST_F(GatewayRates, too_many_connects_are_told_when_to_come_back) {
    GatewayOptions options;
    options.threads = 1;
    options.limits.connects_per_s_max = 1;
    start(options);
    auto first = device("dev-1");
    auto old = begin({.id = "dev-3"});
    ASSERT_TRUE(wait([&] { return old->ended; }));
    EXPECT_EQ(old->refusal, mqtt::ReasonCode::server_unavailable);
    WireClient modern(*reactor, gateway->address());
    modern.connect({.id = "dev-5"});
    ASSERT_TRUE(wait([&] { return !modern.heard.empty(); }));
    EXPECT_THAT(modern.heard.front(), ::testing::StartsWith("connack server_busy why=come back in "));
    EXPECT_GE(counter("muster_gateway_connects_deferred_total"), 2);
    EXPECT_FALSE(first->ended);
}

TEST_F(GatewayRates, an_address_with_too_many_strangers_is_refused_until_they_say_who_they_are) {
    GatewayOptions options;
    options.limits.address_strangers_max = 2;
    options.limits.limits_loopback = true;
    start(options);
    const auto one = net::TcpSocket::connect(gateway->address());
    const auto two = net::TcpSocket::connect(gateway->address());
    ASSERT_TRUE(wait([&] { return gateway->connections() == 2; }));
    auto third = begin({.id = "dev-1"});
    ASSERT_TRUE(wait([&] { return third->ended; }));
    EXPECT_EQ(counter("muster_gateway_address_refusals_total"), 1);
    one->write(mqtt::packet_bytes("10 0E 00 04 4D 51 54 54 04 02 00 00 00 02 64 32")).value();  // CONNECT of d2
    ASSERT_TRUE(wait([&] { return events_of("d2").size() == 1; }));
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(device("dev-1")->connected);  // one at a time, each says who it is
    }
    EXPECT_EQ(counter("muster_gateway_addresses"), 1);
}

}  // namespace
}  // namespace muster
