#include "gateway/subscription_index.h"

#include <map>

#include <gtest/gtest.h>

#include "gateway/mailbox.h"
#include "gateway/retained_table.h"

namespace muster {
namespace {

mqtt::Subscriber subscriber(std::uint64_t handle, std::uint8_t qos = 0) {
    return {.handle = handle, .options = mqtt::SubscriptionOptions::of_qos(qos)};
}

std::vector<Recipient> match(const SubscriptionIndex& index, std::string_view topic) {
    std::vector<Recipient> matched;
    index.match(topic, matched);
    return matched;
}

TEST(SubscriptionIndex, finds_filters_of_every_kind_of_first_level) {
    SubscriptionIndex index(1, 100);
    const char* filters[] = {"telemetry/#", "status/+", "$aws/things/a/#", "+/w", "news/a"};
    const char* topics[] = {"telemetry/b", "status/b", "$aws/things/a/x", "other/w", "news/a"};
    for (std::uint64_t i = 0; i < 5; ++i) {
        EXPECT_TRUE(match(index, topics[i]).empty());
        index.subscribe(filters[i], subscriber(i));
        EXPECT_FALSE(match(index, topics[i]).empty()) << topics[i];
    }
    for (std::uint64_t i = 0; i < 5; ++i) {
        EXPECT_TRUE(index.unsubscribe(filters[i], i));
        EXPECT_TRUE(match(index, topics[i]).empty()) << topics[i];
    }
    EXPECT_EQ(index.subscriptions(), 0U);
}

TEST(SubscriptionIndex, a_leading_wildcard_does_not_match_a_dollar_topic) {
    SubscriptionIndex index(1, 100);
    index.subscribe("#", subscriber(1));
    EXPECT_TRUE(match(index, "$aws/events/x").empty());
    EXPECT_EQ(match(index, "telemetry/a").size(), 1U);
}

TEST(SubscriptionIndex, overlapping_filters_of_a_session_stand_together) {
    SubscriptionIndex index(1, 100);
    index.subscribe("news/#", subscriber(7, 0));
    index.subscribe("news/a", subscriber(8, 0));
    index.subscribe("news/+", subscriber(7, 1));
    const auto matched = match(index, "news/a");
    ASSERT_EQ(matched.size(), 3U);
    EXPECT_EQ(matched[0].subscriber.handle, 7U);
    EXPECT_EQ(matched[1].subscriber.handle, 7U);
    EXPECT_EQ(matched[2].subscriber.handle, 8U);
}

TEST(SubscriptionIndex, a_shared_subscription_takes_turns_among_the_connected) {
    SubscriptionIndex index(1, 100);
    for (std::uint64_t handle = 1; handle <= 4; ++handle) {
        index.subscribe("$share/workers/jobs/#", subscriber(handle), handle != 4);
    }
    std::map<std::uint64_t, int> got;
    for (int i = 0; i < 30; ++i) {
        const auto matched = match(index, "jobs/1");
        ASSERT_EQ(matched.size(), 1U);
        EXPECT_NE(matched[0].share, 0U);
        ++got[matched[0].subscriber.handle];
    }
    EXPECT_EQ(got, (std::map<std::uint64_t, int>{{1, 10}, {2, 10}, {3, 10}}));
    for (std::uint64_t handle = 1; handle <= 3; ++handle) {
        index.note_connected("$share/workers/jobs/#", handle, false);
    }
    index.note_connected("$share/workers/jobs/#", 4, true);
    EXPECT_EQ(match(index, "jobs/1")[0].subscriber.handle, 4U);
    EXPECT_EQ(index.subscriptions(), 4U);
    for (std::uint64_t handle = 1; handle <= 4; ++handle) {
        EXPECT_TRUE(index.unsubscribe("$share/workers/jobs/#", handle));
        EXPECT_FALSE(index.unsubscribe("$share/workers/jobs/#", handle));
    }
    EXPECT_TRUE(match(index, "jobs/1").empty());
    EXPECT_EQ(index.subscriptions(), 0U);
}

TEST(SubscriptionIndex, groups_and_filters_of_other_names_are_other_shared_subscriptions) {
    SubscriptionIndex index(1, 100);
    index.subscribe("$share/a/jobs/#", subscriber(1));
    index.subscribe("$share/b/jobs/#", subscriber(1));
    index.subscribe("$share/a/jobs/1", subscriber(1));
    index.subscribe("jobs/1", subscriber(1));
    EXPECT_EQ(match(index, "jobs/1").size(), 4U);
    EXPECT_TRUE(match(index, "$share/a/jobs/1").empty());
}

TEST(SubscriptionIndex, another_member_of_a_shared_subscription_is_connected_if_any_is) {
    SubscriptionIndex index(1, 100);
    const std::string filter = "$share/workers/jobs/#";
    index.subscribe(filter, subscriber(1), false);
    const std::uint32_t share = match(index, "jobs/1")[0].share;
    EXPECT_FALSE(index.other_member(share, 1, false));
    index.subscribe(filter, subscriber(2), false);
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(index.other_member(share, 1, false)->subscriber.handle, 2U);
        EXPECT_FALSE(index.other_member(share, 1, true));
    }
    index.subscribe(filter, subscriber(3), true);
    index.note_connected(filter, 1, true);
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(index.other_member(share, 1, false)->subscriber.handle, 3U);
        EXPECT_EQ(index.other_member(share, 1, true)->subscriber.handle, 3U);
    }
    EXPECT_FALSE(index.other_member(share + 1, 1, false));
}

