#include <gmock/gmock.h>

#include "gateway/wire_fixture_test.h"

namespace muster {
namespace {

using mqtt::PacketType;
using mqtt::PropertyId;
using mqtt::ReasonCode;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// Statements of both specifications that a whole server keeps or breaks; docs/mqtt-conformance.md says which. Those
/// about one packet or one session by itself are tested in lib/mqtt.
class GatewayConformance : public WireFixture {
 protected:
    static std::string name(std::string_view prefix, mqtt::ProtocolVersion version) {
        return std::string(prefix).append(version == v5 ? "-5" : "-3");
    }
    WireClient::Hello kept(const std::string& id, mqtt::ProtocolVersion version) {
        return {.id = id, .clean = false, .properties = version == v5 ? session_expiry(60) : PropertyBlock()};
    }
};

constexpr mqtt::ProtocolVersion both_versions[] = {mqtt::ProtocolVersion::v3_1_1, mqtt::ProtocolVersion::v5};

TEST_F(GatewayConformance, a_malformed_packet_or_protocol_error_closes_the_connection_and_5_0_says_why) {
    start();
    struct Case {
        mqtt::ProtocolVersion version;
        const char* bytes;
        const char* said;
    };
    const Case cases[] = {
        {v3, "60 02 00 01", ""},                                              // PUBREL flags
        {v3, "80 06 00 01 00 01 'a' 00", ""},                                 // SUBSCRIBE flags
        {v3, "A0 05 00 01 00 01 'a'", ""},                                    // UNSUBSCRIBE flags
        {v3, "E1 00", ""},                                                    // DISCONNECT flags
        {v3, "36 06 00 01 'a' 00 01 'x'", ""},                                // QoS 3
        {v3, "32 05 00 01 'a' 00 00", ""},                                    // packet id 0
        {v3, "30 05 00 03 'a/#'", ""},                                        // wildcard in a topic name
        {v3, "30 04 00 02 C3 28", ""},                                        // not UTF-8
        {v3, "30 03 00 01 00", ""},                                           // U+0000
        {v3, "82 02 00 01", ""},                                              // no filter
        {v3, "A2 02 00 01", ""},                                              // no filter
        {v3, "82 06 00 01 00 01 'a' 03", ""},                                 // QoS 3 asked for
        {v3, "F0 00", ""},                                                    // AUTH is none of its packets
        {v3, "20 02 00 00", ""},                                              // a packet of a server
        {v5, "60 02 00 01", "disconnect malformed_packet"},                   // PUBREL flags
        {v5, "80 07 00 01 00 00 01 'a' 00", "disconnect malformed_packet"},   // SUBSCRIBE flags
        {v5, "A0 06 00 01 00 00 01 'a'", "disconnect malformed_packet"},      // UNSUBSCRIBE flags
        {v5, "E1 00", "disconnect malformed_packet"},                         // DISCONNECT flags
        {v5, "F1 00", "disconnect malformed_packet"},                         // AUTH flags
        {v5, "36 07 00 01 'a' 00 01 00 'x'", "disconnect malformed_packet"},  // QoS 3
        {v5, "32 06 00 01 'a' 00 00 00", "disconnect protocol_error"},        // packet id 0
        {v5, "30 06 00 03 'a/#' 00", "disconnect topic_name_invalid"},        // wildcard in a topic name
        {v5, "30 05 00 02 C3 28 00", "disconnect malformed_packet"},          // not UTF-8
        {v5, "30 03 00 00 00", "disconnect protocol_error"},                  // neither topic nor alias
        {v5, "82 03 00 01 00", "disconnect protocol_error"},                  // no filter
        {v5, "A2 03 00 01 00", "disconnect protocol_error"},                  // no filter
        {v5, "82 07 00 01 00 00 01 'a' C0", "disconnect malformed_packet"},   // reserved options
        {v5, "40 03 00 01 FF", "disconnect malformed_packet"},                // a reason that PUBACK has not
        {v5, "30 08 00 01 'a' 04 01 02 01 02", "disconnect protocol_error"},  // payload format 2
        {v5, "30 80 80 80 80 01", "disconnect malformed_packet"},             // a length of five bytes
        {v5, "30 06 00 01 'a' 02 0B 01", "disconnect protocol_error"},        // a client's subscription identifier
    };
    int number = 0;
    for (const Case& one : cases) {
        auto client = join({.id = "dev-" + std::to_string(++number)}, one.version);
        client->send(one.bytes);
        client->send("C0 00");  // not answered any more
        EXPECT_TRUE(closes(*client)) << one.bytes;
        EXPECT_THAT(client->heard, Not(Contains("pingresp"))) << one.bytes;
        if (one.version == v5) {
            EXPECT_THAT(client->heard.back(), StartsWith(one.said)) << one.bytes;
        } else {
            EXPECT_EQ(client->heard.size(), 1U) << one.bytes;
        }
    }
}

TEST_F(GatewayConformance, a_connect_that_is_not_valid_is_refused_and_nothing_behind_it_is_handled) {
    start();
    struct Case {
        mqtt::ProtocolVersion version;
        const char* bytes;
        const char* said;
    };
    const Case cases[] = {
        {v3, "C0 00", ""},                                         // not CONNECT
        {v3, "10 11 00 04 'MQTT' 04 03 00 00 00 05 'dev-1'", ""},  // reserved flag
        {v3, "10 11 00 04 'MQTT' 04 42 00 00 00 05 'dev-1'", ""},  // no user name
        {v3, "10 11 00 04 'MQTT' 04 0A 00 00 00 05 'dev-1'", ""},  // will QoS, no will
        {v3, "10 11 00 04 'MQTT' 04 22 00 00 00 05 'dev-1'", ""},  // will retain, no will
        {v3, "10 11 00 04 'MQTT' 04 82 00 00 00 05 'dev-1'", ""},  // user name is missing
        {v3, "10 11 00 04 'MQTT' 03 02 00 00 00 05 'dev-1'", "connack unsupported_protocol_version"},
        {v3, "10 0C 00 04 'MQTT' 04 00 00 00 00 00", "connack client_identifier_not_valid"},  // kept, no name
        {v3, "10 0F 00 04 'MQTT' 04 02 00 00 00 03 'a b'", "connack client_identifier_not_valid"},
        {v5, "10 12 00 04 'MQTT' 05 03 00 00 00 00 05 'dev-1'", "connack malformed_packet"},  // reserved flag
        {v5, "10 12 00 04 'MQTT' 06 02 00 00 00 00 05 'dev-1'", "connack unsupported_protocol_version"},
        {v5, "10 12 00 04 'MQTT' 05 1E 00 00 00 00 05 'dev-1'", "connack malformed_packet"},  // will QoS 3
        {v5, "10 10 00 04 'MQTT' 05 02 00 00 00 00 03 'a b'", "connack client_identifier_not_valid"},
    };
    for (const Case& one : cases) {
        auto client = dial(one.version);
        client->send(one.bytes);
        client->send("C0 00 30 07 00 04 'news' 'x'");
        EXPECT_TRUE(closes(*client)) << one.bytes;
        if (*one.said == '\0') {
            EXPECT_THAT(client->heard, IsEmpty()) << one.bytes;
        } else {
            EXPECT_THAT(client->heard, ElementsAre(StartsWith(one.said))) << one.bytes;
            EXPECT_THAT(client->heard[0], Not(HasSubstr("present"))) << one.bytes;
        }
    }
    EXPECT_EQ(counter("muster_gateway_publishes_total"), 0);
}

TEST_F(GatewayConformance, a_second_connect_ends_the_session) {
    start();
    for (const auto version : both_versions) {
        auto client = join({.id = name("dev", version)}, version);
        client->connect({.id = name("dev", version)});
        EXPECT_TRUE(closes(*client));
        EXPECT_EQ(std::count_if(client->heard.begin(), client->heard.end(),
                                [](const auto& packet) { return packet.starts_with("connack"); }),
                  1);
    }
}

TEST_F(GatewayConformance, every_answer_carries_the_packet_identifier_of_what_it_answers) {
    start();
    for (const auto version : both_versions) {
        auto client = join({.id = name("dev", version)}, version);
        client->publish({.topic = "other", .qos = 1, .packet_id = 257});
        client->publish({.topic = "other", .qos = 2, .packet_id = 258});
        ASSERT_TRUE(hears(*client, 3));
        client->ack(PacketType::pubrel, 258);
        client->subscribe("news/a", 1, {}, 259);
        client->send(version == v5 ? "A2 0B 01 04 00 00 06 'news/a'" : "A2 0A 01 04 00 06 'news/a'");
        client->send(version == v5 ? "A2 0B 01 05 00 00 06 'news/a'" : "A2 0A 01 05 00 06 'news/a'");
        ASSERT_TRUE(hears(*client, 7));
        const std::string found = version == v5 ? " success" : "";
        const std::string none = version == v5 ? " no_subscription_existed" : "";
        EXPECT_THAT(client->heard,
                    ElementsAre(StartsWith("connack success"), "puback #257", "pubrec #258", "pubcomp #258",
                                "suback #259 granted_qos_1", "unsuback #260" + found, "unsuback #261" + none));
    }
}

TEST_F(GatewayConformance, a_client_that_pings_is_answered) {
    start();
    for (const auto version : both_versions) {
        auto client = join({.id = name("dev", version)}, version);
        client->send("C0 00");
        ASSERT_TRUE(hears(*client, 2));
        EXPECT_EQ(client->heard[1], "pingresp");
    }
}

TEST_F(GatewayConformance, client_identifiers_of_1_to_23_letters_and_digits_are_taken) {
    start();
    for (const auto version : both_versions) {
        for (const char* id :
             {"a", "Z", "0", "abcdefghijklmnopqrstuvw", "ABCDEFGHIJKLMNOPQRSTUVW", "XYZxyz0123456789"}) {
            EXPECT_THAT(join({.id = id}, version)->heard[0], StartsWith("connack success")) << id;
        }
    }
}

TEST_F(GatewayConformance, session_present_says_whether_there_was_one) {
    start();
    for (const auto version : both_versions) {
        const std::string id = name("dev", version);
        const auto present = [&](bool clean) {
            auto hello = kept(id, version);
            hello.clean = clean;
            auto client = join(hello, version);
            const bool is_present = client->heard[0].find(" present") != std::string::npos;
            subscribe(*client, "news/#", 1);
            client->vanish();
            EXPECT_TRUE(nobody_is_connected());
            return is_present;
        };
        EXPECT_FALSE(present(false));
        EXPECT_TRUE(present(false));
        EXPECT_FALSE(present(true));
        // 3.1.1: a clean session leaves nothing. 5.0: how long it stays is another matter than how it began.
        EXPECT_EQ(present(false), version == v5);
    }
}

TEST_F(GatewayConformance, a_take_over_tells_and_closes_the_existing_client) {
    start({.threads = 2});
    for (const auto version : both_versions) {
        auto first = join({.id = name("dev", version)}, version);
        auto second = join({.id = name("dev", version)}, version);
        EXPECT_TRUE(closes(*first));
        if (version == v5) {
            EXPECT_EQ(first->heard.back(), "disconnect session_taken_over");
        }
        EXPECT_THAT(heard_until_now(*second), IsEmpty());
    }
}

TEST_F(GatewayConformance, a_will_is_published_once_as_its_flags_say_and_not_after_a_good_bye) {
    start();
    auto listener = join({.id = "listener"});
    subscribe(*listener, "wills/#", 2);
    for (const auto version : both_versions) {
        for (const bool retain : {false, true}) {
            auto client = join({.id = "dev-1",
                                .will_topic = retain ? "wills/retained" : "wills/plain",
                                .will_payload = "gone",
                                .will_qos = 1,
                                .will_retain = retain},
                               version);
            client->vanish();
            const std::size_t before = listener->heard.size();
            ASSERT_TRUE(hears(*listener, before + 1));
            EXPECT_THAT(listener->heard.back(),
                        StartsWith(retain ? "publish wills/retained 'gone' q1 #" : "publish wills/plain 'gone' q1 #"));
        }
        auto polite = join({.id = "dev-2", .will_topic = "wills/polite", .will_payload = "gone"}, version);
        polite->send("E0 00");
        ASSERT_TRUE(closes(*polite));
        auto late = join({.id = "late"}, version);
        subscribe(*late, "wills/#");
        EXPECT_THAT(heard_until_now(*late, 2), ElementsAre("publish wills/retained 'gone' retain"));
    }
    EXPECT_THAT(listener->heard, Not(Contains(StartsWith("publish wills/polite"))));
}

TEST_F(GatewayConformance, retained_messages_are_stored_replaced_and_cleared_only_by_retained_publishes) {
    start();
    for (const auto version : both_versions) {
        const std::string topic = name("news/a", version);
        const auto retained = [&] {
            auto reader = join({.id = "reader"}, version);
            subscribe(*reader, topic, 2);
            return heard_until_now(*reader, 2);
        };
        auto client = join({.id = "dev-1"}, version);
        const auto publish = [&](const std::string& payload, bool retain) {
            client->publish({.topic = topic, .payload = payload, .retain = retain});
            (void)heard_until_now(*client);
        };
        publish("1", true);
        publish("2", false);
        EXPECT_THAT(retained(), ElementsAre("publish " + topic + " '1' retain"));
        publish("3", true);
        client->send("E0 00");
        ASSERT_TRUE(closes(*client));  // the message does not belong to its publisher's session
        EXPECT_THAT(retained(), ElementsAre("publish " + topic + " '3' retain"));
        client = join({.id = "dev-1"}, version);
        subscribe(*client, topic);
        const std::size_t before = client->heard.size();
        publish("", true);
        publish("", true);
        // To those who listen it is a message like any other.
        EXPECT_THAT(heard_until_now(*client, before),
                    ElementsAre("publish " + topic + " ''", "publish " + topic + " ''"));
        EXPECT_THAT(retained(), IsEmpty());
    }
}

TEST_F(GatewayConformance, a_subscription_made_again_is_replaced_and_gets_retained_messages_again) {
    start();
    for (const auto version : both_versions) {
        const std::string topic = name("news/a", version);
        auto client = join({.id = "dev-1"}, version);
        client->publish({.topic = topic, .payload = "kept", .qos = 1, .packet_id = 1, .retain = true});
        ASSERT_TRUE(hears(*client, 2));
        subscribe(*client, topic, 1);
        subscribe(*client, topic, 0);
        EXPECT_THAT(heard_until_now(*client, 2),
                    ElementsAre("suback #1 granted_qos_1", "publish " + topic + " 'kept' q1 #1 retain",
                                "suback #1 success", "publish " + topic + " 'kept' retain"));
        const std::size_t before = client->heard.size();
        client->publish({.topic = topic, .payload = "new", .qos = 1, .packet_id = 2});
        ASSERT_TRUE(hears(*client, before + 2));
        EXPECT_THAT(client->heard, Contains("publish " + topic + " 'new'"));
    }
}

TEST_F(GatewayConformance, a_message_goes_out_with_the_lesser_qos_and_without_the_publishers_flags) {
    start();
    for (const auto version : both_versions) {
        auto client = join({.id = name("dev", version)}, version);
        subscribe(*client, "q0", 0);
        subscribe(*client, "q2", 2);
        const std::size_t before = client->heard.size();
        client->publish({.topic = "q0", .payload = "a", .qos = 1, .packet_id = 1, .retain = true, .duplicate = true});
        client->publish({.topic = "q2", .payload = "b", .qos = 1, .packet_id = 2, .duplicate = true});
        ASSERT_TRUE(hears(*client, before + 4));
        EXPECT_THAT(client->heard, Contains("publish q0 'a'"));
        EXPECT_THAT(client->heard, Contains("publish q2 'b' q1 #1"));
        client->publish({.topic = "q0", .retain = true});
    }
}

TEST_F(GatewayConformance, messages_of_one_client_reach_another_in_their_order) {
    start({.threads = 2});
    for (const auto version : both_versions) {
        for (std::uint8_t qos = 0; qos <= 2; ++qos) {
            auto listener = join({.id = "listener"}, version);
            subscribe(*listener, "news/#", qos);
            auto client = join({.id = "dev-1"}, version);
            for (std::uint16_t number = 1; number <= 20; ++number) {
                client->publish({.topic = "news/a",
                                 .payload = std::to_string(number),
                                 .qos = qos,
                                 .packet_id = qos == 0 ? std::uint16_t{0} : number});
            }
            ASSERT_TRUE(hears(*listener, 22));
            for (std::size_t number = 1; number <= 20; ++number) {
                EXPECT_THAT(listener->heard[number + 1], StartsWith("publish news/a '" + std::to_string(number) + "'"));
            }
        }
    }
}

TEST_F(GatewayConformance, after_its_answer_a_packet_identifier_is_a_new_message) {
    start();
    for (const auto version : both_versions) {
        const std::string id = name("dev", version);
        auto client = join({.id = id}, version);
        const WireClient::Message qos1{.topic = "telemetry/" + id, .payload = "{}", .qos = 1, .packet_id = 5};
        const WireClient::Message qos2{.topic = "telemetry/" + id, .payload = "{}", .qos = 2, .packet_id = 6};
        const auto send = [&](WireClient::Message message, bool duplicate) {
            const std::size_t before = client->heard.size();
            message.duplicate = duplicate;
            client->publish(message);
            ASSERT_TRUE(hears(*client, before + 1));
        };
        send(qos1, false);
        send(qos1, true);
        send(qos2, false);
        send(qos2, true);  // the same one: not released yet
        client->ack(PacketType::pubrel, 6);
        ASSERT_TRUE(hears(*client, 6));
        send(qos2, false);
        EXPECT_THAT(story_of(id), ElementsAre("connect", "telemetry", "telemetry", "telemetry", "telemetry"));
    }
}

TEST_F(GatewayConformance, after_a_refusing_pubrec_a_packet_identifier_is_a_new_message) {
    start();
    auto client = join({.id = "dev-1"});
    client->publish({.topic = "telemetry/other", .payload = "{}", .qos = 2, .packet_id = 6});
    ASSERT_TRUE(hears(*client, 2));
    client->publish({.topic = "telemetry/dev-1", .payload = "{}", .qos = 2, .packet_id = 6});
    ASSERT_TRUE(hears(*client, 3));
    EXPECT_THAT(client->heard, ElementsAre(StartsWith("connack"), "pubrec #6 not_authorized", "pubrec #6"));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "telemetry"));
}

