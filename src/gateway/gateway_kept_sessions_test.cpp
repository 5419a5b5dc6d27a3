#include <gmock/gmock.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "gateway/gateway_fixture_test.h"
#include "gateway/session_codec.h"

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Received = TestClient::Received;

class KeptSessions : public GatewayFixture {
 protected:
    /// A kept session with this subscription, whose client has gone.
    void leave_behind(const std::string& id) {
        auto client = connect({.id = id, .clean = false});
        subscribe(*client, "news/#", 1);
        client->vanish();
        ASSERT_TRUE(wait([&] { return gateway->connections() == 0; }));
    }
    void publish(const std::string& topic, const std::vector<std::string>& payloads) {
        auto publisher = device("publisher");
        for (const std::string& payload : payloads) {
            publisher->publish(topic, payload, 1);
        }
        ASSERT_TRUE(wait([&] { return publisher->acknowledged.size() == payloads.size(); }));
    }
    /// As after kill -9: what the gateway did since `sessions` never happened.
    void restart_from(CountingSessionStore::Sessions sessions) {
        gateway.reset();
        store.reset_to(std::move(sessions));
        start();
    }
    std::vector<std::string> payloads_of(const TestClient& client) const {
        std::vector<std::string> payloads;
        for (const Received& received : client.received) {
            payloads.push_back(received.payload);
        }
        return payloads;
    }
};

TEST_F(KeptSessions, survive_a_restart_with_subscriptions_and_messages_in_order) {
    start();
    leave_behind("dev-1");
    publish("news/a", {"1", "2"});
    publish("news/b", {"3", "4"});
    gateway.reset();
    start();
    EXPECT_EQ(counter("muster_gateway_sessions_kept"), 1);
    publish("news/a", {"5"});
    auto client = connect({.id = "dev-1", .clean = false});
    EXPECT_TRUE(client->session_present);
    ASSERT_TRUE(wait([&] { return client->received.size() == 5; }));
    EXPECT_THAT(payloads_of(*client), ElementsAre("1", "2", "3", "4", "5"));
    EXPECT_THAT(client->duplicates, ElementsAre(false, false, false, false, false));
    ASSERT_TRUE(wait([&] { return store.sessions().at("dev-1").messages.empty(); }));
}

TEST_F(KeptSessions, what_was_sent_before_a_kill_is_sent_again_with_dup) {
    start();
    auto client = connect({.id = "dev-1", .clean = false});
    subscribe(*client, "news/#", 1);
    client->stop_reading();
    publish("news/a", {"1", "2", "3"});
    const auto killed = store.sessions();
    client->vanish();
    restart_from(killed);
    client = connect({.id = "dev-1", .clean = false});
    ASSERT_TRUE(wait([&] { return client->received.size() == 3; }));
    EXPECT_THAT(payloads_of(*client), ElementsAre("1", "2", "3"));
    EXPECT_THAT(client->duplicates, ElementsAre(true, true, true));
}

TEST_F(KeptSessions, a_publisher_is_answered_when_its_message_is_stored_for_every_kept_subscriber) {
    GatewayOptions options;
    options.threads = 3;
    start(options);
    for (int i = 0; i < 8; ++i) {  // on all threads
        leave_behind("dev-" + std::to_string(i));
    }
    auto publisher = device("publisher");
    store.hold_back();
    publisher->publish("news/a", "precious", 1);
    ASSERT_TRUE(wait([&] { return bus.sent(bus_topics::messages).size() == 1; }));
    publisher->publish("other/a", "of no kept session", 1);
    subscribe(*publisher, "x");  // round trips to be sure
    EXPECT_THAT(publisher->acknowledged, IsEmpty());
    store.release();
    EXPECT_TRUE(wait([&] { return publisher->acknowledged.size() == 2; }));
    for (const auto& [key, session] : store.sessions()) {
        EXPECT_EQ(session.messages.size(), 1U) << key;
    }
}

TEST_F(KeptSessions, suback_waits_until_the_subscription_is_stored) {
    start();
    auto client = connect({.id = "dev-1", .clean = false});
    store.hold_back();
    client->subscribe("news/#", 1);
    auto other = device("dev-2");
    subscribe(*other, "x");
    EXPECT_THAT(client->granted, IsEmpty());
    store.release();
    EXPECT_TRUE(wait([&] { return client->granted.size() == 1; }));
}

TEST_F(KeptSessions, a_clean_session_costs_the_store_nothing) {
    start();
    auto client = device("dev-1");
    subscribe(*client, "news/#", 1);
    publish("news/a", {"1", "2"});
    ASSERT_TRUE(wait([&] { return client->received.size() == 2; }));
    client->disconnect();
    ASSERT_TRUE(wait([&] { return gateway->connections() == 0; }));
    EXPECT_EQ(store.changes(), 0U);
}

