#include <gmock/gmock.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "gateway/session_codec.h"
#include "gateway/wire_fixture_test.h"

namespace muster {
namespace {

using mqtt::PropertyId;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// What happens to the session and the will of a client that is away.
class GatewayAway : public WireFixture {
 protected:
    /// A device with a will on its status.
    static WireClient::Hello with_will(const std::string& id, std::uint32_t expiry_s, std::uint32_t delay_s) {
        return {.id = id,
                .clean = false,
                .properties = session_expiry(expiry_s),
                .will_topic = "status/" + id,
                .will_payload = "OFFLINE",
                .will_properties = will_delay(delay_s)};
    }
    bool tells(const std::string& id, std::size_t records) {
        return wait([&] { return events_of(id).size() >= records; });
    }
};

TEST_F(GatewayAway, a_session_ends_when_its_client_stays_away_too_long) {
    start();
    auto client = join({.id = "dev-1", .properties = session_expiry(1)});
    subscribe(*client, "news/#", 1);
    const Millis left = reactor->monotonic();
    client->vanish();
    ASSERT_TRUE(nobody_is_connected());
    EXPECT_EQ(counter("muster_gateway_sessions_kept"), 1);
    ASSERT_TRUE(wait([&] { return counter("muster_gateway_sessions_expired_total") == 1; }));
    EXPECT_GE(reactor->monotonic() - left, Millis(1000));
    EXPECT_EQ(counter("muster_gateway_sessions_kept"), 0);
    EXPECT_EQ(counter("muster_gateway_subscriptions"), 0);
    client = join({.id = "dev-1", .clean = false});
    EXPECT_THAT(client->heard[0], Not(HasSubstr("present")));
}

TEST_F(GatewayAway, a_client_that_is_back_in_time_keeps_its_session) {
    start();
    auto client = join({.id = "dev-1", .properties = session_expiry(1)});
    subscribe(*client, "news/#", 1);
    client->vanish();
    ASSERT_TRUE(nobody_is_connected());
    client = join({.id = "dev-1", .clean = false, .properties = session_expiry(60)});
    EXPECT_THAT(client->heard[0], HasSubstr("connack success present"));
    const Millis back = reactor->monotonic();
    ASSERT_TRUE(wait([&] { return reactor->monotonic() - back > Millis(1100); }));
    EXPECT_EQ(counter("muster_gateway_sessions_expired_total"), 0);
    EXPECT_EQ(counter("muster_gateway_subscriptions"), 1);
}

TEST_F(GatewayAway, a_disconnect_may_change_how_long_the_session_is_kept) {
    start();
    auto client = join({.id = "dev-1", .properties = session_expiry(60)});
    client->send("E0 07 00 05 11 00 00 00 00");
    ASSERT_TRUE(nobody_is_connected());
    EXPECT_EQ(counter("muster_gateway_sessions_kept"), 0);
    client = join({.id = "dev-1", .clean = false, .properties = session_expiry(1)});
    EXPECT_THAT(client->heard[0], Not(HasSubstr("present")));
    client->send("E0 07 00 05 11 00 00 00 3C");
    ASSERT_TRUE(closes(*client));
    const Millis left = reactor->monotonic();
    ASSERT_TRUE(wait([&] { return reactor->monotonic() - left > Millis(1100); }));
    client = join({.id = "dev-1", .clean = false});
    EXPECT_THAT(client->heard[0], HasSubstr("present"));
}

TEST_F(GatewayAway, a_session_is_kept_no_longer_than_the_limit) {
    GatewayOptions options;
    options.limits.session_expiry_s_max = 1;
    start(options);
    auto client = join({.id = "dev-1", .properties = session_expiry(mqtt::session_never_expires)});
    EXPECT_THAT(client->heard[0], HasSubstr(" session_expiry=1 "));
    client->send("E0 07 00 05 11 FF FF FF FF");
    auto old = join({.id = "dev-2", .clean = false}, v3);
    old->vanish();
    EXPECT_TRUE(wait([&] { return counter("muster_gateway_sessions_expired_total") == 2; }));
}

TEST_F(GatewayAway, a_will_waits_for_its_delay) {
    start();
    auto client = join(with_will("dev-1", 60, 1));
    const Millis left = reactor->monotonic();
    client->vanish();
    ASSERT_TRUE(tells("dev-1", 3));
    EXPECT_GE(reactor->monotonic() - left, Millis(1000));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect connection_lost", "will"));
    EXPECT_EQ(events_of("dev-1")[2].event().epoch, 1U);
    EXPECT_EQ(counter("muster_gateway_sessions_kept"), 1);
}

TEST_F(GatewayAway, a_delayed_will_is_not_published_when_the_client_is_back_in_time) {
    start();
    auto client = join(with_will("dev-1", 60, 1));
    client->vanish();
    ASSERT_TRUE(tells("dev-1", 2));
    client = join({.id = "dev-1", .clean = false, .properties = session_expiry(60)});
    EXPECT_EQ(counter("muster_gateway_wills_cancelled_total"), 1);
    const Millis back = reactor->monotonic();
    ASSERT_TRUE(wait([&] { return reactor->monotonic() - back > Millis(1100); }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect connection_lost", "connect"));
}

TEST_F(GatewayAway, a_delayed_will_is_published_at_once_when_a_take_over_ends_its_session) {
    start();
    auto client = join(with_will("dev-1", 60, 3600));
    auto second = join({.id = "dev-1", .clean = true});
    EXPECT_TRUE(closes(*client));
    EXPECT_THAT(client->heard.back(), HasSubstr("disconnect session_taken_over"));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect duplicate_client_id", "will", "connect"));
    EXPECT_EQ(events_of("dev-1")[2].event().epoch, 1U);
}

TEST_F(GatewayAway, a_delayed_will_is_not_published_when_a_take_over_resumes_its_session) {
    start();
    auto client = join(with_will("dev-1", 60, 1));
    auto second = join({.id = "dev-1", .clean = false});
    EXPECT_THAT(second->heard[0], HasSubstr("present"));
    const Millis back = reactor->monotonic();
    ASSERT_TRUE(wait([&] { return reactor->monotonic() - back > Millis(1100); }));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect duplicate_client_id", "connect"));
}

TEST_F(GatewayAway, a_delayed_will_of_an_away_client_is_published_when_a_clean_start_ends_its_session) {
    start();
    auto client = join(with_will("dev-1", 60, 3600));
    client->vanish();
    ASSERT_TRUE(tells("dev-1", 2));
    client = join({.id = "dev-1", .clean = true});
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect connection_lost", "will", "connect"));
}

TEST_F(GatewayAway, a_delayed_will_is_published_when_its_session_expires_first) {
    start();
    auto client = join(with_will("dev-1", 1, 3600));
    client->vanish();
    ASSERT_TRUE(tells("dev-1", 3));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect connection_lost", "will"));
    auto brief = join(with_will("dev-2", 0, 3600));
    brief->vanish();
    ASSERT_TRUE(tells("dev-2", 3));
    EXPECT_THAT(story_of("dev-2"), ElementsAre("connect", "will", "disconnect connection_lost"));
}

/// Delayed wills over kill -9: the store keeps them with their session.
class StoredWills : public GatewayAway {
 protected:
    SessionDocument stored(const std::string& id) const {
        const auto sessions = store.sessions();
        const auto found = sessions.find(id);
        auto document = decode_session(found == sessions.end() ? "" : found->second.document, [](const auto&) {});
        return document ? std::move(*document) : SessionDocument{};
    }
    /// As after kill -9: what the gateway did since `sessions` never happened.
    void restart_from(CountingSessionStore::Sessions sessions) {
        gateway.reset();
        store.reset_to(std::move(sessions));
        start();
    }
    void leave_behind(const std::string& id, std::uint32_t expiry_s, std::uint32_t delay_s) {
        auto client = join(with_will(id, expiry_s, delay_s));
        client->vanish();
        ASSERT_TRUE(tells(id, 2));
        ASSERT_TRUE(wait([&] { return stored(id).will && !stored(id).is_connected; }));
    }
};

TEST_F(StoredWills, are_published_once_when_they_are_due_after_a_kill) {
    start();
    leave_behind("dev-1", 60, 1);
    restart_from(store.sessions());
    ASSERT_TRUE(tells("dev-1", 3));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect connection_lost", "will"));
    const EventHeader will = events_of("dev-1")[2].event();
    EXPECT_EQ(will.epoch, 1U);
    EXPECT_EQ(will.cause, Cause::connection_lost);
    ASSERT_TRUE(wait([&] { return !stored("dev-1").will; }));
    EXPECT_EQ(counter("muster_gateway_sessions_kept"), 1);
    restart_from(store.sessions());
    auto client = join({.id = "dev-1", .clean = false});
    EXPECT_THAT(client->heard[0], HasSubstr("present"));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect connection_lost", "will", "connect"));
}

TEST_F(StoredWills, are_not_published_when_the_client_is_back_after_a_kill) {
    start();
    leave_behind("dev-1", 60, 3600);
    restart_from(store.sessions());
    auto client = join({.id = "dev-1", .clean = false, .properties = session_expiry(60)});
    EXPECT_THAT(client->heard[0], HasSubstr("present"));
    EXPECT_EQ(counter("muster_gateway_wills_cancelled_total"), 1);
    EXPECT_TRUE(wait([&] { return stored("dev-1").is_connected && !stored("dev-1").will; }));
}

TEST_F(StoredWills, of_a_client_that_was_there_at_the_kill_are_published_when_it_does_not_come_back) {
    start();
    auto client = join(with_will("dev-1", 60, 1));
    ASSERT_TRUE(wait([&] { return stored("dev-1").is_connected; }));
    restart_from(store.sessions());
    ASSERT_TRUE(tells("dev-1", 3));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect server_shutdown", "will"));
    EXPECT_EQ(events_of("dev-1")[2].event().cause, Cause::gateway_lost);
}

TEST_F(StoredWills, are_published_when_their_session_expired_while_no_gateway_was_there) {
    const mqtt::SessionLimits limits;
    Session session("dev-1", limits, Role::device);
    session.mqtt.set_session_expiry_s(60);
    mqtt::Will will;
    will.topic = "status/dev-1";
    std::string properties;
    mqtt::PropertyWriter(properties).number(PropertyId::will_delay, 3600);
    will.properties = mqtt::Properties(properties);
    session.will = mqtt::PackedWill(will);
    CountingSessionStore::Sessions sessions;
    sessions["dev-1"].key = "dev-1";
    const Timestamp now = std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
    encode_session(session, {now - Seconds(61), Millis(0)}, sessions["dev-1"].document);
    store.reset_to(std::move(sessions));
    start();
    ASSERT_TRUE(tells("dev-1", 1));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("will"));
    EXPECT_TRUE(wait([&] { return store.sessions().empty(); }));
}

TEST_F(StoredWills, stay_in_the_store_until_the_bus_has_them) {
    start();
    bus.hold_back();
    auto client = join(with_will("dev-1", 60, 1));
    client->vanish();
    ASSERT_TRUE(tells("dev-1", 3)) << "handed to the bus, not yet durable";
    auto other = join({.id = "dev-2"});
    EXPECT_TRUE(stored("dev-1").will);
    bus.release();
    EXPECT_TRUE(wait([&] { return !stored("dev-1").will; }));
}

TEST_F(StoredWills, the_documents_of_an_earlier_version_have_none) {
    start();
    leave_behind("dev-1", 60, 3600);
    gateway.reset();
    auto sessions = store.sessions();
    std::string& document = sessions.at("dev-1").document;
    document.resize(document.size() - 4 - stored("dev-1").will.bytes().size() - 4 - 1);
    document[0] = 1;
    ByteWriter(document).number(crc32c(document));
    restart_from(sessions);
    auto client = join({.id = "dev-1", .clean = false});
    EXPECT_THAT(client->heard[0], HasSubstr("present"));
    EXPECT_EQ(counter("muster_gateway_wills_cancelled_total"), 0);
}

TEST_F(GatewayAway, a_good_bye_discards_the_will_unless_it_asks_for_it) {
    start();
    auto client = join(with_will("dev-1", 60, 0));
    client->send("E0 00");
    ASSERT_TRUE(tells("dev-1", 2));
    EXPECT_THAT(story_of("dev-1"), ElementsAre("connect", "disconnect client_disconnect"));
    auto other = join(with_will("dev-2", 60, 0));
    other->send("E0 01 04");
    ASSERT_TRUE(tells("dev-2", 3));
    EXPECT_THAT(story_of("dev-2"), ElementsAre("connect", "will", "disconnect client_disconnect"));
}

TEST_F(GatewayAway, a_will_carries_its_properties_and_its_expiry_begins_when_it_is_published) {
    start();
    auto listener = join({.id = "listener"});
    subscribe(*listener, "news/#", 1);
    auto client = join({.id = "dev-1",
                        .properties = session_expiry(60),
                        .will_topic = "news/will",
                        .will_payload = "gone",
                        .will_qos = 1,
                        .will_properties = will_delay(1)
                                               .user("b", "1")
                                               .number(PropertyId::message_expiry, 100)
                                               .text(PropertyId::content_type, "text/plain")
                                               .user("a", "2")});
    client->vanish();
    ASSERT_TRUE(hears(*listener, 3));
    EXPECT_EQ(listener->heard[2], "publish news/will 'gone' q1 #1 b:1 type=text/plain a:2 expiry=100");
}

TEST_F(GatewayAway, what_expired_while_the_client_was_away_is_not_sent) {
    start();
    auto client = join({.id = "dev-1", .properties = session_expiry(60)});
    subscribe(*client, "news/#", 1);
    client->vanish();
    ASSERT_TRUE(nobody_is_connected());
    auto publisher = join({.id = "dev-2"});
    const auto publish = [&](std::uint16_t packet_id, std::uint32_t expiry_s) {
        publisher->publish({.topic = "news/a",
                            .payload = std::to_string(expiry_s),
                            .qos = 1,
                            .packet_id = packet_id,
                            .properties = PropertyBlock().number(PropertyId::message_expiry, expiry_s)});
    };
    publish(1, 1);
    publish(2, 60);
    ASSERT_TRUE(hears(*publisher, 3));
    const Millis sent = reactor->monotonic();
    ASSERT_TRUE(wait([&] { return reactor->monotonic() - sent > Millis(1100); }));
    client = join({.id = "dev-1", .clean = false});
    ASSERT_TRUE(hears(*client, 2));
    EXPECT_THAT(heard_until_now(*client),
                ElementsAre(::testing::MatchesRegex("publish news/a '60' q1 #2 expiry=5[89]")));
}

TEST_F(GatewayAway, what_was_in_flight_is_sent_again_with_dup) {
    start();
    auto client = join({.id = "dev-1", .properties = session_expiry(60)});
    subscribe(*client, "news/#", 2);
    client->publish({.topic = "news/a", .payload = "1", .qos = 1, .packet_id = 7});
    client->publish({.topic = "news/a", .payload = "2", .qos = 2, .packet_id = 8});
    client->publish({.topic = "news/a", .payload = "3", .qos = 2, .packet_id = 9});
    ASSERT_TRUE(hears(*client, 8));
    client->ack(mqtt::PacketType::pubrec, 3);
    ASSERT_TRUE(hears(*client, 9));
    EXPECT_EQ(client->heard[8], "pubrel #3");
    client->vanish();
    ASSERT_TRUE(nobody_is_connected());
    client = join({.id = "dev-1", .clean = false});
    EXPECT_THAT(heard_until_now(*client),
                ElementsAre("publish news/a '1' q1 #1 dup", "publish news/a '2' q2 #2 dup", "pubrel #3"));
}

/// Shared subscriptions.
class GatewayShared : public WireFixture {
 protected:
    static std::size_t publishes(const WireClient& client) {
        return static_cast<std::size_t>(std::count_if(client.heard.begin(), client.heard.end(), [](const auto& packet) {
            return packet.starts_with("publish ");
        }));
    }
};

TEST_F(GatewayShared, each_message_goes_to_one_member_and_they_take_turns_across_threads) {
    start({.threads = 4});
    std::vector<std::unique_ptr<WireClient>> workers;
    for (int i = 0; i < 6; ++i) {
        workers.push_back(join({.id = "worker-" + std::to_string(i)}));
        subscribe(*workers.back(), "$share/crew/jobs/#", 1);
    }
    auto watcher = join({.id = "watcher"});
    subscribe(*watcher, "jobs/#", 1);
    auto publisher = join({.id = "dev-1"});
    for (std::uint16_t id = 1; id <= 30; ++id) {
        publisher->publish({.topic = "jobs/x", .payload = std::to_string(id), .qos = 1, .packet_id = id});
    }
    ASSERT_TRUE(hears(*watcher, 32));
    ASSERT_TRUE(wait([&] {
        std::size_t got = 0;
        for (const auto& worker : workers) {
            got += publishes(*worker);
        }
        return got == 30;
    }));
    for (const auto& worker : workers) {
        (void)heard_until_now(*worker);
        EXPECT_EQ(publishes(*worker), 5U);
    }
}

TEST_F(GatewayShared, a_member_that_is_away_gets_nothing_while_another_is_there) {
    start({.threads = 2});
    auto away = join({.id = "away", .properties = session_expiry(60)});
    subscribe(*away, "$share/crew/jobs/#", 1);
    auto there = join({.id = "there"});
    subscribe(*there, "$share/crew/jobs/#", 1);
    away->vanish();
    ASSERT_TRUE(wait([&] { return gateway->connections() == 1; }));
    auto publisher = join({.id = "dev-1"});
    for (std::uint16_t id = 1; id <= 10; ++id) {
        publisher->publish({.topic = "jobs/x", .payload = "x", .qos = 1, .packet_id = id});
    }
    EXPECT_TRUE(wait([&] { return publishes(*there) == 10; }));
}

TEST_F(GatewayShared, what_a_member_did_not_acknowledge_goes_to_another_when_it_leaves) {
    start({.threads = 3});
    auto leaver = join({.id = "leaver", .properties = session_expiry(60)});
    subscribe(*leaver, "$share/crew/jobs/#", 2);
    auto publisher = join({.id = "dev-1"});
    publisher->publish({.topic = "jobs/x", .payload = "1", .qos = 1, .packet_id = 1});
    publisher->publish({.topic = "jobs/x", .payload = "2", .qos = 2, .packet_id = 2});
    ASSERT_TRUE(hears(*leaver, 4));
    auto stayer = join({.id = "stayer"});
    subscribe(*stayer, "$share/crew/jobs/#", 2, PropertyBlock().number(PropertyId::subscription_identifier, 5));
    leaver->vanish();
    ASSERT_TRUE(hears(*stayer, 3));
    EXPECT_EQ(stayer->heard[2], "publish jobs/x '1' q1 #1 id=5");
    // The QoS 2 message had been sent: it stays with the session in which that began.
    leaver = join({.id = "leaver", .clean = false});
    EXPECT_THAT(heard_until_now(*leaver), ElementsAre("publish jobs/x '2' q2 #2 dup"));
    EXPECT_THAT(heard_until_now(*stayer, 3), IsEmpty());
}

TEST_F(GatewayShared, what_waits_for_a_group_without_anyone_there_is_kept_for_its_members) {
    start();
    auto client = join({.id = "dev-1", .properties = session_expiry(60)});
    subscribe(*client, "$share/crew/jobs/#", 1);
    client->vanish();
    ASSERT_TRUE(nobody_is_connected());
    auto publisher = join({.id = "dev-2"});
    publisher->publish({.topic = "jobs/x", .payload = "1", .qos = 1, .packet_id = 1});
    ASSERT_TRUE(hears(*publisher, 2));
    client = join({.id = "dev-1", .clean = false});
    EXPECT_THAT(heard_until_now(*client), ElementsAre("publish jobs/x '1' q1 #1"));
}

TEST_F(GatewayShared, no_retained_messages_are_sent_at_subscribe) {
    start();
    auto client = join({.id = "dev-1"});
    client->publish({.topic = "jobs/x", .payload = "kept", .retain = true});
    subscribe(*client, "$share/crew/jobs/#", 1);
    EXPECT_THAT(heard_until_now(*client, 2), IsEmpty());
}

TEST_F(GatewayShared, malformed_and_foreign_shared_filters_are_refused_and_no_local_is_an_error) {
    start();
    auto client = join({.id = "dev-1"});
    for (const char* filter : {"$share/crew", "$share//a", "$share/cr+w/a", "$share/crew/", "$share/crew/a#"}) {
        subscribe(*client, filter);
        EXPECT_THAT(client->heard.back(), HasSubstr("suback #1 topic_filter_invalid")) << filter;
    }
    subscribe(*client, "$share/crew/telemetry/+");
    EXPECT_THAT(client->heard.back(), HasSubstr("suback #1 not_authorized"));
    client->subscribe("$share/crew/jobs/#", 0x04);
    ASSERT_TRUE(closes(*client));
    EXPECT_THAT(client->heard.back(), HasSubstr("disconnect protocol_error"));
}

}  // namespace
}  // namespace muster