TEST_F(GatewayConformance, unsubscribe_ends_what_is_new_and_finishes_what_was_begun) {
    start();
    for (const auto version : both_versions) {
        auto client = join(kept(name("dev", version), version), version);
        subscribe(*client, "news/a", 2);
        client->publish({.topic = "news/a", .payload = "1", .qos = 2, .packet_id = 1});
        ASSERT_TRUE(hears(*client, 4));
        client->send(version == v5 ? "A2 0B 00 02 00 00 06 'news/a'" : "A2 0A 00 02 00 06 'news/a'");
        client->publish({.topic = "news/a", .payload = "2", .qos = 1, .packet_id = 2});
        client->ack(PacketType::pubrec, 1);
        client->ack(PacketType::pubcomp, 1);
        ASSERT_TRUE(hears(*client, 7));
        (void)heard_until_now(*client);
        EXPECT_THAT(client->heard, Contains("pubrel #1"));
        EXPECT_THAT(client->heard, Contains("puback #2"));
        EXPECT_THAT(client->heard, Not(Contains(StartsWith("publish news/a '2'"))));
    }
}

TEST_F(GatewayConformance, in_flight_messages_are_sent_again_only_when_the_client_comes_back) {
    start();
    for (const auto version : both_versions) {
        const std::string id = name("dev", version);
        auto client = join(kept(id, version), version);
        subscribe(*client, "news/#", 1);
        client->publish({.topic = "news/a", .payload = "1", .qos = 1, .packet_id = 1});
        client->publish({.topic = "news/b", .payload = "2", .qos = 1, .packet_id = 2});
        ASSERT_TRUE(hears(*client, 6));
        EXPECT_EQ(std::count_if(client->heard.begin(), client->heard.end(),
                                [](const auto& packet) { return packet.find(" dup") != std::string::npos; }),
                  0);
        client->ack(PacketType::puback, 1);
        (void)heard_until_now(*client);
        client->vanish();
        ASSERT_TRUE(nobody_is_connected());
        client = join(kept(id, version), version);
        EXPECT_THAT(heard_until_now(*client), ElementsAre("publish news/b '2' q1 #2 dup"));
    }
}

