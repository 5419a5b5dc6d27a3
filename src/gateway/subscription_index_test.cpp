#include "gateway/subscription_index.h"

#include <gtest/gtest.h>

#include "gateway/mailbox.h"
#include "gateway/retained_table.h"

namespace muster {
namespace {

mqtt::Subscriber subscriber(std::uint64_t handle, std::uint8_t qos = 0) {
    return {.handle = handle, .options = mqtt::SubscriptionOptions::of_qos(qos)};
}

std::vector<mqtt::Subscriber> match(const SubscriptionIndex& index, std::string_view topic) {
    std::vector<mqtt::Subscriber> matched;
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
    EXPECT_EQ(matched[0].handle, 7U);
    EXPECT_EQ(matched[1].handle, 7U);
    EXPECT_EQ(matched[2].handle, 8U);
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
