#include <gtest/gtest.h>

#include "processor/fold_scenario.h"

namespace muster {
namespace {

using enum PresenceState;

struct OverlayRules : testing::Test {
    FoldScenario fleet;
    FoldScenario::Gateway a{"gw-a"};
    SessionEpoch epoch = 0;

    OverlayRules() { fleet.tick(a); }
    [[nodiscard]] bool is(Overlay overlay) const { return has(fleet.document("d").overlays, overlay); }
    void flap(Cause cause = Cause::connection_lost) {
        fleet.connect(a, "d", ++epoch);
        fleet.disconnect(a, "d", epoch, cause);
        fleet.tick(a);
    }
};

TEST_F(OverlayRules, a_device_that_says_when_it_will_be_back_sleeps) {
    fleet.connect(a, "d", 1);
    fleet.status(a, "d", 1, R"({"status":"SLEEPING","next_contact_s":600})");
    EXPECT_TRUE(is(Overlay::sleeping));
    EXPECT_EQ(fleet.state("d"), online);
    fleet.disconnect(a, "d", 1, Cause::connection_lost);
    EXPECT_EQ(fleet.state("d"), offline);
    EXPECT_EQ(fleet.cause("d"), Cause::sleep_announced);
    EXPECT_TRUE(is(Overlay::sleeping));
    fleet.tick_seconds(a, 655);
    EXPECT_TRUE(is(Overlay::sleeping));
    fleet.tick_seconds(a, 7);
    EXPECT_FALSE(is(Overlay::sleeping)) << "600 s and the heartbeat timeout: it broke its word";
    EXPECT_EQ(fleet.cause("d"), Cause::sleep_announced);
    EXPECT_EQ(fleet.out.documents.back().previous, offline);
}

TEST_F(OverlayRules, a_device_asleep_with_its_session_open_has_a_raised_deadline) {
    fleet.connect(a, "d", 1);
    fleet.status(a, "d", 1, R"({"status":"OFFLINE","next_contact_s":100})");
    fleet.tick_seconds(a, 155);
    EXPECT_EQ(fleet.state("d"), online);
    fleet.tick_seconds(a, 7);
    EXPECT_EQ(fleet.state("d"), offline);
    EXPECT_EQ(fleet.cause("d"), Cause::heartbeat_timeout);
    EXPECT_FALSE(is(Overlay::sleeping));
}

TEST_F(OverlayRules, a_new_session_ends_sleep) {
    fleet.connect(a, "d", 1);
    fleet.status(a, "d", 1, R"({"status":"SLEEPING","next_contact_s":600})");
    fleet.disconnect(a, "d", 1, Cause::client_disconnect);
    fleet.connect(a, "d", 2);
    EXPECT_FALSE(is(Overlay::sleeping));
    fleet.disconnect(a, "d", 2, Cause::client_disconnect);
    EXPECT_EQ(fleet.cause("d"), Cause::client_disconnect);
}

TEST_F(OverlayRules, a_sleeper_does_not_flap_and_does_not_count_as_offline) {
    for (SessionEpoch session = 1; session < 20; ++session) {
        fleet.connect(a, "d", session);
        fleet.status(a, "d", session, R"({"status":"SLEEPING","next_contact_s":60})");
        fleet.disconnect(a, "d", session, Cause::client_disconnect);
    }
    EXPECT_EQ(fleet.document("d").flap_penalty, 0);
    fleet.tick(a);
    EXPECT_EQ(fleet.out.regions.back().counts.countable, 0);
    EXPECT_EQ(fleet.out.regions.back().counts.sleeping, 1);
}

// G7
TEST_F(OverlayRules, many_disconnects_are_flapping_and_each_is_kept_in_the_history) {
    flap();
    flap();
    flap();
    EXPECT_FALSE(is(Overlay::flapping)) << "three, with a second of decay between, are below 3000";
    flap();
    EXPECT_TRUE(is(Overlay::flapping));
    flap();
    EXPECT_EQ(fleet.out.transitions.size(), 10U) << "damped, not hidden";
    EXPECT_EQ(fleet.document("d").disconnects, 5U);
}

TEST_F(OverlayRules, flapping_is_released_when_the_penalty_has_decayed) {
    for (int i = 0; i < 4; ++i) {
        flap();
    }
    ASSERT_TRUE(is(Overlay::flapping));
    // 4000 to 750: 2.41 half-lives of 15 minutes.
    fleet.tick_seconds(a, 2100);
    EXPECT_TRUE(is(Overlay::flapping));
    fleet.tick_seconds(a, 120);
    EXPECT_FALSE(is(Overlay::flapping));
    const StatusDocument& document = fleet.out.documents.back();
    EXPECT_EQ(document.state, offline);
    EXPECT_EQ(document.previous, offline);
    EXPECT_EQ(document.cause, Cause::connection_lost) << "the cause of its state is unchanged";
    EXPECT_LE(document.flap_penalty, 750);
}

TEST_F(OverlayRules, no_penalty_takes_longer_than_an_hour_to_decay) {
    for (int i = 0; i < 100; ++i) {
        flap();
    }
    fleet.tick_seconds(a, 3602);
    EXPECT_FALSE(is(Overlay::flapping));
}

TEST_F(OverlayRules, a_take_over_is_no_flap) {
    for (int i = 0; i < 10; ++i) {
        fleet.connect(a, "d", ++epoch);
        fleet.disconnect(a, "d", epoch - 1, Cause::duplicate_client_id);
    }
    EXPECT_EQ(fleet.document("d").flap_penalty, 0);
    EXPECT_EQ(fleet.document("d").disconnects, 0U);
}

TEST_F(OverlayRules, two_clients_that_fight_over_an_id_contest_it_and_do_not_flap) {
    for (int i = 0; i < 6; ++i) {
        fleet.connect(a, "d", ++epoch, 60, i % 2 == 0 ? "192.0.2.7:1" : "192.0.2.8:1");
        fleet.tick(a);
    }
    EXPECT_TRUE(is(Overlay::contested));
    EXPECT_FALSE(is(Overlay::flapping));
    EXPECT_EQ(fleet.state("d"), online);
    EXPECT_EQ(fleet.document("d").evidence.take_overs, 5U);
    fleet.disconnect(a, "d", epoch, Cause::connection_lost);
    EXPECT_EQ(fleet.document("d").flap_penalty, 0) << "the fight explains it";
    fleet.tick_seconds(a, 3602);
    EXPECT_FALSE(is(Overlay::contested));
}

TEST_F(OverlayRules, a_fight_over_two_gateways_is_seen_whichever_end_comes_first) {
    FoldScenario::Gateway b{"gw-b"};
    for (int i = 0; i < 6; ++i) {
        fleet.disconnect(i % 2 == 0 ? a : b, "d", epoch, Cause::duplicate_client_id);
        fleet.connect(i % 2 == 0 ? b : a, "d", ++epoch, 60, i % 2 == 0 ? "192.0.2.7:1" : "192.0.2.8:1");
    }
    EXPECT_TRUE(is(Overlay::contested));
}

TEST_F(OverlayRules, a_device_that_comes_back_over_its_half_dead_connection_contests_nothing) {
    for (int i = 0; i < 5; ++i) {
        fleet.connect(a, "d", ++epoch);
        fleet.tick_seconds(a, 10);
    }
    EXPECT_FALSE(is(Overlay::contested));
}

TEST_F(OverlayRules, a_flapping_device_counts_as_what_its_last_stable_minute_was) {
    const auto counts = [this] {
        fleet.tick(a);
        return fleet.out.regions.back().counts;
    };
    fleet.connect(a, "d", ++epoch);
    fleet.telemetry(a, "d", epoch);
    fleet.tick_seconds(a, 30);
    fleet.ping(a, "d", epoch);
    fleet.tick_seconds(a, 31);
    for (int i = 0; i < 4; ++i) {
        fleet.disconnect(a, "d", epoch, Cause::connection_lost);
        fleet.connect(a, "d", ++epoch);
    }
    fleet.disconnect(a, "d", epoch, Cause::connection_lost);
    ASSERT_TRUE(is(Overlay::flapping));
    EXPECT_EQ(counts().offline, 1);
    EXPECT_EQ(counts().countable_offline, 0) << "it was online for its last stable minute";
    fleet.tick_seconds(a, 61);
    EXPECT_EQ(counts().countable_offline, 1) << "now its last stable minute is this one";
    ASSERT_TRUE(is(Overlay::flapping));
    fleet.connect(a, "d", ++epoch);
    EXPECT_EQ(counts().countable_offline, 1);
    for (int i = 0; i < 61; ++i) {
        fleet.ping(a, "d", epoch);
        fleet.tick(a);
    }
    EXPECT_EQ(counts().countable_offline, 0);
}

TEST(FlapPenalty, halves_in_fifteen_minutes) {
    FlapPenalty penalty;
    penalty.add_disconnect(0);
    EXPECT_DOUBLE_EQ(penalty.value_at(900'000), 500);
    EXPECT_DOUBLE_EQ(penalty.value_at(0), 1000);
    penalty.decay_to(penalty.released_at_ms());
    EXPECT_EQ(penalty.tenths, FlapPenalty::release_tenths);
}

}  // namespace
}  // namespace muster