TEST_F(GatewayConformance, a_message_that_the_client_refuses_is_not_sent_again) {
    start();
    auto client = join(kept("dev-1", v5));
    subscribe(*client, "news/#", 2);
    client->publish({.topic = "news/a", .payload = "1", .qos = 1, .packet_id = 1});
    client->publish({.topic = "news/b", .payload = "2", .qos = 2, .packet_id = 2});
    ASSERT_TRUE(hears(*client, 6));
    client->ack(PacketType::puback, 1, ReasonCode::unspecified_error);
    client->ack(PacketType::pubrec, 2, ReasonCode::unspecified_error);
    EXPECT_THAT(heard_until_now(*client, 6), IsEmpty());
    client->vanish();
    ASSERT_TRUE(nobody_is_connected());
    client = join(kept("dev-1", v5));
    EXPECT_THAT(heard_until_now(*client), IsEmpty());
}

TEST_F(GatewayConformance, what_a_member_of_a_group_refuses_goes_to_nobody_else) {
    start();
    auto refuser = join({.id = "refuser"});
    subscribe(*refuser, "$share/crew/jobs/#", 1);
    refuser->publish({.topic = "jobs/x", .payload = "1", .qos = 1, .packet_id = 1});
    ASSERT_TRUE(hears(*refuser, 4));
    auto other = join({.id = "other"});
    subscribe(*other, "$share/crew/jobs/#", 1);
    refuser->ack(PacketType::puback, 1, ReasonCode::unspecified_error);
    (void)heard_until_now(*refuser);
    refuser->vanish();
    ASSERT_TRUE(wait([&] { return gateway->connections() == 1; }));
    EXPECT_THAT(heard_until_now(*other, 2), IsEmpty());
}

