#include "mqtt/client_connection.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqtt/packet_bytes.h"

namespace muster::mqtt {
namespace {

using State = ClientConnection::State;
using ::testing::ElementsAre;

class RecordingListener final : public ClientListener {
 public:
    void on_connack(const Connack& connack) override {
        events.push_back("connack " + std::string(name_of(connack.reason)));
    }
    void on_publish(const Publish& publish) override {
        events.push_back("publish " + std::string(publish.topic) + " " + std::string(publish.payload));
    }
    void on_ack(const Ack& ack) override { events.push_back("ack " + std::to_string(ack.packet_id)); }
    void on_suback(const Suback& suback) override { events.push_back("suback " + std::to_string(suback.packet_id)); }
    void on_unsuback(const Unsuback& unsuback) override {
        events.push_back("unsuback " + std::to_string(unsuback.packet_id));
    }
    void on_disconnect(const Disconnect& disconnect) override {
        events.push_back("disconnect " + std::string(name_of(disconnect.reason)));
    }
    void on_error(const ProtocolError& error) override {
        events.push_back("error " + std::string(name_of(error.code)));
    }

    std::vector<std::string> events;
};

class ClientConnectionTest : public ::testing::Test {
 protected:
    void connect(ProtocolVersion version = ProtocolVersion::v3_1_1, bool clean = true) {
        Connect connect;
        connect.version = version;
        connect.clean_start = clean;
        connect.client_id = "d";
        connect.keep_alive_s = 30;
        client_.connect(connect, now_, out_);
    }
    void connected(bool clean = true) {
        connect(ProtocolVersion::v3_1_1, clean);
        feed("20 02 00 00");
        out_.clear();
        listener_.events.clear();
    }
    void feed(std::string_view written) { client_.receive(packet_bytes(written), now_, out_, listener_); }
    Result<std::uint16_t> publish(std::string_view payload, std::uint8_t qos) {
        Publish publish;
        publish.topic = "t";
        publish.payload = payload;
        publish.qos = qos;
        return client_.publish(publish, now_, out_);
    }