TEST(SubscriptionIndex, shared_subscriptions_count_against_the_bound) {
    SubscriptionIndex index(1, 2);
    using Outcome = mqtt::SubscriptionTree::Outcome;
    EXPECT_EQ(index.subscribe("$share/a/x", subscriber(1)), Outcome::added);
    EXPECT_EQ(index.subscribe("$share/a/x", subscriber(2)), Outcome::added);
    EXPECT_EQ(index.subscribe("$share/a/x", subscriber(2)), Outcome::replaced);
    EXPECT_EQ(index.subscribe("$share/a/x", subscriber(3)), Outcome::full);
    EXPECT_EQ(index.subscribe("$share/b/x", subscriber(3)), Outcome::full);
    EXPECT_EQ(index.subscribe("y", subscriber(3)), Outcome::full);
}

TEST(SubscriptionIndex, a_replaced_subscription_is_counted_once) {
    SubscriptionIndex index(1, 100);
    index.subscribe("telemetry/a", subscriber(1, 0));
    index.subscribe("telemetry/a", subscriber(1, 1));
    EXPECT_TRUE(index.unsubscribe("telemetry/a", 1));
    EXPECT_FALSE(index.unsubscribe("telemetry/a", 1));
    EXPECT_TRUE(match(index, "telemetry/a").empty());
}

mqtt::MessagePtr retained(std::string_view topic, std::string_view payload, mqtt::Properties properties = {}) {
    mqtt::Publish publish;
    publish.topic = topic;
    publish.payload = payload;
    publish.properties = properties;
    publish.retain = true;
    return mqtt::keep_message(publish, Millis(0));
}

bool set_own(RetainedTable& table, std::string_view topic, std::string_view payload) {
    mqtt::OutgoingMessage message(retained(topic, payload));
    return table.set_own(message, Millis(0));
}

void set_from_bus(RetainedTable& table, std::string_view topic, std::string_view payload, Millis now = Millis(0)) {
    mqtt::OutgoingMessage message(retained(topic, payload));
    EXPECT_TRUE(table.set_from_bus(message, now));
}

std::string payload_of(const RetainedTable& table, std::string_view topic, Millis now = Millis(0)) {
    std::vector<mqtt::MessagePtr> found;
    table.match(topic, 10, now, found);
    return found.empty() ? "none" : found[0]->payload;
}