TEST_F(GatewayConformance, a_qos_2_message_of_a_group_dies_with_the_session_in_which_its_delivery_began) {
    start();
    auto leaver = join({.id = "leaver"});
    subscribe(*leaver, "$share/crew/jobs/#", 2);
    leaver->publish({.topic = "jobs/x", .payload = "1", .qos = 2, .packet_id = 1});
    ASSERT_TRUE(hears(*leaver, 4));
    auto other = join({.id = "other"});
    subscribe(*other, "$share/crew/jobs/#", 1);
    leaver->vanish();
    ASSERT_TRUE(wait([&] { return gateway->connections() == 1; }));
    EXPECT_THAT(heard_until_now(*other, 2), IsEmpty());
    // Each member has the QoS that it was granted.
    other->publish({.topic = "jobs/x", .payload = "2", .qos = 2, .packet_id = 1});
    ASSERT_TRUE(hears(*other, 5));
    EXPECT_THAT(other->heard, Contains("publish jobs/x '2' q1 #1"));
}

TEST_F(GatewayConformance, a_used_up_receive_maximum_stops_nothing_but_publishes) {
    start();
    auto client = join({.id = "dev-1", .properties = PropertyBlock().number(PropertyId::receive_maximum, 1)});
    subscribe(*client, "news/#", 1);
    for (std::uint16_t packet_id = 1; packet_id <= 3; ++packet_id) {
        client->publish({.topic = "news/a", .payload = "x", .qos = 1, .packet_id = packet_id});
    }
    client->publish({.topic = "news/a", .payload = "0"});
    subscribe(*client, "other");
    EXPECT_THAT(heard_until_now(*client, 2),
                ::testing::UnorderedElementsAre("publish news/a 'x' q1 #1", "puback #1", "puback #2", "puback #3",
                                                "publish news/a '0'", "suback #1 success"));
}

