#include "mqtt/packed_will.h"

#include <string>

#include <gtest/gtest.h>

#include "mqtt/properties.h"

namespace muster::mqtt {
namespace {

constexpr Millis start{1'000};

PackedWill plain(std::string_view topic, std::string_view payload = {}) {
    return PackedWill(Will{.topic = topic, .payload = payload, .properties = {}});
}

PackedWill with_all(std::string& block) {
    PropertyWriter(block)
        .number(PropertyId::will_delay, 30)
        .user("b", "1")
        .number(PropertyId::message_expiry, 60)
        .text(PropertyId::content_type, "text/plain")
        .user("a", "2");
    return PackedWill(
        Will{.topic = "status/d", .payload = "OFFLINE", .properties = Properties(block), .qos = 2, .retain = true});
}

TEST(PackedWill, is_what_the_client_said) {
    std::string block;
    const PackedWill will = with_all(block);
    block.assign(block.size(), 'x');  // it is a copy
    EXPECT_EQ(will.delay_s(), 30U);
    const MessagePtr message = will.published_at(start, 7);
    EXPECT_EQ(message->topic, "status/d");
    EXPECT_EQ(message->payload, "OFFLINE");
    EXPECT_EQ(message->qos, 2);
    EXPECT_TRUE(message->retain);
    EXPECT_EQ(message->publisher, 7U);
    EXPECT_EQ(message->expiry_s, 60U);
    EXPECT_EQ(message->published, start);
    std::string said;
    for (const Property& property : Properties(message->properties)) {
        said.append(property.text).append("=").append(property.value).append(" ");
    }
    EXPECT_EQ(said, "b=1 text/plain= a=2 ") << "in their order, without those of one hop";
}

TEST(PackedWill, may_be_as_large_as_a_will_can_be_and_as_small) {
    const std::string topic(65'535, 't');
    const std::string payload(65'535, '\0');
    const MessagePtr large = plain(topic, payload).published_at(start, 0);
    EXPECT_EQ(large->topic, topic);
    EXPECT_EQ(large->payload, payload);
    EXPECT_FALSE(large->expiry_s);
    const MessagePtr small = plain("t").published_at(start, 0);
    EXPECT_EQ(small->payload, "");
    EXPECT_EQ(small->qos, 0);
    EXPECT_FALSE(small->retain);
}

TEST(PackedWill, there_may_be_none) {
    PackedWill none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.delay_s(), 0U);
    EXPECT_EQ(none.bytes(), "");
    PackedWill will = plain("t");
    EXPECT_TRUE(will);
    will.reset();
    EXPECT_FALSE(will);
}

TEST(PackedWill, is_read_back_from_its_bytes) {
    std::string block;
    const PackedWill will = with_all(block);
    const auto read = PackedWill::parse(will.bytes());
    ASSERT_TRUE(read);
    EXPECT_EQ(read->bytes(), will.bytes());
}

TEST(PackedWill, bytes_that_are_no_will_are_refused) {
    std::string block;
    const PackedWill will = with_all(block);
    const std::string whole(will.bytes());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(PackedWill::parse(whole.substr(0, size))) << size;
    }
    EXPECT_FALSE(PackedWill::parse(whole + 'x'));
    const auto with_byte = [&](std::size_t at, char byte) {
        std::string bytes = whole;
        bytes[at] = byte;
        return PackedWill::parse(bytes).has_value();
    };
    EXPECT_FALSE(with_byte(4, 3)) << "QoS 3";
    EXPECT_FALSE(with_byte(4, 16)) << "a flag of the future";
    EXPECT_FALSE(with_byte(15, '#')) << "a wildcard in the topic";
    EXPECT_FALSE(with_byte(whole.find('\x26'), 0x7F)) << "an unknown property";
}

/// What a will adds to an idle session: a pointer, and one block of what the client said and 17 bytes.
TEST(PackedWill, costs_one_small_block) {
    EXPECT_EQ(sizeof(PackedWill), sizeof(void*));
    const PackedWill will = plain("status/device-000017", "OFFLINE");
    EXPECT_EQ(will.bytes().size(), 17U + 20U + 7U);
}

}  // namespace
}  // namespace muster::mqtt
