#include "gateway/handshake_gate.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

constexpr auto everybody = [](ConnectionRef) { return true; };

TEST(HandshakeGate, a_turn_takes_a_few_and_a_second_takes_its_share) {
    HandshakeGate gate(100, 4, Millis(0));
    std::size_t begun = 0;
    for (Millis now{0}; now < Millis(1000); ++now) {
        std::size_t this_turn = 0;
        while (gate.try_begin(now)) {
            ++this_turn;
        }
        EXPECT_LE(this_turn, 4);
        begun += this_turn;
        gate.end_turn();
    }
    EXPECT_EQ(begun, 10 + 99);  // what had gathered before, and then 100 a second
}

TEST(HandshakeGate, nobody_overtakes_those_who_wait) {
    HandshakeGate gate(1000, 1, Millis(0));
    ASSERT_TRUE(gate.try_begin(Millis(0)));
    ASSERT_FALSE(gate.try_begin(Millis(0)));
    gate.wait_in_line({1, 1});
    gate.wait_in_line({2, 2});
    gate.end_turn();
    EXPECT_FALSE(gate.try_begin(Millis(50)));
    EXPECT_EQ(gate.waiting(), 2);
    const auto first = gate.next(Millis(50), everybody);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->slot, 1);
    EXPECT_FALSE(gate.next(Millis(50), everybody)) << "one a turn";
    gate.end_turn();
    EXPECT_EQ(gate.next(Millis(50), everybody)->slot, 2);
    gate.end_turn();
    EXPECT_FALSE(gate.next(Millis(50), everybody));
    EXPECT_TRUE(gate.try_begin(Millis(50)));
}

TEST(HandshakeGate, who_has_gone_takes_no_token) {
    HandshakeGate gate(10, 1, Millis(0));
    ASSERT_TRUE(gate.try_begin(Millis(0)));
    for (std::uint32_t slot = 0; slot < 100; ++slot) {
        gate.wait_in_line({slot, 1});
    }
    gate.end_turn();
    const auto next = gate.next(Millis(100), [](ConnectionRef ref) { return ref.slot == 99; });
    ASSERT_TRUE(next);
    EXPECT_EQ(next->slot, 99);
    EXPECT_EQ(gate.waiting(), 0);
}

TEST(HandshakeGate, an_idle_hour_is_not_saved_up) {
    HandshakeGate gate(100, 1000, Millis(0));
    std::size_t begun = 0;
    while (gate.try_begin(Millis(3'600'000))) {
        ++begun;
    }
    EXPECT_EQ(begun, 1000) << "a turn's share, or a tenth of a second's";
    EXPECT_FALSE(gate.has_tokens());
}

}  // namespace
}  // namespace muster
