#include <gtest/gtest.h>

#include "processor/fold_scenario.h"

namespace muster {
namespace {

using enum PresenceState;

// G5: what the fold cannot see is unknown, with its reason.
struct GatewayLoss : testing::Test {
    FoldScenario fleet;
    FoldScenario::Gateway a{"gw-a"};
    FoldScenario::Gateway b{"gw-b"};

    void tick_both(int seconds) {
        for (int i = 0; i < seconds; ++i) {
            fleet.tick(a);
            fleet.tick(b);
        }
    }
};

TEST_F(GatewayLoss, sessions_are_unknown_when_others_tick_five_seconds_without_their_gateway) {
    tick_both(3);
    fleet.connect(a, "d", 1);
    fleet.connect(b, "e", 1);
    fleet.tick_seconds(b, 3);
    EXPECT_EQ(fleet.state("d"), online);
    fleet.tick_seconds(b, 2);
    EXPECT_EQ(fleet.state("d"), unknown);
    EXPECT_EQ(fleet.cause("d"), Cause::gateway_lost);
    EXPECT_EQ(fleet.state("e"), online);
}

TEST_F(GatewayLoss, the_wall_clocks_of_the_gateways_do_not_matter) {
    a.now -= Seconds(60);
    tick_both(3);
    fleet.connect(a, "d", 1);
    tick_both(100);
    EXPECT_EQ(fleet.times("d", unknown), 0);
}

TEST_F(GatewayLoss, a_device_back_on_another_gateway_in_the_grace_time_was_never_offline) {
    tick_both(3);
    fleet.connect(a, "d", 1);
    fleet.tick_seconds(b, 30);
    ASSERT_EQ(fleet.state("d"), unknown);
    fleet.connect(b, "d", 2);
    EXPECT_EQ(fleet.state("d"), online);
    for (int i = 0; i < 60; ++i) {
        fleet.tick(b);
        fleet.telemetry(b, "d", 2);
    }
    EXPECT_EQ(fleet.times("d", offline), 0);
    EXPECT_EQ(fleet.document("d").flap_penalty, 0);
}

TEST_F(GatewayLoss, devices_that_do_not_come_back_are_offline_after_the_grace_time) {
    tick_both(3);
    fleet.connect(a, "d", 1);
    fleet.tick_seconds(b, 63);
    EXPECT_EQ(fleet.state("d"), unknown);
    fleet.tick_seconds(b, 2);
    EXPECT_EQ(fleet.state("d"), offline);
    EXPECT_EQ(fleet.cause("d"), Cause::gateway_lost);
    EXPECT_EQ(fleet.document("d").flap_penalty, 0) << "it is not to blame";
}

TEST_F(GatewayLoss, a_record_of_the_same_session_after_the_gateway_is_back_says_online) {
    tick_both(3);
    fleet.connect(a, "d", 1);
    fleet.tick_seconds(b, 20);
    fleet.tick(a);
    EXPECT_EQ(fleet.state("d"), unknown) << "the gateway is back; of the device nothing is known yet";
    fleet.telemetry(a, "d", 1);
    EXPECT_EQ(fleet.state("d"), online);
    EXPECT_EQ(fleet.cause("d"), Cause::heartbeat);
    EXPECT_EQ(fleet.times("d", offline), 0);
}

TEST_F(GatewayLoss, a_session_can_come_back_even_after_it_was_given_up) {
    tick_both(3);
    fleet.connect(a, "d", 1);
    fleet.tick_seconds(b, 100);
    ASSERT_EQ(fleet.state("d"), offline);
    fleet.tick(a);
    fleet.telemetry(a, "d", 1);
    EXPECT_EQ(fleet.state("d"), online);
}

TEST_F(GatewayLoss, a_forgotten_gateway_can_come_back_with_its_sessions) {
    tick_both(3);
    fleet.connect(a, "d", 1);
    fleet.tick_seconds(b, 700);
    fleet.telemetry(a, "d", 1);
    EXPECT_EQ(fleet.state("d"), online);
    tick_both(70);
    EXPECT_EQ(fleet.state("d"), offline) << "and be silent again";
}

TEST_F(GatewayLoss, a_session_that_died_with_its_lost_gateway_is_unknown_again_and_then_offline) {
    tick_both(3);
    fleet.tick_seconds(b, 10);
    fleet.connect(a, "d", 1);  // a straggler of the dead gateway
    EXPECT_EQ(fleet.state("d"), online);
    fleet.tick_seconds(b, 6);
    EXPECT_EQ(fleet.state("d"), unknown);
    fleet.tick_seconds(b, 60);
    EXPECT_EQ(fleet.state("d"), offline);
}

TEST_F(GatewayLoss, a_new_process_of_the_gateway_makes_the_old_sessions_unknown_at_once_and_then_offline) {
    fleet.tick_seconds(a, 3);
    fleet.connect(a, "d", 1);
    fleet.connect(a, "e", 1);
    a.incarnation = 2;
    a.ticks = 0;
    fleet.tick(a, Millis(30'000));
    EXPECT_EQ(fleet.state("d"), unknown);
    EXPECT_EQ(fleet.cause("d"), Cause::gateway_lost);
    fleet.connect(a, "e", 2);
    fleet.tick_seconds(a, 59);
    EXPECT_EQ(fleet.state("d"), unknown);
    fleet.tick_seconds(a, 2);
    EXPECT_EQ(fleet.state("d"), offline);
    EXPECT_EQ(fleet.times("e", offline), 0);
}

TEST_F(GatewayLoss, a_session_that_began_before_the_first_tick_of_its_process_stays_online) {
    fleet.tick_seconds(a, 3);
    a.incarnation = 2;
    a.ticks = 0;
    fleet.connect(a, "d", 1);
    fleet.tick(a);
    EXPECT_EQ(fleet.state("d"), online);
}

TEST_F(GatewayLoss, records_of_a_replaced_process_show_no_life) {
    fleet.tick_seconds(a, 3);
    FoldScenario::Gateway old = a;
    a.incarnation = 2;
    a.ticks = 0;
    fleet.tick(a);
    fleet.connect(old, "d", 1);
    EXPECT_EQ(fleet.state("d"), unknown);
    fleet.telemetry(old, "d", 1);
    fleet.tick(old);
    EXPECT_EQ(fleet.state("d"), unknown);
    fleet.tick_seconds(a, 61);
    EXPECT_EQ(fleet.state("d"), offline);
}

TEST_F(GatewayLoss, a_disconnect_of_an_unknown_session_is_evidence) {
    tick_both(3);
    fleet.connect(a, "d", 1);
    fleet.tick_seconds(b, 10);
    fleet.disconnect(a, "d", 1, Cause::connection_lost);
    EXPECT_EQ(fleet.state("d"), offline);
    EXPECT_EQ(fleet.cause("d"), Cause::connection_lost);
}

TEST_F(GatewayLoss, one_gateway_alone_is_never_lost) {
    fleet.tick_seconds(a, 3);
    fleet.connect(a, "d", 1);
    fleet.telemetry(a, "d", 1);
    fleet.tick(a, Millis(3'600'000));
    EXPECT_EQ(fleet.state("d"), online);
}

TEST_F(GatewayLoss, repeated_ticks_move_no_clock) {
    fleet.tick_seconds(a, 3);
    fleet.connect(a, "d", 1, 0);
    for (int i = 0; i < 100; ++i) {
        a.ticks = 1;
        fleet.tick(a);
    }
    EXPECT_EQ(fleet.state("d"), online);
    EXPECT_EQ(fleet.out.refused(Refusal::repeated), 100U);
}

TEST_F(GatewayLoss, partition_time_goes_on_when_the_furthest_clock_leaves) {
    a.now += Seconds(60);
    tick_both(10);
    const Timestamp before = fleet.fold.partition_time();
    fleet.out.clear();
    fleet.tick_seconds(b, 20);
    EXPECT_GE(fleet.fold.partition_time() - before, Millis(17'000));
    EXPECT_GE(fleet.out.regions.size(), 17U) << "the fleet's report comes once a second";
}

}  // namespace
}  // namespace muster
