#include <deque>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "mqtt/packet_bytes.h"

namespace muster::mqtt {
namespace {

constexpr auto v3 = ProtocolVersion::v3_1_1;
constexpr auto v5 = ProtocolVersion::v5;

/// Makes valid packets at random; what they view lives as long as the generator.
class PacketGenerator {
 public:
    PacketGenerator(Random& random, ProtocolVersion version) : random_(random), version_(version) {}

    [[nodiscard]] std::string_view text(std::size_t least = 0) {
        static constexpr std::string_view letters[] = {
            "a", "Z", "0", "/", "-", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
        std::string& made = owned_.emplace_back();
        for (std::size_t left = least + random_.below(40); left > 0; --left) {
            made += letters[random_.below(std::size(letters))];
        }
        return made;
    }
    [[nodiscard]] std::string_view binary(std::size_t most) {
        std::string& made = owned_.emplace_back(random_.below(most + 1), '\0');
        for (char& c : made) {
            c = static_cast<char>(random_.next());
        }
        return made;
    }
    [[nodiscard]] std::uint16_t packet_id() { return static_cast<std::uint16_t>(1 + random_.below(65'535)); }
    [[nodiscard]] std::uint8_t qos() { return static_cast<std::uint8_t>(random_.below(3)); }

    [[nodiscard]] Properties properties(bool is_message) {
        if (version_ != v5 || random_.chance(0.3)) {
            return {};
        }
        std::string& block = owned_.emplace_back();
        PropertyWriter writer(block);
        if (is_message && random_.chance(0.5)) {
            writer.number(PropertyId::message_expiry, static_cast<std::uint32_t>(random_.next()));
        }
        if (is_message && random_.chance(0.5)) {
            writer.text(PropertyId::correlation_data, binary(20)).text(PropertyId::response_topic, text(1));
        }
        while (random_.chance(0.5)) {
            writer.user(text(), text());
        }
        return Properties(block);
    }
    [[nodiscard]] Publish publish() {
        Publish made;
        made.topic = text(1);
        made.payload = binary(random_.chance(0.1) ? 20'000 : 300);
        made.properties = properties(true);
        made.qos = qos();
        made.packet_id = made.qos == 0 ? std::uint16_t{0} : packet_id();
        made.retain = random_.chance(0.5);
        made.duplicate = made.qos != 0 && random_.chance(0.5);
        return made;
    }
    [[nodiscard]] Connect connect() {
        Connect made;
        made.version = version_;
        made.clean_start = random_.chance(0.5);
        made.keep_alive_s = static_cast<std::uint16_t>(random_.next());
        made.client_id = text(1);
        made.properties = properties(false);
        if (random_.chance(0.5)) {
            made.will = Will{text(1), binary(100), properties(true), qos(), random_.chance(0.5)};
        }
        if (random_.chance(0.5)) {
            made.user_name = text();
        }
        if (made.user_name && random_.chance(0.5)) {
            made.password = binary(30);
        }
        return made;
    }
    [[nodiscard]] Subscribe subscribe() {
        std::string& block = owned_.emplace_back();
        do {
            SubscribeEntry{text(), SubscriptionOptions::of_qos(qos())}.append_to(block);
        } while (random_.chance(0.5));
        return {packet_id(), properties(false), EncodedRange<SubscribeEntry>(block)};
    }
    [[nodiscard]] Unsubscribe unsubscribe() {
        std::string& block = owned_.emplace_back();
        do {
            UnsubscribeEntry{text()}.append_to(block);
        } while (random_.chance(0.5));
        return {packet_id(), properties(false), EncodedRange<UnsubscribeEntry>(block)};
    }
    [[nodiscard]] Packet packet() {
        switch (random_.below(6)) {
            case 0:
                return connect();
            case 1:
                return subscribe();
            case 2:
                return unsubscribe();
            case 3:
                return Ack{static_cast<PacketType>(4 + random_.below(4)), packet_id(), ReasonCode::success,
                           properties(false)};
            case 4:
                return Suback{packet_id(), properties(false), std::string_view("\0\1\2\x80", 4)};
            default:
                return publish();
        }
    }

 private:
    Random& random_;
    ProtocolVersion version_;
    std::deque<std::string> owned_;
};

TEST(RoundTrip, random_packets_come_back_the_same_in_both_versions) {
    for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
        Random random(seed);
        const ProtocolVersion version = random.chance(0.5) ? v5 : v3;
        PacketGenerator generator(random, version);
        const std::string bytes = encoded(version, generator.packet());
        const auto decoded = decode(version, only_packet(bytes));
        ASSERT_TRUE(decoded) << "seed " << seed << ": " << decoded.error().text;
        EXPECT_EQ(encoded(version, *decoded), bytes) << "seed " << seed;
    }
}

TEST(RoundTrip, a_random_publish_keeps_every_field) {
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        Random random(seed);
        const ProtocolVersion version = random.chance(0.5) ? v5 : v3;
        PacketGenerator generator(random, version);
        const Publish sent = generator.publish();
        const std::string bytes = encoded(version, sent);
        EXPECT_EQ(bytes.size(), encoded_size(version, sent));
        const auto got = decode_publish(version, only_packet(bytes));
        ASSERT_TRUE(got) << "seed " << seed << ": " << got.error().text;
        EXPECT_EQ(got->topic, sent.topic);
        EXPECT_EQ(got->payload, sent.payload);
        EXPECT_EQ(got->properties.bytes(), sent.properties.bytes());
        EXPECT_EQ(got->packet_id, sent.packet_id);
        EXPECT_EQ(got->qos, sent.qos);
        EXPECT_EQ(got->retain, sent.retain);
        EXPECT_EQ(got->duplicate, sent.duplicate);
    }
}

TEST(RoundTrip, bytes_changed_at_random_never_decode_to_something_that_encodes_longer) {
    for (std::uint64_t seed = 1; seed <= 5000; ++seed) {
        Random random(seed);
        const ProtocolVersion version = random.chance(0.5) ? v5 : v3;
        PacketGenerator generator(random, version);
        std::string bytes = encoded(version, generator.packet());
        for (std::uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
            bytes[random.below(bytes.size())] = static_cast<char>(random.next());
        }
        const Frame frame = next_packet(bytes, packet_bytes_ceiling);
        if (frame.status != Frame::Status::packet) {
            continue;
        }
        if (const auto decoded = decode(version, frame.packet)) {
            EXPECT_LE(encoded(version, *decoded).size(), frame.size) << "seed " << seed;
        }
    }
}

TEST(Encode, a_3_1_1_client_is_not_sent_what_it_does_not_know) {
    std::string block;
    PropertyWriter(block).user("k", "v");
    EXPECT_EQ(encoded(v3, Ack{PacketType::puback, 7, ReasonCode::quota_exceeded, Properties(block)}),
              packet_bytes("40 02 00 07"));
    EXPECT_EQ(encoded(v3, Connack{false, ReasonCode::banned, Properties(block)}), packet_bytes("20 02 00 05"));
    EXPECT_EQ(encoded(v3, Disconnect{ReasonCode::server_busy, Properties(block)}), packet_bytes("E0 00"));
    EXPECT_EQ(encoded(v3, Unsuback{7, {}, std::string_view("\0", 1)}), packet_bytes("B0 02 00 07"));
    EXPECT_EQ(encoded(v3, Suback{7, {}, "\x9E\x01"}), packet_bytes("90 04 00 07 80 01"));
}

TEST(Encode, duplicate_can_be_set_and_cleared_afterwards) {
    std::string bytes = encoded(v3, Publish{"a", "x", {}, 9, 1, true, false});
    set_duplicate(bytes, true);
    EXPECT_EQ(bytes, packet_bytes("3B 06 00 01 'a' 00 09 'x'"));
    set_duplicate(bytes, false);
    EXPECT_EQ(bytes, packet_bytes("33 06 00 01 'a' 00 09 'x'"));
}

}  // namespace
}  // namespace muster::mqtt