    ClientLimits limits_{
        .packet_bytes_max = 1000, .in_flight_max = 2, .connack_timeout = Millis(5000), .ping_timeout = Millis(2000)};
    ClientConnection client_{limits_};
    RecordingListener listener_;
    std::string out_;
    Millis now_{1000};
};

TEST_F(ClientConnectionTest, connect_is_answered_by_connack) {
    connect();
    EXPECT_EQ(out_, packet_bytes("10 0D 00 04 'MQTT' 04 02 00 1E 00 01 'd'"));
    EXPECT_EQ(publish("x", 0).error().code, ErrorCode::closed);
    feed("20 02 00 00");
    EXPECT_EQ(client_.state(), State::connected);
    EXPECT_THAT(listener_.events, ElementsAre("connack success"));
}

TEST_F(ClientConnectionTest, a_refusal_closes) {
    connect();
    feed("20 02 00 05");
    EXPECT_EQ(client_.state(), State::closed);
    EXPECT_THAT(listener_.events, ElementsAre("connack not_authorized"));
}

TEST_F(ClientConnectionTest, no_connack_in_time_is_an_error) {
    connect();
    EXPECT_EQ(client_.deadline(), Millis(6000));
    client_.advance(Millis(5999), out_, listener_);
    EXPECT_THAT(listener_.events, ElementsAre());
    client_.advance(Millis(6000), out_, listener_);
    EXPECT_THAT(listener_.events, ElementsAre("error keep_alive_timeout"));
    EXPECT_EQ(client_.deadline(), Millis::max());
}

TEST_F(ClientConnectionTest, another_packet_before_connack_is_an_error) {
    connect();
    feed("D0 00");
    EXPECT_THAT(listener_.events, ElementsAre("error protocol_error"));
}

TEST_F(ClientConnectionTest, qos_1_is_acknowledged_within_a_window) {
    connected();
    EXPECT_EQ(publish("a", 1), 1);
    EXPECT_EQ(publish("b", 1), 2);
    EXPECT_EQ(publish("c", 1).error().code, ErrorCode::queue_full);
    EXPECT_EQ(publish("c", 0), 0);
    EXPECT_EQ(publish("c", 2).error().code, ErrorCode::unsupported);
    EXPECT_EQ(out_, packet_bytes("32 06 00 01 't' 00 01 'a' 32 06 00 01 't' 00 02 'b' 30 04 00 01 't' 'c'"));
    feed("40 02 00 01 40 02 00 09");
    EXPECT_THAT(listener_.events, ElementsAre("ack 1"));
    EXPECT_EQ(client_.in_flight(), 1U);
}

TEST_F(ClientConnectionTest, what_is_not_acknowledged_is_sent_again_with_dup) {
    connected(false);
    EXPECT_TRUE(publish("a", 1));
    client_.close();
    out_.clear();
    connect(ProtocolVersion::v3_1_1, false);
    out_.clear();
    feed("20 02 01 00");
    EXPECT_EQ(out_, packet_bytes("3A 06 00 01 't' 00 01 'a'"));
}

TEST_F(ClientConnectionTest, a_server_that_lost_the_session_gets_it_as_new) {
    connected(false);
    EXPECT_TRUE(publish("a", 1));
    client_.close();
    connect(ProtocolVersion::v3_1_1, false);
    out_.clear();
    feed("20 02 00 00");
    EXPECT_EQ(out_, packet_bytes("32 06 00 01 't' 00 01 'a'"));
}

TEST_F(ClientConnectionTest, a_clean_start_forgets_what_was_not_acknowledged) {
    connected();
    EXPECT_TRUE(publish("a", 1));
    client_.close();
    connected();
    EXPECT_EQ(client_.in_flight(), 0U);
}

TEST_F(ClientConnectionTest, incoming_qos_1_is_acknowledged) {
    connected();
    feed("32 09 00 03 'a/b' 00 07 'hi' 30 03 00 01 'c'");
    EXPECT_THAT(listener_.events, ElementsAre("publish a/b hi", "publish c "));
    EXPECT_EQ(out_, packet_bytes("40 02 00 07"));
}

TEST_F(ClientConnectionTest, subscribe_and_unsubscribe_are_answered_by_packet_id) {
    connected();
    const SubscribeEntry entries[] = {{"a/#", SubscriptionOptions::of_qos(1)}, {"b", {}}};
    EXPECT_EQ(client_.subscribe(entries, now_, out_), 1);
    const UnsubscribeEntry gone[] = {{"b"}};
    EXPECT_EQ(client_.unsubscribe(gone, now_, out_), 2);
    EXPECT_EQ(out_, packet_bytes("82 0C 00 01 00 03 'a/#' 01 00 01 'b' 00 A2 05 00 02 00 01 'b'"));
    feed("90 04 00 01 01 00 B0 02 00 02");
    EXPECT_THAT(listener_.events, ElementsAre("suback 1", "unsuback 2"));
}

TEST_F(ClientConnectionTest, a_silent_client_pings_and_a_silent_server_is_given_up) {
    connected();
    EXPECT_EQ(client_.deadline(), Millis(31'000));
    now_ = Millis(20'000);
    EXPECT_TRUE(publish("x", 0));
    EXPECT_EQ(client_.deadline(), Millis(50'000));
    out_.clear();
    client_.advance(Millis(50'000), out_, listener_);
    EXPECT_EQ(out_, packet_bytes("C0 00"));
    EXPECT_EQ(client_.deadline(), Millis(52'000));
    feed("D0 00");
    EXPECT_EQ(client_.deadline(), Millis(80'000));
    client_.advance(Millis(80'000), out_, listener_);
    client_.advance(Millis(82'000), out_, listener_);
    EXPECT_THAT(listener_.events, ElementsAre("error keep_alive_timeout"));
}

TEST_F(ClientConnectionTest, a_5_0_server_bounds_window_packet_size_and_keep_alive) {
    connect(ProtocolVersion::v5);
    feed("20 0E 00 00 0B 21 00 01 27 00 00 00 14 13 00 05");
    out_.clear();
    EXPECT_EQ(client_.deadline(), Millis(6000));
    EXPECT_EQ(publish(std::string(20, 'x'), 0).error().code, ErrorCode::too_large);
    EXPECT_TRUE(publish("a", 1));
    EXPECT_EQ(publish("b", 1).error().code, ErrorCode::queue_full);
}

TEST_F(ClientConnectionTest, a_5_0_server_says_why_it_ends) {
    connect(ProtocolVersion::v5);
    feed("20 03 00 00 00 E0 01 8B");
    EXPECT_THAT(listener_.events, ElementsAre("connack success", "disconnect server_shutting_down"));
    EXPECT_EQ(client_.state(), State::closed);
}

TEST_F(ClientConnectionTest, disconnect_says_good_bye) {
    connected();
    client_.disconnect(out_);
    EXPECT_EQ(out_, packet_bytes("E0 00"));
    EXPECT_EQ(client_.state(), State::closed);
    feed("30 03 00 01 'c'");
    EXPECT_THAT(listener_.events, ElementsAre());
}

TEST_F(ClientConnectionTest, an_idle_client_is_64_bytes) {
    EXPECT_LE(sizeof(ClientConnection), 64U);
}

}  // namespace
}  // namespace muster::mqtt
