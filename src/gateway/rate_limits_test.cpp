#include "gateway/rate_limits.h"

#include <gtest/gtest.h>

#include "gateway/address_gate.h"

namespace muster {
namespace {

using Verdict = AddressGate::Verdict;

net::Address address(const char* text) {
    return *net::Address::parse(text);
}

GatewayLimits limits_of(double connects_per_s, std::size_t strangers_max) {
    GatewayLimits limits;
    limits.address_connects_per_s = connects_per_s;
    limits.address_strangers_max = strangers_max;
    return limits;
}

TEST(TokenBucket, gives_its_burst_and_then_its_rate) {
    TokenBucket bucket(10, 3, Millis(0));
    EXPECT_TRUE(bucket.take(Millis(0)));
    EXPECT_TRUE(bucket.take(Millis(0)));
    EXPECT_TRUE(bucket.take(Millis(0)));
    EXPECT_FALSE(bucket.take(Millis(0)));
    EXPECT_FALSE(bucket.take(Millis(99)));
    EXPECT_TRUE(bucket.take(Millis(100)));
    EXPECT_FALSE(bucket.take(Millis(100)));
    EXPECT_TRUE(bucket.is_full(Millis(10'000)));
}

TEST(TokenBucket, a_rate_of_0_is_no_limit) {
    TokenBucket bucket(0, 0, Millis(0));
    for (int i = 0; i < 1000; ++i) {
        EXPECT_TRUE(bucket.take(Millis(0)));
    }
    EXPECT_FALSE(bucket.is_in_debt(Millis(0)));
}

TEST(ClientRate, a_client_that_has_said_too_much_waits_until_it_has_paid) {
    GatewayLimits limits;
    limits.client_messages_per_s = 10;
    limits.client_bytes_per_s = 1000;
    ClientRate rate(limits, Millis(0));
    for (int i = 0; i < 10; ++i) {
        rate.charge(1, Millis(0));
    }
    EXPECT_FALSE(rate.must_wait(Millis(0)));
    rate.charge(1, Millis(0));
    EXPECT_TRUE(rate.must_wait(Millis(99)));
    EXPECT_FALSE(rate.must_wait(Millis(101)));
    rate.charge(3000, Millis(2000));
    EXPECT_TRUE(rate.must_wait(Millis(3900)));
    EXPECT_FALSE(rate.must_wait(Millis(4001)));
}

TEST(ConnectRate, a_storm_is_told_to_come_back_as_a_queue) {
    ConnectRate rate(100, Millis(0));
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(rate.admit(Millis(0)));
    }
    EXPECT_FALSE(rate.admit(Millis(0)));
    EXPECT_EQ(rate.come_back_in(Millis(0)), Seconds(1));
    Seconds last{0};
    for (int i = 1; i < 1000; ++i) {
        last = rate.come_back_in(Millis(0));
    }
    EXPECT_EQ(last, Seconds(11));
    EXPECT_EQ(rate.come_back_in(Millis(20'000)), Seconds(1));
    EXPECT_TRUE(rate.admit(Millis(20'000)));
}

TEST(AddressGate, an_address_is_held_to_its_rate_and_others_are_not) {
    const GatewayLimits limits = limits_of(2, 0);
    AddressGate gate(limits, 7);
    int admitted = 0;
    while (admitted < 1000 && gate.enter(address("192.0.2.1:1"), Millis(0)) == Verdict::admitted) {
        ++admitted;
    }
    EXPECT_EQ(admitted, 2 * address_burst_s);
    EXPECT_EQ(gate.enter(address("192.0.2.1:9"), Millis(0)), Verdict::too_fast);
    EXPECT_EQ(gate.enter(address("192.0.2.2:1"), Millis(0)), Verdict::admitted);
    EXPECT_EQ(gate.enter(address("192.0.2.1:1"), Millis(500)), Verdict::admitted);
}

TEST(AddressGate, an_address_has_so_many_connections_that_have_not_said_who_they_are) {
    const GatewayLimits limits = limits_of(0, 2);
    AddressGate gate(limits, 7);
    EXPECT_EQ(gate.enter(address("192.0.2.1:1"), Millis(0)), Verdict::admitted);
    EXPECT_EQ(gate.enter(address("192.0.2.1:2"), Millis(0)), Verdict::admitted);
    EXPECT_EQ(gate.enter(address("192.0.2.1:3"), Millis(0)), Verdict::too_many);
    gate.leave(address("192.0.2.1:1"));
    EXPECT_EQ(gate.enter(address("192.0.2.1:3"), Millis(0)), Verdict::admitted);
}

TEST(AddressGate, an_ipv6_network_is_one_address) {
    const GatewayLimits limits = limits_of(0, 1);
    AddressGate gate(limits, 7);
    EXPECT_EQ(gate.enter(address("[2001:db8:0:1::1]:1"), Millis(0)), Verdict::admitted);
    EXPECT_EQ(gate.enter(address("[2001:db8:0:1::2]:1"), Millis(0)), Verdict::too_many);
    EXPECT_EQ(gate.enter(address("[2001:db8:0:2::1]:1"), Millis(0)), Verdict::admitted);
}

TEST(AddressGate, loopback_is_not_limited_unless_it_is_asked_for) {
    GatewayLimits limits = limits_of(0, 1);
    AddressGate gate(limits, 7);
    EXPECT_EQ(gate.enter(address("127.0.0.1:1"), Millis(0)), Verdict::unlimited);
    EXPECT_EQ(gate.enter(address("[::1]:1"), Millis(0)), Verdict::unlimited);
    limits.limits_loopback = true;
    EXPECT_EQ(gate.enter(address("127.0.0.1:1"), Millis(0)), Verdict::admitted);
    EXPECT_EQ(gate.enter(address("127.0.0.1:2"), Millis(0)), Verdict::too_many);
}

TEST(AddressGate, the_table_is_bounded_and_forgets_who_behaves) {
    GatewayLimits limits = limits_of(1, 0);
    limits.addresses_max = 100;
    AddressGate gate(limits, 7);
    const auto nth = [](int n) { return address(fmt::format("10.0.{}.{}:1", n / 250, n % 250 + 1).c_str()); };
    for (int n = 0; n < 100; ++n) {
        EXPECT_EQ(gate.enter(nth(n), Millis(0)), Verdict::admitted);
    }
    EXPECT_EQ(gate.enter(nth(100), Millis(0)), Verdict::unlimited);
    EXPECT_EQ(gate.overlooked(), 1U);
    for (int n = 0; n < 99; ++n) {
        gate.leave(nth(n));
    }
    EXPECT_EQ(gate.enter(nth(101), Millis(60'000)), Verdict::admitted);
    EXPECT_EQ(gate.addresses(), 2U);
}

}  // namespace
}  // namespace muster
