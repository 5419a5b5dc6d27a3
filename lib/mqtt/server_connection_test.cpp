#include "mqtt/server_connection.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqtt/packet_bytes.h"

namespace muster::mqtt {
namespace {

using State = ServerConnection::State;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Writes down what happens; accepts every CONNECT at once unless told otherwise.
class RecordingListener final : public ServerListener {
 public:
    void on_connect(const Connect& connect) override {
        events.push_back("connect " + std::string(connect.client_id));
        if (accepts) {
            connection->accept(connack, now, out);
        }
    }
    void on_publish(const Publish& publish) override {
        events.push_back("publish " + std::string(publish.topic) + " " + std::string(publish.payload));
        if (holds) {
            connection->hold();
        }
        if (ends) {
            connection->end(ReasonCode::administrative_action, out);
        }
    }
    void on_ack(const Ack& ack) override {
        events.push_back(std::string(name_of(ack.type)) + " " + std::to_string(ack.packet_id));
    }
    void on_subscribe(const Subscribe& subscribe) override {
        for (const SubscribeEntry& entry : subscribe.entries) {
            events.push_back("subscribe " + std::string(entry.filter));
        }
    }
    void on_unsubscribe(const Unsubscribe& unsubscribe) override {
        for (const UnsubscribeEntry& entry : unsubscribe.entries) {
            events.push_back("unsubscribe " + std::string(entry.filter));
        }
    }
    void on_ping() override { events.emplace_back("ping"); }
    void on_auth(const Auth& /*auth*/) override { events.emplace_back("auth"); }
    void on_disconnect(const Disconnect& disconnect) override {
        events.push_back("disconnect " + std::string(name_of(disconnect.reason)));
    }
    void on_error(const ProtocolError& error) override {
        events.push_back("error " + std::string(name_of(error.code)));
        connection->end(error.code, out);
    }

    ServerConnection* connection = nullptr;
    std::vector<std::string> events;
    std::string out;
    Connack connack;
    Millis now{0};
    bool accepts = true;
    bool holds = false;
    bool ends = false;
};

constexpr const char* connect_v3 = "10 0D 00 04 'MQTT' 04 02 00 3C 00 01 'd'";
constexpr const char* connect_v5 = "10 0E 00 04 'MQTT' 05 02 00 3C 00 00 01 'd'";

class ServerConnectionTest : public ::testing::Test {
 protected:
    ServerConnectionTest() { listener_.connection = &connection_; }

    void feed(std::string_view written) { connection_.receive(packet_bytes(written), listener_.now, listener_); }

