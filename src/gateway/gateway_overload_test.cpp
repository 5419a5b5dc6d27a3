#include <gmock/gmock.h>

#include "gateway/gateway_fixture_test.h"

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GatewayOverload : public GatewayFixture {};

TEST_F(GatewayOverload, a_slow_bus_drops_qos_0_and_holds_qos_1_and_loses_no_presence) {
    GatewayOptions options;
    options.threads = 1;
    options.tick_interval = Millis(60'000);
    options.limits.bus_queue_bytes_max = 40'000;
    start(options);
    auto careless = device("careless");
    auto careful = device("careful");
    bus.hold_back();
    const std::string payload(1000, 'x');
    for (int i = 0; i < 100; ++i) {
        careless->publish("telemetry/careless", payload);
    }
    ASSERT_TRUE(wait([&] { return counter("muster_gateway_drops_total", "bus_full") > 0; }));
    for (int i = 0; i < 100; ++i) {
        careful->publish("telemetry/careful", payload, 1);
    }
    // Devices that come and go meanwhile are recorded sooner or later.
    for (int i = 0; i < 30; ++i) {
        device("visitor-" + std::to_string(i))->disconnect();
    }
    EXPECT_TRUE(careful->acknowledged.empty());
    bus.release();
    EXPECT_TRUE(wait([&] { return careful->acknowledged.size() == 100; })) << careful->acknowledged.size();
    for (int i = 0; i < 30; ++i) {
        const std::string id = "visitor-" + std::to_string(i);
        ASSERT_TRUE(wait([&] { return events_of(id).size() == 2; })) << id;
        EXPECT_EQ(story_of(id)[0], "connect");
    }
    EXPECT_EQ(events_of("careful").size(), 101U);
    EXPECT_LT(events_of("careless").size(), 101U);
    EXPECT_GT(counter("muster_gateway_held_milliseconds_total"), 0);
}

TEST_F(GatewayOverload, a_device_is_held_at_its_bound_of_unanswered_publishes) {
    GatewayOptions options;
    options.limits.unanswered_publishes_max = 10;
    start(options);
    auto client = device("dev-1");
    bus.hold_back();
    for (int i = 0; i < 50; ++i) {
        client->publish("telemetry/dev-1", "{}", 1);
    }
    ASSERT_TRUE(wait([&] { return events_of("dev-1").size() == 11; }));
    auto other = device("dev-2");  // the gateway goes on
    EXPECT_EQ(events_of("dev-1").size(), 11U);
    bus.release();
    EXPECT_TRUE(wait([&] { return client->acknowledged.size() == 50; }));
}

TEST_F(GatewayOverload, a_subscriber_that_never_reads_costs_no_more_than_its_bound) {
    GatewayOptions options;
    options.limits.session.output_bytes_max = 64 * 1024;
    start(options);
    auto sleepy = fleet_operator();
    subscribe(*sleepy, "telemetry/#");
    sleepy->stop_reading();
    auto client = device("dev-1");
    const std::string payload(100'000, 'x');
    ASSERT_TRUE(wait([&] {
        client->publish("telemetry/dev-1", payload);
        return counter("muster_gateway_drops_total", "slow_reader") > 0;
    }));
    auto other = device("dev-2");
    EXPECT_FALSE(other->ended);
}

TEST_F(GatewayOverload, nor_at_qos_1_where_what_it_does_not_read_waits_and_comes_when_it_does) {
    constexpr std::size_t message_bytes = 60'000;
    constexpr std::size_t messages = 400;
    GatewayOptions options;
    options.threads = 1;
    options.limits.session.in_flight_max = 1000;
    options.limits.session.in_flight_bytes_max = 64UL << 20U;  // so that the output is what holds it
    options.limits.session.queued_bytes_max = 64UL << 20U;
    options.limits.session.output_bytes_max = 128 * 1024;
    start(options);
    auto sleepy = device("sleepy");
    subscribe(*sleepy, "news/#", 1);
    sleepy->stop_reading();
    auto publisher = device("dev-1");
    const std::string payload(message_bytes, 'x');
    for (std::size_t i = 0; i < messages; ++i) {
        publisher->publish("news/a", payload, 1);
        // What is unsent is at most output_bytes_max and a message; a string that grew may have twice the room.
        ASSERT_LE(counter("muster_gateway_output_bytes"), 2 * (128 * 1024 + message_bytes + 100));
    }
    ASSERT_TRUE(wait([&] { return publisher->acknowledged.size() == messages; }));
    EXPECT_GT(counter("muster_gateway_output_bytes"), 128 * 1024) << "the socket did take everything";
    EXPECT_LE(counter("muster_gateway_output_bytes"), 2 * (128 * 1024 + message_bytes + 100));
    sleepy->read_again();
    ASSERT_TRUE(wait([&] { return sleepy->received.size() == messages; }));
    EXPECT_EQ(counter("muster_gateway_drops_total"), 0);
    EXPECT_FALSE(sleepy->ended);
    EXPECT_TRUE(wait([&] { return counter("muster_gateway_output_bytes") == 0; }));
}

// At QoS 0 it says nothing itself that would have the rest written.
TEST_F(GatewayOverload, what_a_full_socket_did_not_take_follows_as_soon_as_it_has_room) {
    constexpr std::size_t messages_max = 400;
    GatewayOptions options;
    options.threads = 1;
    options.limits.session.output_bytes_max = 32UL << 20U;
    options.limits.output_bytes_ceiling = 64UL << 20U;
    start(options);
    auto sleepy = device("sleepy");
    subscribe(*sleepy, "news/#", 0);
    auto publisher = device("dev-1");
    const std::string payload(60'000, 'x');
    std::size_t sent = 0;
    for (int round = 0; round < 2; ++round) {  // it may be full again
        sleepy->stop_reading();
        const std::size_t before = sent;
        while (counter("muster_gateway_output_bytes") < 200'000 && sent - before < messages_max) {
            publisher->publish("news/a", payload, 1);
            ++sent;
            ASSERT_TRUE(wait([&] { return publisher->acknowledged.size() == sent; }));
        }
        ASSERT_LT(sent - before, messages_max) << "the socket did take everything";
        sleepy->read_again();
        ASSERT_TRUE(wait([&] { return sleepy->received.size() == sent; })) << sleepy->received.size();
        EXPECT_TRUE(wait([&] { return counter("muster_gateway_output_bytes") == 0; }));
    }
    EXPECT_EQ(counter("muster_gateway_drops_total"), 0);
}

TEST_F(GatewayOverload, what_a_subscriber_holds_that_never_acknowledges_is_bounded_in_bytes) {
    const mqtt::SessionLimits limits;
    mqtt::ServerSession session(limits);
    std::string out;
    session.attach({}, Millis(0), out);
    const std::string payload(100'000, 'x');
    mqtt::Publish publish;
    publish.topic = "news/a";
    publish.payload = payload;
    publish.qos = 1;
    std::size_t held = 0;
    for (int i = 0; i < 1000; ++i) {
        mqtt::OutgoingMessage message(publish, Millis(0));
        const mqtt::Delivery outcome = session.deliver(message, {.qos = 1}, Millis(0), out);
        held += outcome == mqtt::Delivery::sent || outcome == mqtt::Delivery::queued ? payload.size() : 0;
        out.clear();  // its socket takes everything
        session.send_waiting(Millis(0), out);
    }
    EXPECT_LE(held, limits.in_flight_bytes_max + limits.queued_bytes_max + payload.size());
}

TEST_F(GatewayOverload, when_all_outputs_together_are_over_their_bound_those_far_behind_are_closed) {
    GatewayOptions options;
    options.threads = 1;
    options.limits.session.output_bytes_max = 64 * 1024;
    options.limits.outputs_bytes_max = 200 * 1024;
    start(options);
    std::vector<std::unique_ptr<TestClient>> sleepy;
    for (int i = 0; i < 8; ++i) {
        sleepy.push_back(fleet_operator());
        subscribe(*sleepy.back(), "telemetry/#");
        sleepy.back()->stop_reading();
    }
    auto client = device("dev-1");
    const std::string payload(50'000, 'x');
    ASSERT_TRUE(wait([&] {
        client->publish("telemetry/dev-1", payload);
        return counter("muster_gateway_disconnects_total", "throttled") > 0;
    }));
    EXPECT_LE(counter("muster_gateway_output_bytes"), 200 * 1024 + 8 * 2 * (64 * 1024 + payload.size()));
    EXPECT_FALSE(client->ended);
}

TEST_F(GatewayOverload, a_client_that_asks_and_never_reads_is_closed) {
    GatewayOptions options;
    options.limits.session.output_bytes_max = 4 * 1024;
    options.limits.output_bytes_ceiling = 16 * 1024;
    start(options);
    auto client = device("dev-1");
    client->stop_reading();
    std::string pings;
    for (int i = 0; i < 50'000; ++i) {
        pings.append("\xC0\0", 2);
    }
    ASSERT_TRUE(wait([&] {
        client->send_raw(pings);
        return events_of("dev-1").size() == 2;
    }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect throttled"));
}

TEST_F(GatewayOverload, rubbish_closes_its_connection_and_is_counted) {
    start();
    auto good = device("dev-1");
    for (const char* rubbish :
         {"GET / HTTP/1.1\r\n\r\n", "\xFF\xFF\xFF\xFF\xFF", "\x30\x05hello", "\x16\x03\x01\x02"}) {
        net::TcpSocket socket = std::move(*net::TcpSocket::connect(gateway->address()));
        std::array<char, 64> answer{};
        ASSERT_TRUE(wait([&] { return socket.write(std::string_view(rubbish)).has_value(); }));
        EXPECT_TRUE(wait([&] {
            const auto got = socket.read(answer);
            return !got && got.error().code == ErrorCode::closed;
        })) << rubbish;
    }
    EXPECT_GE(counter("muster_gateway_protocol_errors_total"), 3);
    good->publish("telemetry/dev-1", "{}", 1);
    EXPECT_TRUE(wait([&] { return good->acknowledged.size() == 1; }));
}

TEST_F(GatewayOverload, a_device_that_breaks_the_protocol_is_disconnected_for_it) {
    start();
    auto client = device("dev-1");
    client->send_raw("\x10\x02\x01\x01");
    ASSERT_TRUE(wait([&] { return client->ended; }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect protocol_error"));
}

TEST_F(GatewayOverload, a_packet_over_the_limit_ends_the_connection) {
    GatewayOptions options;
    options.limits.connection.packet_bytes_max = 1000;
    start(options);
    auto client = device("dev-1");
    client->publish("telemetry/dev-1", std::string(2000, 'x'));
    ASSERT_TRUE(wait([&] { return client->ended; }));
    EXPECT_EQ(counter("muster_gateway_protocol_errors_total", "packet_too_large"), 1);
}

TEST_F(GatewayOverload, a_connection_without_a_connect_is_closed_in_time) {
    GatewayOptions options;
    options.limits.connection.connect_timeout = Millis(50);
    start(options);
    net::TcpSocket socket = std::move(*net::TcpSocket::connect(gateway->address()));
    std::array<char, 64> answer{};
    EXPECT_TRUE(wait([&] {
        const auto got = socket.read(answer);
        return !got && got.error().code == ErrorCode::closed;
    }));
    EXPECT_EQ(counter("muster_gateway_connect_timeouts_total"), 1);
}

TEST_F(GatewayOverload, connections_over_the_bound_are_refused) {
    GatewayOptions options;
    options.limits.connections_max = 2;
    start(options);
    auto one = device("dev-1");
    auto two = device("dev-2");
    auto three = begin({.id = "dev-3"});
    EXPECT_TRUE(wait([&] { return three->ended; }));
    EXPECT_FALSE(one->ended);
    EXPECT_EQ(counter("muster_gateway_accepts_refused_total"), 1);
}

TEST_F(GatewayOverload, a_large_burst_in_one_socket_is_read_to_its_end) {
    GatewayOptions options;
    options.limits.read_bytes = 512;
    options.limits.reads_per_turn = 2;
    start(options);
    auto client = device("dev-1");
    for (int i = 0; i < 1000; ++i) {
        client->publish("telemetry/dev-1", std::string(100, 'x'));
    }
    client->publish("telemetry/dev-1", "last", 1);
    ASSERT_TRUE(wait([&] { return client->acknowledged.size() == 1; }));
    EXPECT_EQ(events_of("dev-1").size(), 1002U);
}

TEST_F(GatewayOverload, what_was_sent_right_before_the_connection_broke_is_not_lost) {
    start();
    for (int i = 0; i < 20; ++i) {
        const std::string id = "dev-" + std::to_string(i);
        auto client = device(id);
        client->publish("telemetry/" + id, "{}");
        client->vanish();
        ASSERT_TRUE(wait([&] { return events_of(id).size() == 3; }));
        EXPECT_THAT(story_of(id), ElementsAre("connect", "telemetry", "disconnect connection_lost"));
    }
}

TEST(GatewayStart, an_address_in_use_is_told) {
    FakeBus bus;
    CountingSessionStore store;
    MetricRegistry metrics;
    GatewayOptions options{.listen = *net::Address::parse("127.0.0.1:0")};
    const auto first = Gateway::start(options, bus, store, metrics);
    ASSERT_TRUE(first);
    options.listen = (*first)->address();
    options.name = "gw-2";
    const auto second = Gateway::start(options, bus, store, metrics);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message(), "another program already listens on the MQTT address; choose another port: " +
                                            (*first)->address().to_string());
}

TEST(GatewayStart, an_address_that_is_not_loopback_is_refused_without_tls) {
    FakeBus bus;
    CountingSessionStore store;
    MetricRegistry metrics;
    const auto started = Gateway::start({.listen = *net::Address::parse("0.0.0.0:0")}, bus, store, metrics);
    ASSERT_FALSE(started);
    EXPECT_THAT(started.error().message(), HasSubstr("without TLS"));
}

TEST(GatewayStart, a_gateway_needs_a_name) {
    FakeBus bus;
    CountingSessionStore store;
    MetricRegistry metrics;
    EXPECT_FALSE(Gateway::start({.name = ""}, bus, store, metrics));
    EXPECT_FALSE(Gateway::start({.name = std::string(65, 'g')}, bus, store, metrics));
}

TEST(GatewayStart, stops_twice_and_without_having_served) {
    FakeBus bus;
    CountingSessionStore store;
    MetricRegistry metrics;
    const auto gateway = Gateway::start({.listen = *net::Address::parse("127.0.0.1:0")}, bus, store, metrics);
    ASSERT_TRUE(gateway);
    (*gateway)->stop();
    (*gateway)->stop();
}

}  // namespace
}  // namespace muster
