#include <gmock/gmock.h>

#include "gateway/gateway_fixture_test.h"

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class GatewayPresence : public GatewayFixture {};

TEST_F(GatewayPresence, a_connect_is_recorded_before_it_is_answered) {
    start();
    auto client = connect({.id = "dev-1", .keep_alive_s = 45});
    const auto records = events_of("dev-1");
    ASSERT_EQ(records.size(), 1U);
    const EventHeader header = records[0].event();
    EXPECT_EQ(header.kind, EventKind::connect);
    EXPECT_EQ(header.keep_alive_s, 45);
    EXPECT_EQ(header.epoch, 1U);
    EXPECT_EQ(header.sequence, 1U);
    EXPECT_EQ(header.gateway, "gw-1");
    EXPECT_EQ(header.incarnation, 1U);
    EXPECT_THAT(records[0].value,
                ::testing::MatchesRegex(R"(\{"address":"127\.0\.0\.1:[0-9]+","protocol":"3\.1\.1","clean":true\})"));
}

TEST_F(GatewayPresence, a_good_bye_is_a_disconnect_without_a_will) {
    start();
    auto client = connect({.id = "dev-1", .will_topic = "status/dev-1", .will_payload = "OFFLINE"});
    client->disconnect();
    ASSERT_TRUE(wait([&] { return events_of("dev-1").size() == 2; }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect client_disconnect"));
}

TEST_F(GatewayPresence, a_broken_connection_writes_the_will_and_then_the_disconnect) {
    start();
    auto client = connect({.id = "dev-1", .will_topic = "status/dev-1", .will_payload = "OFFLINE"});
    client->vanish();
    ASSERT_TRUE(wait([&] { return events_of("dev-1").size() == 3; }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "will", "disconnect connection_lost"));
    EXPECT_EQ(events_of("dev-1")[1].value, "OFFLINE");
    EXPECT_EQ(events_of("dev-1")[2].event().sequence, 3U);
}

TEST_F(GatewayPresence, silence_over_one_and_a_half_keep_alives_ends_the_session) {
    start();
    const Millis before = reactor->monotonic();
    auto client = connect({.id = "dev-1", .keep_alive_s = 1});
    ASSERT_TRUE(wait([&] { return events_of("dev-1").size() == 2; }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect keepalive_timeout"));
    EXPECT_GE(reactor->monotonic() - before, Millis(1500));
}

TEST_F(GatewayPresence, a_take_over_ends_the_old_session_before_the_new_one_begins) {
    start({.threads = 4});
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 10; ++i) {
        clients.push_back(device("dev-1"));
    }
    ASSERT_TRUE(wait([&] { return clients[8]->ended; }));
    const auto records = events_of("dev-1");
    ASSERT_EQ(records.size(), 19U);
    for (std::size_t i = 0; i < records.size(); ++i) {
        const EventHeader header = records[i].event();
        EXPECT_EQ(header.kind, i % 2 == 0 ? EventKind::connect : EventKind::disconnect);
        EXPECT_EQ(header.epoch, i / 2 + 1);
        EXPECT_EQ(header.cause, i % 2 == 0 ? Cause::none : Cause::duplicate_client_id);
    }
    EXPECT_FALSE(clients[9]->ended);
    EXPECT_EQ(gateway->connections(), 1U);
}

TEST_F(GatewayPresence, an_operator_has_no_presence) {
    start();
    auto client = fleet_operator();
    client->disconnect();
    ASSERT_TRUE(wait([&] { return gateway->connections() == 0; }));
    EXPECT_THAT(events(), IsEmpty());
}

TEST_F(GatewayPresence, a_ping_is_recorded_when_the_device_says_nothing_else) {
    start({.ping_record_interval = Millis(0)});
    auto client = device("dev-1");
    client->send_raw(std::string("\xC0\0", 2));
    ASSERT_TRUE(wait([&] { return events_of("dev-1").size() == 2; }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "ping"));
}

TEST_F(GatewayPresence, a_ping_right_after_another_record_is_not_recorded) {
    start();
    auto client = device("dev-1");
    client->send_raw(std::string("\xC0\0", 2));
    client->publish("telemetry/dev-1", "{}");
    ASSERT_TRUE(wait([&] { return events_of("dev-1").size() == 2; }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "telemetry"));
}

TEST_F(GatewayPresence, every_partition_gets_ticks_that_count) {
    start({.tick_interval = Millis(20)});
    ASSERT_TRUE(wait([&] { return bus.ticks().size() >= 12; }));
    const auto ticks = bus.ticks();
    for (std::size_t i = 0; i < 12; ++i) {
        EXPECT_EQ(ticks[i].partition, static_cast<Partition>(i % 4));
        EXPECT_EQ(ticks[i].event().sequence, i / 4 + 1);
        EXPECT_EQ(ticks[i].event().incarnation, 1U);
        EXPECT_EQ(ticks[i].event().epoch, 0U);
    }
}

TEST_F(GatewayPresence, while_a_tick_is_not_durable_no_further_one_is_sent) {
    bus.hold_back_ticks();
    start({.tick_interval = Millis(5)});
    ASSERT_TRUE(wait([&] { return bus.ticks().size() == 4; }));
    const Millis since = reactor->monotonic();
    ASSERT_TRUE(wait([&] { return reactor->monotonic() - since > Millis(100); }));
    EXPECT_EQ(bus.ticks().size(), 4U);
    bus.release();
    EXPECT_TRUE(wait([&] { return bus.ticks().size() > 4; }));
}

TEST_F(GatewayPresence, a_stop_records_the_end_of_every_session_and_publishes_no_will) {
    start();
    auto one = connect({.id = "dev-1", .will_topic = "status/dev-1", .will_payload = "OFFLINE"});
    auto two = device("dev-2");
    gateway->stop();
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect server_shutdown"));
    EXPECT_THAT(story_of("dev-2"), ElementsAre("connect", "disconnect server_shutdown"));
    EXPECT_EQ(bus.waiting(), 0U);
    EXPECT_TRUE(wait([&] { return one->ended && two->ended; }));
}

TEST_F(GatewayPresence, a_session_store_that_is_down_refuses_devices) {
    start();
    store.is_down = true;
    auto client = begin({.id = "dev-1"});
    ASSERT_TRUE(wait([&] { return client->refusal != mqtt::ReasonCode::success; }));
    EXPECT_EQ(client->refusal, mqtt::ReasonCode::server_unavailable);
    EXPECT_THAT(events(), IsEmpty());
}

TEST_F(GatewayPresence, a_client_id_that_is_no_device_id_is_refused) {
    start();
    auto client = begin({.id = "not a device"});
    ASSERT_TRUE(wait([&] { return client->refusal != mqtt::ReasonCode::success; }));
    EXPECT_EQ(client->refusal, mqtt::ReasonCode::client_identifier_not_valid);
}

TEST_F(GatewayPresence, wrong_credentials_are_refused) {
    start();
    auto client = begin({.id = "dev-1", .user = "operator", .password = "guess"});
    ASSERT_TRUE(wait([&] { return client->refusal != mqtt::ReasonCode::success; }));
    EXPECT_EQ(client->refusal, mqtt::ReasonCode::bad_user_name_or_password);
}

TEST_F(GatewayPresence, an_operator_named_like_a_device_does_not_take_its_session) {
    start();
    auto client = device("dev-1");
    auto tool = connect({.id = "dev-1", .user = "operator", .password = "secret"});
    client->publish("telemetry/dev-1", "{}", 1);
    EXPECT_TRUE(wait([&] { return client->acknowledged.size() == 1; }));
}

TEST_F(GatewayPresence, a_session_that_is_not_kept_starts_anew) {
    start();
    auto first = connect({.id = "dev-1"});
    subscribe(*first, "news/x");
    first->disconnect();
    ASSERT_TRUE(wait([&] { return first->ended; }));
    EXPECT_FALSE(connect({.id = "dev-1", .clean = false})->session_present);
}

}  // namespace
}  // namespace muster
