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

TEST(SubscriptionIndex, overlapping_filters_give_a_session_one_copy_with_the_highest_qos) {
    SubscriptionIndex index(1, 100);
    index.subscribe("news/#", subscriber(7, 0));
    index.subscribe("news/+", subscriber(7, 1));
    index.subscribe("news/a", subscriber(8, 0));
    const auto matched = match(index, "news/a");
    ASSERT_EQ(matched.size(), 2U);
    EXPECT_EQ(matched[0].handle, 7U);
    EXPECT_EQ(matched[0].options.qos(), 1);
}

TEST(SubscriptionIndex, a_replaced_subscription_is_counted_once) {
    SubscriptionIndex index(1, 100);
    index.subscribe("telemetry/a", subscriber(1, 0));
    index.subscribe("telemetry/a", subscriber(1, 1));
    EXPECT_TRUE(index.unsubscribe("telemetry/a", 1));
    EXPECT_FALSE(index.unsubscribe("telemetry/a", 1));
    EXPECT_TRUE(match(index, "telemetry/a").empty());
}

mqtt::Publish retained(std::string_view topic, std::string_view payload) {
    mqtt::Publish publish;
    publish.topic = topic;
    publish.payload = payload;
    publish.retain = true;
    return publish;
}

std::string payload_of(const RetainedTable& table, std::string_view topic) {
    std::vector<mqtt::MessagePtr> found;
    table.match(topic, 10, found);
    return found.empty() ? "none" : found[0]->payload;
}

TEST(RetainedTable, an_own_publish_is_seen_at_once_and_what_lies_before_it_on_the_bus_is_passed_over) {
    RetainedTable table(1, 100, 10'000);
    table.set_own(retained("a", "own"), Millis(0));
    table.set_from_bus(retained("a", "foreign, earlier on the bus"), Millis(0));
    EXPECT_EQ(payload_of(table, "a"), "own");
    table.own_record_returned("a");
    table.set_from_bus(retained("a", "foreign, later"), Millis(0));
    EXPECT_EQ(payload_of(table, "a"), "foreign, later");
}

TEST(RetainedTable, an_own_record_that_never_comes_back_is_forgotten_in_time) {
    RetainedTable table(1, 100, 10'000);
    table.set_own(retained("a", "lost on the way"), Millis(0));
    table.set_from_bus(retained("a", "foreign"), RetainedTable::own_record_timeout);
    EXPECT_EQ(payload_of(table, "a"), "foreign");
}

TEST(RetainedTable, an_empty_payload_clears_the_topic) {
    RetainedTable table(1, 100, 10'000);
    table.set_own(retained("a", "1"), Millis(0));
    table.set_own(retained("a", ""), Millis(0));
    EXPECT_EQ(table.topics(), 0U);
    EXPECT_EQ(table.bytes(), 0U);
}

TEST(RetainedTable, is_bounded_in_topics_and_bytes) {
    RetainedTable table(1, 2, 100);
    EXPECT_TRUE(table.set_own(retained("a", "1"), Millis(0)));
    EXPECT_FALSE(table.set_own(retained("b", std::string(100, 'x')), Millis(0)));
    EXPECT_TRUE(table.set_own(retained("c", "1"), Millis(0)));
    EXPECT_FALSE(table.set_own(retained("d", "1"), Millis(0)));
    EXPECT_TRUE(table.set_own(retained("a", "2"), Millis(0)));
    EXPECT_EQ(table.bytes(), 4U);
}

Mailbox::Routed routed(std::uint8_t qos) {
    return {.message = mqtt::keep_message(retained("topic", "payload"), Millis(0)), .to = 1, .options = {.qos = qos}};
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