TEST_F(KeptSessions, a_clean_connect_leaves_nothing_in_the_store) {
    start();
    leave_behind("dev-1");
    publish("news/a", {"1", "2"});
    auto client = device("dev-1");
    EXPECT_FALSE(client->session_present);
    EXPECT_TRUE(wait([&] { return store.sessions().empty(); }));
}

TEST_F(KeptSessions, a_qos_2_message_that_was_answered_before_a_kill_is_not_taken_twice) {
    start();
    auto client = connect({.id = "dev-1", .clean = false});
    // PUBLISH QoS 2, id 7, and no PUBREL.
    client->send_raw(std::string_view("\x34\x09\x00\x05other\x00\x07", 11));
    ASSERT_TRUE(wait([&] { return store.sessions()["dev-1"].packet_ids.size() == 1; }));
    const auto killed = store.sessions();
    client->vanish();
    restart_from(killed);
    auto watcher = device("watcher");
    subscribe(*watcher, "other", 1);
    client = connect({.id = "dev-1", .clean = false});
    client->send_raw(std::string_view("\x3C\x09\x00\x05other\x00\x07", 11));  // with DUP
    client->send_raw(std::string_view("\x62\x02\x00\x07", 4));                // PUBREL
    ASSERT_TRUE(wait([&] { return store.sessions()["dev-1"].packet_ids.empty(); }));
    subscribe(*watcher, "x");
    EXPECT_THAT(watcher->received, IsEmpty());
}

TEST_F(KeptSessions, a_store_that_takes_nothing_closes_the_publisher_and_serves_the_subscriber) {
    start();
    auto client = connect({.id = "dev-1", .clean = false});
    subscribe(*client, "news/#", 1);
    store.fails = true;
    auto publisher = device("publisher");
    publisher->publish("news/a", "1", 1);
    EXPECT_TRUE(wait([&] { return publisher->ended; }));
    EXPECT_THAT(publisher->acknowledged, IsEmpty());
    EXPECT_TRUE(wait([&] { return client->received.size() == 1; }));
    EXPECT_GT(counter("muster_gateway_session_store_failures_total"), 0);
    store.fails = false;
}

TEST_F(KeptSessions, damaged_rows_are_counted_and_passed_over) {
    start();
    for (const char* id : {"bad-document", "bad-message", "no-document", "later-version"}) {
        leave_behind(id);
    }
    publish("news/a", {"1", "2"});
    gateway.reset();
    auto sessions = store.sessions();
    sessions.at("bad-document").document[7] ^= 1;
    sessions.at("bad-message").messages.front().value.resize(3);
    sessions.at("no-document").document.clear();
    SessionChange later;
    later.value = "\x03 of the future";
    ByteWriter(later.value).number(crc32c(later.value));
    sessions.at("later-version").document = later.value;
    restart_from(sessions);
    EXPECT_EQ(counter("muster_gateway_sessions_loaded_total", "restored"), 1);
    EXPECT_EQ(counter("muster_gateway_sessions_loaded_total", "damaged"), 2);
    EXPECT_EQ(counter("muster_gateway_sessions_loaded_total", "newer_version"), 1);
    EXPECT_EQ(counter("muster_gateway_session_rows_lost_total"), 1);
    EXPECT_FALSE(store.sessions().contains("bad-document"));
    EXPECT_TRUE(store.sessions().contains("later-version"));
    auto client = connect({.id = "bad-message", .clean = false});
    ASSERT_TRUE(wait([&] { return client->received.size() == 1; }));
    EXPECT_THAT(payloads_of(*client), ElementsAre("2"));
}

TEST_F(KeptSessions, those_whose_time_has_passed_and_those_over_the_bound_are_forgotten) {
    const mqtt::SessionLimits limits;
    CountingSessionStore::Sessions sessions;
    const auto keep = [&](const std::string& name, std::uint32_t expiry_s, Seconds ago) {
        Session session(name, limits, Role::device);
        session.mqtt.set_session_expiry_s(expiry_s);
        const Timestamp away = std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()) - ago;
        sessions[name].key = name;
        encode_session(session, {away, Millis(0)}, sessions[name].document);
    };
    keep("a-expired", 60, Seconds(61));
    keep("b-kept", 3600, Seconds(61));
    keep("c-for-ever", mqtt::session_never_expires, Seconds(1'000'000));
    keep("d-over-the-bound", 3600, Seconds(0));
    store.reset_to(sessions);
    GatewayOptions options;
    options.limits.sessions_kept_max = 2;
    start(options);
    EXPECT_EQ(counter("muster_gateway_sessions_loaded_total", "restored"), 2);
    EXPECT_EQ(counter("muster_gateway_sessions_loaded_total", "expired"), 1);
    EXPECT_EQ(counter("muster_gateway_sessions_loaded_total", "over_bound"), 1);
    EXPECT_EQ(store.sessions().size(), 2U);
    EXPECT_TRUE(connect({.id = "b-kept", .clean = false})->session_present);
    EXPECT_FALSE(connect({.id = "a-expired", .clean = false})->session_present);
}

}  // namespace
}  // namespace muster
