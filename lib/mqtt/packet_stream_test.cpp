#include "mqtt/packet_stream.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "mqtt/packet_bytes.h"

namespace muster::mqtt {
namespace {

constexpr std::size_t packet_max = 1000;

struct Seen {
    std::vector<std::string> bodies;
    std::vector<const char*> places;
    std::size_t stop_after = 1'000'000;

    bool operator()(const PacketView& packet) {
        bodies.emplace_back(packet.body);
        places.push_back(packet.body.data());
        return bodies.size() < stop_after;
    }
};

const std::string three_packets = packet_bytes("30 03 00 01 'a' C0 00 30 05 00 03 'bcd'");
const std::vector<std::string> three_bodies = {packet_bytes("00 01 'a'"), "", packet_bytes("00 03 'bcd'")};

TEST(PacketStream, whole_packets_are_seen_in_place) {
    PacketStream stream;
    Seen seen;
    EXPECT_TRUE(stream.feed(three_packets, packet_max, seen));
    EXPECT_EQ(seen.bodies, three_bodies);
    EXPECT_EQ(seen.places[0], three_packets.data() + 2);
    EXPECT_EQ(stream.pending_bytes(), 0U);
}

TEST(PacketStream, any_two_cuts_give_the_same_packets) {
    for (std::size_t first = 0; first <= three_packets.size(); ++first) {
        for (std::size_t second = first; second <= three_packets.size(); ++second) {
            PacketStream stream;
            Seen seen;
            const std::string_view all = three_packets;
            EXPECT_TRUE(stream.feed(all.substr(0, first), packet_max, seen));
            EXPECT_TRUE(stream.feed(all.substr(first, second - first), packet_max, seen));
            EXPECT_TRUE(stream.feed(all.substr(second), packet_max, seen));
            EXPECT_EQ(seen.bodies, three_bodies) << first << ", " << second;
            EXPECT_EQ(stream.pending_bytes(), 0U);
        }
    }
}

TEST(PacketStream, what_follows_a_stop_is_kept_for_the_next_call) {
    PacketStream stream;
    Seen seen{.bodies = {}, .places = {}, .stop_after = 1};
    EXPECT_TRUE(stream.feed(std::string_view(three_packets).substr(0, 8), packet_max, seen));
    EXPECT_EQ(seen.bodies.size(), 1U);
    EXPECT_EQ(stream.pending_bytes(), 3U);
    seen.stop_after = 100;
    EXPECT_TRUE(stream.feed(std::string_view(three_packets).substr(8), packet_max, seen));
    EXPECT_EQ(seen.bodies, three_bodies);
}

TEST(PacketStream, packets_before_an_error_are_handed_out) {
    PacketStream stream;
    Seen seen;
    const auto fed = stream.feed(packet_bytes("C0 00 00 00"), packet_max, seen);
    ASSERT_FALSE(fed);
    EXPECT_EQ(fed.error().code, ReasonCode::malformed_packet);
    EXPECT_EQ(seen.bodies.size(), 1U);
}

TEST(PacketStream, only_the_incomplete_packet_is_copied) {
    PacketStream stream;
    Seen seen;
    EXPECT_TRUE(stream.feed(std::string_view(three_packets).substr(0, 2), packet_max, seen));
    EXPECT_EQ(stream.pending_bytes(), 2U);
    const std::string rest = three_packets.substr(2);
    EXPECT_TRUE(stream.feed(rest, packet_max, seen));
    EXPECT_EQ(seen.places[2], rest.data() + 7);
}

}  // namespace
}  // namespace muster::mqtt