TEST(RetainedTable, an_own_publish_is_seen_at_once_and_what_lies_before_it_on_the_bus_is_passed_over) {
    RetainedTable table(1, 100, 10'000);
    set_own(table, "a", "own");
    set_from_bus(table, "a", "foreign, earlier on the bus");
    EXPECT_EQ(payload_of(table, "a"), "own");
    table.own_record_returned("a");
    set_from_bus(table, "a", "foreign, later");
    EXPECT_EQ(payload_of(table, "a"), "foreign, later");
}

TEST(RetainedTable, an_own_record_that_never_comes_back_is_forgotten_in_time) {
    RetainedTable table(1, 100, 10'000);
    set_own(table, "a", "lost on the way");
    set_from_bus(table, "a", "foreign", RetainedTable::own_record_timeout);
    EXPECT_EQ(payload_of(table, "a"), "foreign");
}

TEST(RetainedTable, an_expired_message_is_no_longer_found) {
    RetainedTable table(1, 100, 10'000);
    std::string block;
    mqtt::PropertyWriter(block).number(mqtt::PropertyId::message_expiry, 5);
    mqtt::OutgoingMessage message(retained("a", "short-lived", mqtt::Properties(block)));
    EXPECT_TRUE(table.set_own(message, Millis(0)));
    EXPECT_EQ(payload_of(table, "a", Millis(4999)), "short-lived");
    EXPECT_EQ(payload_of(table, "a", Millis(5000)), "none");
}

TEST(RetainedTable, an_expired_message_gives_its_room_back_with_the_next_change) {
    RetainedTable table(1, 100, 10'000);
    std::string block;
    mqtt::PropertyWriter(block).number(mqtt::PropertyId::message_expiry, 5);
    for (const char* topic : {"a", "b", "c"}) {
        mqtt::OutgoingMessage message(retained(topic, "short-lived", mqtt::Properties(block)));
        EXPECT_TRUE(table.set_own(message, Millis(0)));
    }
    set_own(table, "b", "for ever");
    mqtt::OutgoingMessage late(retained("d", "x"));
    EXPECT_TRUE(table.set_own(late, Millis(5000)));
    EXPECT_EQ(table.topics(), 2U);
    EXPECT_EQ(table.bytes(), 11U);
    mqtt::OutgoingMessage expired(retained("b", "dead on arrival", mqtt::Properties(block)));
    EXPECT_TRUE(table.set_own(expired, Millis(5000)));
    EXPECT_EQ(table.topics(), 1U);
}

TEST(RetainedTable, an_empty_payload_clears_the_topic) {
    RetainedTable table(1, 100, 10'000);
    set_own(table, "a", "1");
    set_own(table, "a", "");
    EXPECT_EQ(table.topics(), 0U);
    EXPECT_EQ(table.bytes(), 0U);
}

TEST(RetainedTable, is_bounded_in_topics_and_bytes) {
    RetainedTable table(1, 2, 100);
    EXPECT_TRUE(set_own(table, "a", "1"));
    EXPECT_FALSE(set_own(table, "b", std::string(100, 'x')));
    EXPECT_TRUE(set_own(table, "c", "1"));
    EXPECT_FALSE(set_own(table, "d", "1"));
    EXPECT_TRUE(set_own(table, "a", "2"));
    EXPECT_EQ(table.bytes(), 4U);
}

Mailbox::Routed routed(std::uint8_t qos) {
    return {.message = retained("topic", "payload"), .to = 1, .options = {.qos = qos}};
}

TEST(Mailbox, wakes_its_owner_once_and_gives_everything_out) {
    Mailbox mailbox(10, 1000);
    std::vector<Mailbox::Routed> batch = {routed(0), routed(1)};
    EXPECT_TRUE(mailbox.put(batch).wake);
    EXPECT_TRUE(batch.empty());
    EXPECT_FALSE(mailbox.put(Mailbox::Order{.device = "dev-1", .message = {}}).wake);
    Mailbox::Content content;
    mailbox.take(content);
    EXPECT_EQ(content.routed.size(), 2U);
    EXPECT_EQ(content.orders.size(), 1U);
    EXPECT_EQ(mailbox.size(), 0U);
}

TEST(Mailbox, over_its_bound_it_drops_qos_0_and_says_that_it_is_full) {
    Mailbox mailbox(2, 1000);
    std::vector<Mailbox::Routed> batch = {routed(0), routed(0), routed(0), routed(1)};
    const Mailbox::PutResult put = mailbox.put(batch);
    EXPECT_EQ(put.dropped, 1U);
    EXPECT_TRUE(put.is_full);
    EXPECT_EQ(mailbox.size(), 3U);
    mailbox.close();
    mailbox.wait_for_room();
}

}  // namespace
}  // namespace muster
