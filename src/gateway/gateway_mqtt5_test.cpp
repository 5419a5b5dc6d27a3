#include <gmock/gmock.h>

#include "gateway/gateway_fixture_test.h"
#include "gateway/wire_client_test.h"
#include "net/system_clock.h"

namespace muster {
namespace {

using mqtt::PropertyId;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

/// MQTT 5.0 on the wire: what a connection is told, and what properties do.
class GatewayMqtt5 : public GatewayFixture {
 protected:
    std::unique_ptr<WireClient> dial(mqtt::ProtocolVersion version = mqtt::ProtocolVersion::v5) {
        return std::make_unique<WireClient>(*reactor, gateway->address(), version);
    }
    std::unique_ptr<WireClient> join(const WireClient::Hello& hello) {
        auto client = dial();
        client->connect(hello);
        EXPECT_TRUE(hears(*client, 1));
        return client;
    }
    bool hears(const WireClient& client, std::size_t packets) {
        return wait([&] { return client.heard.size() >= packets; });
    }
    /// Waits for its SUBACK.
    void subscribe(WireClient& client, std::string_view filter, std::uint8_t options = 0,
                   const PropertyBlock& properties = {}) {
        const std::size_t before = client.heard.size();
        client.subscribe(filter, options, properties);
        EXPECT_TRUE(hears(client, before + 1));
    }
    /// What it hears before the answer to a ping that is sent now.
    std::vector<std::string> heard_until_now(WireClient& client, std::size_t from) {
        client.send("C0 00");
        EXPECT_TRUE(wait([&] { return client.ended || (!client.heard.empty() && client.heard.back() == "pingresp"); }));
        std::vector<std::string> heard(client.heard.begin() + static_cast<std::ptrdiff_t>(from), client.heard.end());
        std::erase(heard, "pingresp");
        return heard;
    }
};

TEST_F(GatewayMqtt5, a_connack_says_every_limit_that_the_client_has_to_know) {
    start();
    auto client = join({.id = "dev-1"});
    EXPECT_THAT(client->heard, ElementsAre("connack success receive_max=64 packet_max=262144 alias_max=16 "
                                           "keep_alive=1200"));
}

TEST_F(GatewayMqtt5, the_connect_record_names_the_protocol) {
    start();
    auto client = join({.id = "dev-1"});
    ASSERT_EQ(events_of("dev-1").size(), 1U);
    EXPECT_THAT(events_of("dev-1")[0].value, HasSubstr(R"("protocol":"5.0")"));
    EXPECT_EQ(events_of("dev-1")[0].event().keep_alive_s, 1200);
}

TEST_F(GatewayMqtt5, a_keep_alive_within_the_limit_stays_the_clients) {
    start();
    auto client = join({.id = "dev-1", .keep_alive_s = 30});
    EXPECT_THAT(client->heard, ElementsAre("connack success receive_max=64 packet_max=262144 alias_max=16"));
}

TEST_F(GatewayMqtt5, a_maximum_qos_is_announced_and_held) {
    GatewayOptions options;
    options.limits.connection.qos_max = 1;
    start(options);
    auto client = join({.id = "dev-1"});
    EXPECT_THAT(client->heard[0], HasSubstr(" qos_max=1 "));
    client->publish({.topic = "news/a", .qos = 2, .packet_id = 1});
    ASSERT_TRUE(hears(*client, 2));
    EXPECT_THAT(client->heard[1], HasSubstr("disconnect qos_not_supported"));
}

TEST_F(GatewayMqtt5, a_client_without_a_name_is_given_one_under_which_it_may_come_back) {
    start();
    auto client =
        join({.clean = false, .keep_alive_s = 9, .properties = PropertyBlock().number(PropertyId::session_expiry, 60)});
    ASSERT_THAT(client->heard[0], MatchesRegex("connack success .*client_id=/guest/[0-9a-f]{32} .*"));
    subscribe(*client, "news/#", 1);
    const std::string id = client->heard[0].substr(client->heard[0].find("/guest/"), 39);
    client->vanish();
    ASSERT_TRUE(wait([&] { return gateway->connections() == 0; }));
    auto again = join({.id = id, .clean = false, .keep_alive_s = 9});
    EXPECT_THAT(again->heard[0], HasSubstr("connack success present"));
}

TEST_F(GatewayMqtt5, an_authentication_method_is_not_supported) {
    start();
    auto client = join({.id = "dev-1", .properties = PropertyBlock().text(PropertyId::authentication_method, "SCRAM")});
    EXPECT_THAT(client->heard, ElementsAre(HasSubstr("connack bad_authentication_method")));
    EXPECT_TRUE(wait([&] { return client->ended; }));
}

TEST_F(GatewayMqtt5, an_auth_packet_is_a_protocol_error) {
    start();
    auto client = join({.id = "dev-1"});
    client->send("F0 00");
    ASSERT_TRUE(hears(*client, 2));
    EXPECT_THAT(client->heard[1], HasSubstr("disconnect protocol_error"));
    EXPECT_TRUE(wait([&] { return client->ended; }));
}

TEST_F(GatewayMqtt5, a_client_too_narrow_for_our_connack_is_refused) {
    start();
    auto client = join({.id = "dev-1", .properties = PropertyBlock().number(PropertyId::maximum_packet_size, 15)});
    EXPECT_THAT(client->heard, ElementsAre("connack packet_too_large"));
    EXPECT_TRUE(events_of("dev-1").empty());
}

TEST_F(GatewayMqtt5, what_a_publish_carries_reaches_its_subscriber_in_order) {
    start();
    auto listener = join({.id = "listener"});
    subscribe(*listener, "news/#", 1, PropertyBlock().number(PropertyId::subscription_identifier, 7));
    auto publisher = join({.id = "dev-1"});
    publisher->publish({.topic = "news/a",
                        .payload = "hello",
                        .qos = 1,
                        .packet_id = 5,
                        .properties = PropertyBlock()
                                          .user("b", "1")
                                          .number(PropertyId::payload_format, 1)
                                          .text(PropertyId::content_type, "text/plain")
                                          .text(PropertyId::response_topic, "answers/dev-1")
                                          .text(PropertyId::correlation_data, "c-9")
                                          .user("a", "2")
                                          .user("b", "3")});
    ASSERT_TRUE(hears(*listener, 3));
    EXPECT_EQ(listener->heard[2],
              "publish news/a 'hello' q1 #1 b:1 format=1 type=text/plain response=answers/dev-1 correlation=c-9 a:2 "
              "b:3 id=7");
    ASSERT_TRUE(hears(*publisher, 2));
    EXPECT_EQ(publisher->heard[1], "puback #5");
}

TEST_F(GatewayMqtt5, what_a_publish_carries_goes_onto_the_bus_with_it) {
    start();
    auto client = join({.id = "dev-1"});
    client->publish({.topic = "telemetry/dev-1",
                     .payload = "x",
                     .properties = PropertyBlock()
                                       .number(PropertyId::topic_alias, 1)
                                       .text(PropertyId::content_type, "application/cbor")
                                       .number(PropertyId::message_expiry, 60)});
    ASSERT_TRUE(wait([&] { return events_of("dev-1").size() == 2; }));
    EXPECT_EQ(wire::describe(mqtt::Properties(events_of("dev-1")[1].properties)), " type=application/cbor expiry=60");
}

TEST_F(GatewayMqtt5, messages_of_other_gateways_keep_their_properties_and_their_age) {
    start();
    auto listener = join({.id = "listener"});
    subscribe(*listener, "news/#");
    EventHeader header;
    header.kind = EventKind::publish;
    header.gateway = "gw-2";
    header.received = std::chrono::time_point_cast<Timestamp::duration>(net::SystemClock().now()) - Seconds(20);
    std::string packed;
    encode(header, packed);
    bus.write(bus_topics::messages, "news/old", "x", packed, false,
              PropertyBlock().number(PropertyId::message_expiry, 19).bytes());
    bus.write(bus_topics::messages, "news/bad", "x", packed, false, "rubbish");
    bus.write(bus_topics::messages, "news/a", "x", packed, false,
              PropertyBlock().number(PropertyId::message_expiry, 3600).user("k", "v").bytes());
    ASSERT_TRUE(hears(*listener, 3));
    EXPECT_THAT(listener->heard[2], MatchesRegex("publish news/a 'x' k:v expiry=35(79|80)"));
}

TEST_F(GatewayMqtt5, overlapping_subscriptions_give_one_copy_with_all_identifiers) {
    start({.threads = 2});
    auto listener = join({.id = "listener"});
    subscribe(*listener, "news/#", 0, PropertyBlock().number(PropertyId::subscription_identifier, 3));
    subscribe(*listener, "news/+", 2, PropertyBlock().number(PropertyId::subscription_identifier, 4));
    subscribe(*listener, "news/a", 1);
    auto publisher = join({.id = "dev-1"});
    publisher->publish({.topic = "news/a", .payload = "x", .qos = 2, .packet_id = 1});
    ASSERT_TRUE(hears(*listener, 5));
    EXPECT_THAT(listener->heard[4], MatchesRegex("publish news/a 'x' q2 #1 id=[34] id=[34]"));
}

TEST_F(GatewayMqtt5, no_local_keeps_a_clients_own_messages_from_it) {
    start({.threads = 3});
    auto client = join({.id = "dev-1"});
    subscribe(*client, "news/#", 0x04);
    auto other = join({.id = "dev-2"});
    subscribe(*other, "news/#", 0x04);
    client->publish({.topic = "news/a", .payload = "1"});
    ASSERT_TRUE(hears(*other, 3));
    other->publish({.topic = "news/a", .payload = "2"});
    ASSERT_TRUE(hears(*client, 3));
    EXPECT_EQ(client->heard[2], "publish news/a '2'");
    EXPECT_THAT(heard_until_now(*other, 2), ElementsAre("publish news/a '1'"));
}

TEST_F(GatewayMqtt5, retain_as_published_keeps_the_flag) {
    start();
    auto client = join({.id = "dev-1"});
    subscribe(*client, "news/a", 0x08);
    subscribe(*client, "news/b", 0x00);
    client->publish({.topic = "news/a", .payload = "1", .retain = true});
    client->publish({.topic = "news/a", .payload = "2"});
    client->publish({.topic = "news/b", .payload = "3", .retain = true});
    EXPECT_THAT(heard_until_now(*client, 3),
                ElementsAre("publish news/a '1' retain", "publish news/a '2'", "publish news/b '3'"));
}

TEST_F(GatewayMqtt5, retain_handling_decides_when_retained_messages_are_sent) {
    start();
    auto client = join({.id = "dev-1"});
    client->publish(
        {.topic = "news/a", .payload = "kept", .retain = true, .properties = PropertyBlock().user("k", "v")});
    const auto on_subscribe = [&](std::uint8_t handling) {
        const std::size_t before = client->heard.size() + 1;
        subscribe(*client, "news/a", static_cast<std::uint8_t>(handling << 4U),
                  PropertyBlock().number(PropertyId::subscription_identifier, 9));
        return heard_until_now(*client, before);
    };
    EXPECT_THAT(on_subscribe(2), ElementsAre());
    EXPECT_THAT(on_subscribe(1), ElementsAre());
    EXPECT_THAT(on_subscribe(0), ElementsAre("publish news/a 'kept' retain k:v id=9"));
    client->send("A2 0B 00 02 00 00 06 'news/a'");
    const std::size_t packets = client->heard.size() + 1;
    ASSERT_TRUE(hears(*client, packets));
    EXPECT_THAT(on_subscribe(1), ElementsAre("publish news/a 'kept' retain k:v id=9"));
    EXPECT_THAT(client->heard, Contains("unsuback #2 success"));
}

TEST_F(GatewayMqtt5, a_retained_message_is_sent_with_the_time_that_it_has_left) {
    start();
    auto client = join({.id = "dev-1"});
    client->publish({.topic = "news/a",
                     .payload = "kept",
                     .retain = true,
                     .properties = PropertyBlock().number(PropertyId::message_expiry, 600)});
    client->publish({.topic = "news/b",
                     .payload = "gone",
                     .retain = true,
                     .properties = PropertyBlock().number(PropertyId::message_expiry, 0)});
    subscribe(*client, "news/+");
    EXPECT_THAT(heard_until_now(*client, 2),
                ElementsAre(MatchesRegex("publish news/a 'kept' retain expiry=(600|599)")));
}

TEST_F(GatewayMqtt5, topic_aliases_work_both_ways) {
    start();
    auto client = join({.id = "dev-1", .properties = PropertyBlock().number(PropertyId::topic_alias_maximum, 5)});
    subscribe(*client, "news/#");
    client->publish(
        {.topic = "news/a", .payload = "1", .properties = PropertyBlock().number(PropertyId::topic_alias, 16)});
    client->publish({.topic = "", .payload = "2", .properties = PropertyBlock().number(PropertyId::topic_alias, 16)});
    EXPECT_THAT(heard_until_now(*client, 2), ElementsAre("publish news/a '1' alias=1", "publish  '2' alias=1"));
    client->publish(
        {.topic = "news/a", .payload = "3", .properties = PropertyBlock().number(PropertyId::topic_alias, 17)});
    ASSERT_TRUE(wait([&] { return client->ended; }));
    EXPECT_THAT(client->heard.back(), HasSubstr("disconnect topic_alias_invalid"));
}

TEST_F(GatewayMqtt5, a_subscription_gets_a_reason_of_its_own) {
    start();
    auto client = join({.id = "dev-1"});
    client->send("82 28 00 01 00 00 06 'news/#' 02 00 06 'news#x' 01 00 10 'telemetry/dev-99' 01");
    ASSERT_TRUE(hears(*client, 2));
    EXPECT_THAT(client->heard[1], HasSubstr("suback #1 granted_qos_2 topic_filter_invalid not_authorized"));
    client->send("A2 15 00 02 00 00 06 'news/#' 00 08 'nowhere!'");
    ASSERT_TRUE(hears(*client, 3));
    EXPECT_EQ(client->heard[2], "unsuback #2 success no_subscription_existed");
}

}  // namespace
}  // namespace muster