TEST_F(GatewayConformance, a_server_of_lower_qos_still_grants_any_subscription) {
    GatewayOptions options;
    options.limits.connection.qos_max = 0;
    start(options);
    auto client = join({.id = "dev-1"});
    EXPECT_THAT(client->heard[0], HasSubstr(" qos_max=0 "));
    subscribe(*client, "news/#", 2);
    EXPECT_THAT(client->heard[1], StartsWith("suback #1 granted_qos_"));
    client->publish({.topic = "news/a", .payload = "1"});
    ASSERT_TRUE(hears(*client, 3));
    EXPECT_EQ(client->heard[2], "publish news/a '1'");
}

TEST_F(GatewayConformance, a_reason_string_that_may_not_fit_is_left_out) {
    start();
    auto client = join({.id = "dev-1", .properties = PropertyBlock().number(PropertyId::maximum_packet_size, 50)});
    subscribe(*client, "telemetry/+");
    EXPECT_EQ(client->heard[1], "suback #1 not_authorized");
    client->publish({.topic = "a", .properties = PropertyBlock().number(PropertyId::topic_alias, 17)});
    ASSERT_TRUE(closes(*client));
    EXPECT_THAT(client->heard.back(), StartsWith("disconnect topic_alias_invalid"));
}

TEST_F(GatewayConformance, response_information_is_not_given) {
    start();
    for (const std::uint32_t asked : {0U, 1U}) {
        auto client = join(
            {.id = "dev-1", .properties = PropertyBlock().number(PropertyId::request_response_information, asked)});
        EXPECT_THAT(client->heard[0], Not(HasSubstr("property-")));
    }
}