    ServerLimits limits_{
        .packet_bytes_max = 1000, .connect_timeout = Millis(10'000), .qos_max = 2, .topic_alias_max = 2};
    ServerConnection connection_{limits_, Millis(0)};
    RecordingListener listener_;
};

TEST_F(ServerConnectionTest, a_session_from_connect_to_disconnect) {
    feed(connect_v3);
    feed("82 08 00 01 00 03 'a/b' 01 32 09 00 03 'a/b' 00 01 'hi' 40 02 00 07 A2 07 00 02 00 03 'a/b' C0 00 E0 00");
    EXPECT_THAT(listener_.events, ElementsAre("connect d", "subscribe a/b", "publish a/b hi", "puback 7",
                                              "unsubscribe a/b", "ping", "disconnect success"));
    EXPECT_EQ(listener_.out, packet_bytes("20 02 00 00"));
    EXPECT_EQ(connection_.state(), State::closed);
}

TEST_F(ServerConnectionTest, bytes_one_by_one_give_the_same_events) {
    const std::string bytes = packet_bytes(connect_v3) + packet_bytes("30 07 00 03 'a/b' 'hi' C0 00");
    for (const char& c : bytes) {
        connection_.receive(std::string_view(&c, 1), Millis(0), listener_);
    }
    EXPECT_THAT(listener_.events, ElementsAre("connect d", "publish a/b hi", "ping"));
    EXPECT_EQ(connection_.pending_bytes(), 0U);
}

TEST_F(ServerConnectionTest, the_first_packet_must_be_connect) {
    feed("C0 00");
    EXPECT_THAT(listener_.events, ElementsAre("error protocol_error"));
    EXPECT_EQ(listener_.out, "");
}

TEST_F(ServerConnectionTest, a_second_connect_is_an_error) {
    feed(connect_v3);
    feed(connect_v3);
    EXPECT_THAT(listener_.events, ElementsAre("connect d", "error protocol_error"));
}

TEST_F(ServerConnectionTest, packets_of_a_server_are_an_error) {
    for (const char* packet : {"20 02 00 00", "90 03 00 01 00", "B0 02 00 01", "D0 00"}) {
        ServerConnection connection(limits_, Millis(0));
        RecordingListener listener;
        listener.connection = &connection;
        connection.receive(packet_bytes(connect_v3), Millis(0), listener);
        connection.receive(packet_bytes(packet), Millis(0), listener);
        EXPECT_THAT(listener.events, ElementsAre("connect d", "error protocol_error")) << packet;
    }
}

TEST_F(ServerConnectionTest, nothing_is_handled_before_connect_is_accepted) {
    listener_.accepts = false;
    connection_.receive(packet_bytes(connect_v3) + packet_bytes("C0 00"), Millis(0), listener_);
    feed("30 03 00 01 'a'");
    EXPECT_THAT(listener_.events, ElementsAre("connect d"));
    EXPECT_EQ(connection_.deadline(), Millis::max());
    connection_.accept({}, Millis(5), listener_.out);
    connection_.receive({}, Millis(5), listener_);
    EXPECT_THAT(listener_.events, ElementsAre("connect d", "ping", "publish a "));
    EXPECT_EQ(connection_.deadline(), Millis(5 + 90'000));
}

TEST_F(ServerConnectionTest, too_much_ahead_of_connack_ends_the_connection) {
    listener_.accepts = false;
    feed(connect_v3);
    connection_.receive(std::string(1001, '\0'), Millis(0), listener_);
    EXPECT_THAT(listener_.events, ElementsAre("connect d", "error quota_exceeded"));
    EXPECT_EQ(listener_.out, packet_bytes("20 02 00 03"));
}

TEST_F(ServerConnectionTest, hold_stops_after_the_current_packet_until_release) {
    feed(connect_v3);
    listener_.holds = true;
    feed("30 03 00 01 'a' 30 03 00 01 'b' C0 00");
    EXPECT_THAT(listener_.events, ElementsAre("connect d", "publish a "));
    EXPECT_EQ(connection_.deadline(), Millis::max());
    listener_.holds = false;
    connection_.release(Millis(1000));
    connection_.receive({}, Millis(1000), listener_);
    EXPECT_THAT(listener_.events, ElementsAre("connect d", "publish a ", "publish b ", "ping"));
    EXPECT_EQ(connection_.pending_bytes(), 0U);
}

TEST_F(ServerConnectionTest, nothing_is_handled_after_the_end) {
    feed(connect_v3);
    listener_.ends = true;
    feed("30 03 00 01 'a' 30 03 00 01 'b'");
    feed("C0 00");
    EXPECT_THAT(listener_.events, ElementsAre("connect d", "publish a "));
    EXPECT_EQ(connection_.pending_bytes(), 0U);
}

TEST_F(ServerConnectionTest, keep_alive_ends_one_and_a_half_times_after_the_last_packet) {
    EXPECT_EQ(connection_.deadline(), Millis(10'000));
    listener_.now = Millis(3000);
    feed(connect_v3);
    EXPECT_EQ(connection_.deadline(), Millis(93'000));
    listener_.now = Millis(50'000);
    feed("C0");
    EXPECT_EQ(connection_.deadline(), Millis(93'000));
    feed("00");
    EXPECT_EQ(connection_.deadline(), Millis(140'000));
}

TEST_F(ServerConnectionTest, keep_alive_0_has_no_deadline) {
    feed("10 0D 00 04 'MQTT' 04 02 00 00 00 01 'd'");
    EXPECT_EQ(connection_.deadline(), Millis::max());
}

TEST_F(ServerConnectionTest, a_server_keep_alive_replaces_the_clients) {
    std::string block;
    PropertyWriter(block).number(PropertyId::server_keep_alive, 10);
    listener_.connack.properties = Properties(block);
    feed(connect_v5);
    EXPECT_EQ(connection_.deadline(), Millis(15'000));
    EXPECT_EQ(listener_.out, packet_bytes("20 06 00 00 03 13 00 0A"));
}

TEST_F(ServerConnectionTest, an_unsupported_version_is_answered_in_words_the_client_knows) {
    feed("10 0F 00 06 'MQIsdp' 03 02 00 3C 00 01 'd'");
    EXPECT_EQ(listener_.out, packet_bytes("20 02 00 01"));
}

TEST_F(ServerConnectionTest, a_version_above_5_is_answered_like_5) {
    feed("10 0E 00 04 'MQTT' 06 02 00 3C 00 00 01 'd'");
    EXPECT_EQ(listener_.out, packet_bytes("20 03 00 84 00"));
}

TEST_F(ServerConnectionTest, a_malformed_connect_is_not_answered_in_3_1_1) {
    feed("10 0D 00 04 'MQTT' 04 03 00 3C 00 01 'd'");
    EXPECT_THAT(listener_.events, ElementsAre("error malformed_packet"));
    EXPECT_EQ(listener_.out, "");
}

TEST_F(ServerConnectionTest, a_malformed_connect_is_answered_in_5_0) {
    feed("10 0E 00 04 'MQTT' 05 03 00 3C 00 00 01 'd'");
    EXPECT_EQ(listener_.out, packet_bytes("20 03 00 81 00"));
}

TEST_F(ServerConnectionTest, a_kept_session_without_client_id_gets_return_code_2) {
    feed("10 0C 00 04 'MQTT' 04 00 00 3C 00 00");
    EXPECT_EQ(listener_.out, packet_bytes("20 02 00 02"));
}

TEST_F(ServerConnectionTest, a_refused_connect_gets_its_return_code_once) {
    listener_.accepts = false;
    feed(connect_v3);
    connection_.end(ReasonCode::not_authorized, listener_.out);
    connection_.end(ReasonCode::not_authorized, listener_.out);
    EXPECT_EQ(listener_.out, packet_bytes("20 02 00 05"));
    EXPECT_EQ(connection_.state(), State::closed);
}

TEST_F(ServerConnectionTest, the_end_is_said_in_5_0_and_not_in_3_1_1) {
    feed(connect_v5);
    listener_.out.clear();
    connection_.end(ReasonCode::session_taken_over, listener_.out);
    EXPECT_EQ(listener_.out, packet_bytes("E0 01 8E"));

    ServerConnection old(limits_, Millis(0));
    RecordingListener listener;
    listener.connection = &old;
    old.receive(packet_bytes(connect_v3), Millis(0), listener);
    listener.out.clear();
    old.end(ReasonCode::session_taken_over, listener.out);
    EXPECT_EQ(listener.out, "");
}

TEST_F(ServerConnectionTest, a_shutdown_before_connack_is_said_with_a_code_that_connack_knows) {
    listener_.accepts = false;
    feed(connect_v5);
    connection_.end(ReasonCode::server_shutting_down, listener_.out);
    EXPECT_EQ(listener_.out, packet_bytes("20 03 00 88 00"));
}

TEST_F(ServerConnectionTest, nothing_is_said_after_the_clients_disconnect) {
    feed(connect_v5);
    listener_.out.clear();
    feed("E0 01 04");
    connection_.end(ReasonCode::server_shutting_down, listener_.out);
    EXPECT_EQ(listener_.out, "");
    EXPECT_EQ(listener_.events.back(), "disconnect disconnect_with_will");
}

TEST_F(ServerConnectionTest, rubbish_is_refused_at_its_first_byte) {
    feed("'GET / HTTP/1.1'");
    EXPECT_THAT(listener_.events, ElementsAre("error malformed_packet"));
}

TEST_F(ServerConnectionTest, a_topic_alias_stands_for_its_topic) {
    feed(connect_v5);
    feed("30 08 00 01 'a' 03 23 00 01 'x'");
    feed("30 07 00 00 03 23 00 01 'y'");
    EXPECT_THAT(listener_.events, ElementsAre("connect d", "publish a x", "publish a y"));
}

TEST_F(ServerConnectionTest, a_topic_alias_over_the_maximum_or_not_yet_set_is_an_error) {
    feed(connect_v5);
    feed("30 08 00 01 'a' 03 23 00 03 'x'");
    EXPECT_EQ(listener_.events.back(), "error topic_alias_invalid");

    ServerConnection other(limits_, Millis(0));
    RecordingListener listener;
    listener.connection = &other;
    other.receive(packet_bytes(connect_v5), Millis(0), listener);
    other.receive(packet_bytes("30 07 00 00 03 23 00 02 'y'"), Millis(0), listener);
    EXPECT_EQ(listener.events.back(), "error protocol_error");
}

TEST_F(ServerConnectionTest, the_topics_behind_aliases_are_bounded) {
    limits_.topic_alias_bytes_max = 5;
    feed(connect_v5);
    feed("30 0B 00 04 'long' 03 23 00 01 'x'");
    feed("30 0B 00 04 'like' 03 23 00 01 'x'");  // in the place of the first
    EXPECT_EQ(listener_.events.back(), "publish like x");
    feed("30 09 00 02 'ab' 03 23 00 02 'x'");
    EXPECT_EQ(listener_.events.back(), "error quota_exceeded");
}

TEST_F(ServerConnectionTest, the_end_is_said_as_far_as_the_clients_maximum_packet_size_goes) {
    std::string block;
    PropertyWriter(block).text(PropertyId::reason_string, "why");
    const auto said = [&](std::string_view maximum) {
        ServerConnection connection(limits_, Millis(0));
        RecordingListener listener;
        listener.connection = &connection;
        const std::string packet =
            "10 13 00 04 'MQTT' 05 02 00 3C 05 27 00 00 00 " + std::string(maximum) + " 00 01 'd'";
        connection.receive(packet_bytes(packet), Millis(0), listener);
        listener.out.clear();
        connection.end(ReasonCode::server_busy, listener.out, Properties(block));
        return listener.out;
    };
    EXPECT_EQ(said("0A"), packet_bytes("E0 08 89 06 1F 00 03 'why'"));
    EXPECT_EQ(said("09"), packet_bytes("E0 01 89"));
    EXPECT_EQ(said("02"), "");
}

TEST_F(ServerConnectionTest, qos_over_the_maximum_is_an_error) {
    limits_.qos_max = 1;
    feed(connect_v5);
    feed("34 06 00 01 'a' 00 01 00");
    EXPECT_EQ(listener_.events.back(), "error qos_not_supported");
    EXPECT_EQ(listener_.out, packet_bytes("20 03 00 00 00 E0 01 9B"));
}

TEST_F(ServerConnectionTest, a_will_over_the_maximum_qos_is_refused) {
    limits_.qos_max = 1;
    feed("10 15 00 04 'MQTT' 05 16 00 3C 00 00 01 'd' 00 00 01 'w' 00 01 'x'");
    EXPECT_THAT(listener_.events, ElementsAre("error qos_not_supported"));
    EXPECT_EQ(listener_.out, packet_bytes("20 03 00 9B 00"));
}

TEST_F(ServerConnectionTest, another_server_is_named_before_and_after_connack) {
    std::string block;
    PropertyWriter(block).text(PropertyId::server_reference, "gw-2:1883");
    listener_.accepts = false;
    feed(connect_v5);
    connection_.end(ReasonCode::use_another_server, listener_.out, Properties(block));
    EXPECT_EQ(listener_.out, packet_bytes("20 0F 00 9C 0C 1C 00 09 'gw-2:1883'"));

    ServerConnection other(limits_, Millis(0));
    RecordingListener listener;
    listener.connection = &other;
    other.receive(packet_bytes(connect_v5), Millis(0), listener);
    listener.out.clear();
    other.end(ReasonCode::server_moved, listener.out, Properties(block));
    EXPECT_EQ(listener.out, packet_bytes("E0 0E 9D 0C 1C 00 09 'gw-2:1883'"));
}

TEST_F(ServerConnectionTest, a_client_may_not_set_subscription_identifiers_on_publish) {
    feed(connect_v5);
    feed("30 06 00 01 'a' 02 0B 01");
    EXPECT_EQ(listener_.events.back(), "error protocol_error");
}

TEST_F(ServerConnectionTest, auth_needs_a_method_in_connect) {
    feed(connect_v5);
    feed("F0 00");
    EXPECT_EQ(listener_.events.back(), "error protocol_error");

    ServerConnection other(limits_, Millis(0));
    RecordingListener listener;
    listener.connection = &other;
    other.receive(packet_bytes("10 15 00 04 'MQTT' 05 02 00 3C 07 15 00 04 'SCRA' 00 01 'd'"), Millis(0), listener);
    other.receive(packet_bytes("F0 09 19 07 15 00 04 'SCRA'"), Millis(0), listener);
    EXPECT_THAT(listener.events, ElementsAre("connect d", "auth"));
}

TEST_F(ServerConnectionTest, disconnect_may_not_keep_a_session_that_connect_did_not) {
    feed(connect_v5);
    feed("E0 07 00 05 11 00 00 00 3C");
    EXPECT_EQ(listener_.events.back(), "error protocol_error");
}

TEST_F(ServerConnectionTest, an_idle_connection_is_48_bytes) {
    EXPECT_LE(sizeof(ServerConnection), 48U);
}

}  // namespace
}  // namespace muster::mqtt
