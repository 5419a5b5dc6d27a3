#include <set>

#include <gmock/gmock.h>

#include "gateway/wire_fixture_test.h"
#include "net/system_clock.h"

namespace muster {
namespace {

using mqtt::PropertyId;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

/// MQTT 5.0 on the wire: what a connection is told, and what properties do.
class GatewayMqtt5 : public WireFixture {};

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

TEST_F(GatewayMqtt5, a_reason_string_is_said_unless_the_client_wants_none) {
    start();
    auto client = join({.id = "dev-1"});
    subscribe(*client, "telemetry/+");
    EXPECT_EQ(client->heard.back(),
              "suback #1 not_authorized why=a filter would match topics that are not the client's own");
    auto terse =
        join({.id = "dev-2", .properties = PropertyBlock().number(PropertyId::request_problem_information, 0)});
    subscribe(*terse, "telemetry/+");
    EXPECT_EQ(terse->heard.back(), "suback #1 not_authorized");
    terse->publish({.topic = "news/a", .properties = PropertyBlock().number(PropertyId::topic_alias, 99)});
    ASSERT_TRUE(closes(*terse));
    EXPECT_EQ(terse->heard.back(), "disconnect topic_alias_invalid why=a topic alias is over the maximum");
}

TEST_F(GatewayMqtt5, a_refused_connect_says_why) {
    start();
    auto client = join({.id = "not a device"});
    EXPECT_THAT(client->heard, ElementsAre(HasSubstr("connack client_identifier_not_valid why=a device id has ")));
}

TEST_F(GatewayMqtt5, a_publish_to_a_foreign_topic_is_refused_in_its_answer) {
    start();
    auto client = join({.id = "dev-1"});
    client->publish({.topic = "telemetry/dev-2", .payload = "x", .qos = 1, .packet_id = 3});
    client->publish({.topic = "telemetry/dev-2", .payload = "x", .qos = 2, .packet_id = 4});
    EXPECT_THAT(heard_until_now(*client), ElementsAre("puback #3 not_authorized", "pubrec #4 not_authorized"));
    EXPECT_TRUE(events_of("dev-2").empty());
    client->publish({.topic = "telemetry/dev-2", .payload = "x"});
    ASSERT_TRUE(closes(*client));
    EXPECT_EQ(client->heard.back(), "disconnect not_authorized");
}

TEST_F(GatewayMqtt5, a_message_over_the_clients_maximum_packet_size_leaves_its_receive_maximum_whole) {
    start();
    auto client =
        join({.id = "dev-1",
              .properties =
                  PropertyBlock().number(PropertyId::maximum_packet_size, 60).number(PropertyId::receive_maximum, 1)});
    subscribe(*client, "news/#", 2);
    auto publisher = join({.id = "dev-2"});
    for (std::uint16_t id = 1; id <= 6; ++id) {
        publisher->publish({.topic = "news/a",
                            .payload = std::string(id % 3 == 0 ? 10 : 100, 'x'),
                            .qos = static_cast<std::uint8_t>(id % 2 + 1),
                            .packet_id = id});
    }
    ASSERT_TRUE(hears(*publisher, 7));
    EXPECT_THAT(heard_until_now(*client, 2), ElementsAre("publish news/a 'xxxxxxxxxx' q2 #1"));
    client->ack(mqtt::PacketType::pubrec, 1);
    client->ack(mqtt::PacketType::pubcomp, 1);
    EXPECT_THAT(heard_until_now(*client, 4), ElementsAre("pubrel #1", "publish news/a 'xxxxxxxxxx' q1 #2"));
    EXPECT_EQ(counter("muster_gateway_drops_total", "oversize") + counter("muster_gateway_drops_total", "expired"), 4);
}

TEST_F(GatewayMqtt5, a_clients_receive_maximum_bounds_what_is_sent_unacknowledged) {
    start();
    auto client = join({.id = "dev-1", .properties = PropertyBlock().number(PropertyId::receive_maximum, 2)});
    subscribe(*client, "news/#", 1);
    for (std::uint16_t id = 1; id <= 4; ++id) {
        client->publish({.topic = "news/a", .payload = std::to_string(id), .qos = 1, .packet_id = id});
    }
    ASSERT_TRUE(hears(*client, 8));  // 4 PUBACKs, 2 PUBLISHes
    (void)heard_until_now(*client);
    EXPECT_EQ(std::count_if(client->heard.begin(), client->heard.end(),
                            [](const auto& packet) { return packet.starts_with("publish"); }),
              2);
    client->ack(mqtt::PacketType::puback, 1);
    EXPECT_TRUE(wait([&] { return client->heard.back() == "publish news/a '3' q1 #3"; }));
}

TEST_F(GatewayMqtt5, a_client_that_exceeds_our_receive_maximum_is_told_so) {
    GatewayOptions options;
    options.limits.session.receive_maximum = 2;
    start(options);
    auto client = join({.id = "dev-1"});
    EXPECT_THAT(client->heard[0], HasSubstr(" receive_max=2 "));
    bus.hold_back();
    for (std::uint16_t id = 1; id <= 3; ++id) {
        client->publish({.topic = "news/a", .payload = "x", .qos = 1, .packet_id = id});
    }
    ASSERT_TRUE(closes(*client));
    EXPECT_THAT(client->heard.back(), HasSubstr("disconnect receive_maximum_exceeded"));
}

TEST_F(GatewayMqtt5, a_packet_over_our_maximum_packet_size_is_refused) {
    GatewayOptions options;
    options.limits.connection.packet_bytes_max = 200;
    start(options);
    auto client = join({.id = "dev-1"});
    EXPECT_THAT(client->heard[0], HasSubstr(" packet_max=200 "));
    client->publish({.topic = "news/a", .payload = std::string(200, 'x')});
    ASSERT_TRUE(closes(*client));
    EXPECT_THAT(client->heard.back(), HasSubstr("disconnect packet_too_large"));
}

TEST_F(GatewayMqtt5, no_local_holds_for_retained_messages_too) {
    start();
    auto client = join({.id = "dev-1"});
    client->publish({.topic = "news/a", .payload = "own", .retain = true});
    client->vanish();
    client = join({.id = "dev-1"});
    subscribe(*client, "news/a", 0x04);
    EXPECT_THAT(heard_until_now(*client, 2), ElementsAre());
    subscribe(*client, "news/a", 0x00);
    EXPECT_THAT(heard_until_now(*client, 4), ElementsAre("publish news/a 'own' retain"));
}

TEST_F(GatewayMqtt5, versions_talk_to_each_other) {
    start();
    auto old = join({.id = "old"}, v3);
    auto young = join({.id = "young"});
    subscribe(*old, "news/#", 1);
    subscribe(*young, "news/#", 1);
    old->publish({.topic = "news/a", .payload = "1", .qos = 1, .packet_id = 1});
    ASSERT_TRUE(hears(*young, 3));
    EXPECT_EQ(young->heard[2], "publish news/a '1' q1 #1");
    ASSERT_TRUE(hears(*old, 4));
    young->publish({.topic = "news/a", .payload = "2", .properties = PropertyBlock().user("k", "v")});
    ASSERT_TRUE(hears(*old, 5));
    EXPECT_EQ(old->heard[4], "publish news/a '2'");
    EXPECT_FALSE(old->is_garbled);
}

TEST_F(GatewayMqtt5, a_leading_wildcard_matches_no_dollar_topic) {
    start();
    auto tool = join({.user = "operator", .password = "secret"});
    subscribe(*tool, "#", 1);
    subscribe(*tool, "+/events/#", 1);
    EventHeader header;
    header.kind = EventKind::publish;
    header.gateway = "gw-2";
    std::string packed;
    encode(header, packed);
    for (const char* topic : {"$SYS/events/x", "$aws/events/presence/connected/dev-1", "plain/events/x"}) {
        bus.write(bus_topics::messages, topic, "x", packed);
    }
    ASSERT_TRUE(hears(*tool, 4));
    EXPECT_THAT(heard_until_now(*tool, 3), ElementsAre("publish plain/events/x 'x'"));
}

TEST_F(GatewayMqtt5, six_hundred_mixed_messages_of_a_fast_client_all_arrive) {
    start({.threads = 2});
    for (const auto version : {v3, v5}) {
        const std::string id = version == v5 ? "young" : "old";
        auto listener = join({.id = id + "-listener"}, version);
        subscribe(*listener, "news/" + id, 2);
        auto publisher = join({.id = id}, version);
        // As fast as Receive Maximum lets a 5.0 client; a 3.1.1 client knows no such bound.
        const std::uint16_t batch = version == v5 ? 60 : 600;
        std::size_t answered = 1;
        for (std::uint16_t number = 1; number <= 600; ++number) {
            const auto qos = static_cast<std::uint8_t>(number % 3);
            publisher->publish({.topic = "news/" + id,
                                .payload = std::to_string(number),
                                .qos = qos,
                                .packet_id = qos == 0 ? std::uint16_t{0} : number});
            answered += qos == 0 ? 0 : 1;
            if (number % batch == 0) {
                ASSERT_TRUE(hears(*publisher, answered));
                for (std::uint16_t sent = static_cast<std::uint16_t>(number - batch + 1); sent <= number; ++sent) {
                    if (sent % 3 == 2) {
                        publisher->ack(mqtt::PacketType::pubrel, sent);
                        ++answered;
                    }
                }
                ASSERT_TRUE(hears(*publisher, answered));
            }
        }
        std::size_t seen = 2;
        std::set<std::string> payloads;
        ASSERT_TRUE(wait([&] {
            for (; seen < listener->heard.size(); ++seen) {
                const std::string& packet = listener->heard[seen];
                if (!packet.starts_with("publish ")) {
                    continue;
                }
                payloads.insert(packet.substr(packet.find('\''), packet.rfind('\'') - packet.find('\'')));
                const std::size_t hash = packet.find(" #");
                if (hash != std::string::npos) {
                    const auto packet_id = static_cast<std::uint16_t>(std::stoi(packet.substr(hash + 2)));
                    const bool is_qos_2 = packet.find(" q2 ") != std::string::npos;
                    listener->ack(is_qos_2 ? mqtt::PacketType::pubrec : mqtt::PacketType::puback, packet_id);
                    if (is_qos_2) {
                        listener->ack(mqtt::PacketType::pubcomp, packet_id);
                    }
                }
            }
            return payloads.size() == 600;
        })) << payloads.size();
    }
}

}  // namespace
}  // namespace muster