TEST_F(GatewayConformance, topics_pass_byte_by_byte) {
    start();
    for (const auto version : both_versions) {
        auto client = join({.id = name("dev", version)}, version);
        // A byte order mark is a character like another; upper and lower case, slashes and spaces are as they are.
        for (const std::string topic : {"\xEF\xBB\xBFnews", "News/A", "news//a", "/news", "news /a", "a\xC3\xA9"}) {
            const std::size_t before = client->heard.size();
            subscribe(*client, topic);
            client->publish({.topic = topic, .payload = "1"});
            ASSERT_TRUE(hears(*client, before + 2));
            EXPECT_EQ(client->heard.back(), "publish " + topic + " '1'");
        }
        const std::size_t before = client->heard.size();
        client->publish({.topic = "NEWS/A"});
        client->publish({.topic = "news/a"});
        client->publish({.topic = "news"});
        EXPECT_THAT(heard_until_now(*client, before), IsEmpty());
    }
}

TEST_F(GatewayConformance, a_topic_of_65535_bytes_passes) {
    start();
    for (const auto version : both_versions) {
        auto client = join({.id = name("dev", version)}, version);
        const std::string topic = "t/" + std::string(65'533, 'x');
        subscribe(*client, "t/+");
        client->publish({.topic = topic, .payload = "1"});
        ASSERT_TRUE(hears(*client, 3));
        EXPECT_EQ(client->heard[2], "publish " + topic + " '1'");
    }
}

TEST_F(GatewayConformance, silence_of_one_and_a_half_keep_alives_cuts_the_connection_to_the_second) {
    start();
    for (const auto version : both_versions) {
        const Millis since = reactor->monotonic();
        auto client = join({.id = name("dev", version), .keep_alive_s = 2}, version);
        ASSERT_TRUE(closes(*client));
        const Millis cut_after = reactor->monotonic() - since;
        EXPECT_GE(cut_after, Millis(3000));
        EXPECT_LT(cut_after, Millis(4000));
        if (version == v5) {
            EXPECT_EQ(client->heard.back(), "disconnect keep_alive_timeout");
        }
    }
}

TEST_F(GatewayConformance, a_server_keep_alive_is_what_the_connection_is_held_to) {
    GatewayOptions options;
    options.limits.keep_alive_s_max = 1;
    start(options);
    auto client = join({.id = "dev-1", .keep_alive_s = 600});
    EXPECT_THAT(client->heard[0], HasSubstr(" keep_alive=1"));
    ASSERT_TRUE(closes(*client));
    EXPECT_EQ(client->heard.back(), "disconnect keep_alive_timeout");
}

TEST_F(GatewayConformance, nothing_behind_a_disconnect_is_handled) {
    start();
    for (const auto version : both_versions) {
        auto client = join({.id = name("dev", version)}, version);
        client->send("E0 00 C0 00");
        ASSERT_TRUE(closes(*client));
        EXPECT_EQ(client->heard.size(), 1U);
    }
}

}  // namespace
}  // namespace muster
