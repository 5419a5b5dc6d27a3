#include <gtest/gtest.h>

#include "processor/fold_scenario.h"

namespace muster {
namespace {

using enum PresenceState;

struct Presence : testing::Test {
    FoldScenario fleet;
    FoldScenario::Gateway a{"gw-a"};
    FoldScenario::Gateway b{"gw-b"};

    /// Both gateways tick in turn, `b` on its own clock.
    void tick_both(int seconds) {
        for (int i = 0; i < seconds; ++i) {
            fleet.tick(a);
            fleet.tick(b);
        }
    }
};

TEST_F(Presence, a_connect_makes_a_device_online) {
    fleet.connect(a, "d", 7, 30);
    const StatusDocument document = fleet.document("d");
    EXPECT_EQ(document.state, online);
    EXPECT_EQ(document.cause, Cause::connect);
    EXPECT_EQ(document.epoch, 7U);
    EXPECT_EQ(document.gateway, "gw-a");
    EXPECT_EQ(document.keep_alive_s, 30);
    EXPECT_EQ(document.client_address, "192.0.2.7:4242");
    EXPECT_EQ(document.since, a.now);
    EXPECT_EQ(document.first_seen, a.now);
    ASSERT_EQ(fleet.out.documents.size(), 1U);
    EXPECT_EQ(fleet.out.documents[0].previous, never_seen);
    EXPECT_EQ(fleet.out.transitions.size(), 1U);
}

// G3
TEST_F(Presence, a_late_connect_of_an_older_session_changes_nothing) {
    fleet.connect(a, "d", 2);
    fleet.connect(b, "d", 1);
    EXPECT_EQ(fleet.document("d").gateway, "gw-a");
    EXPECT_EQ(fleet.out.refused(Refusal::stale_epoch), 1U);
}

// G3
TEST_F(Presence, a_late_disconnect_of_an_older_session_changes_nothing) {
    fleet.connect(a, "d", 1);
    fleet.connect(b, "d", 2);
    fleet.will(a, "d", 1);
    fleet.disconnect(a, "d", 1, Cause::keepalive_timeout);
    EXPECT_EQ(fleet.state("d"), online);
    EXPECT_EQ(fleet.times("d", offline), 0);
}

TEST_F(Presence, a_disconnect_makes_a_device_offline_with_its_cause) {
    fleet.connect(a, "d", 1);
    fleet.disconnect(a, "d", 1, Cause::client_disconnect);
    EXPECT_EQ(fleet.state("d"), offline);
    EXPECT_EQ(fleet.cause("d"), Cause::client_disconnect);
    EXPECT_EQ(fleet.document("d").disconnects, 1U);
}

TEST_F(Presence, the_disconnect_that_follows_a_will_leaves_the_will_as_cause) {
    fleet.connect(a, "d", 1);
    fleet.will(a, "d", 1);
    fleet.disconnect(a, "d", 1, Cause::connection_lost);
    EXPECT_EQ(fleet.cause("d"), Cause::will);
    EXPECT_EQ(fleet.times("d", offline), 1);
    EXPECT_EQ(fleet.document("d").disconnects, 1U);
}

TEST_F(Presence, an_ended_session_is_not_opened_again_by_its_own_stragglers) {
    fleet.connect(a, "d", 1);
    fleet.disconnect(a, "d", 1, Cause::client_disconnect);
    fleet.telemetry(a, "d", 1);
    fleet.connect(a, "d", 1);
    EXPECT_EQ(fleet.state("d"), offline);
    EXPECT_EQ(fleet.out.samples.size(), 1U) << "the sample is history all the same";
    EXPECT_TRUE(fleet.out.touches.empty());
}

TEST_F(Presence, a_take_over_is_never_offline_when_the_old_end_comes_last) {
    fleet.connect(a, "d", 1);
    fleet.connect(b, "d", 2);
    fleet.disconnect(a, "d", 1, Cause::duplicate_client_id);
    EXPECT_EQ(fleet.times("d", offline), 0);
    EXPECT_EQ(fleet.document("d").gateway, "gw-b");
}

TEST_F(Presence, a_take_over_is_never_offline_when_the_old_end_comes_first) {
    fleet.connect(a, "d", 1);
    fleet.will(a, "d", 1, Cause::duplicate_client_id);
    fleet.disconnect(a, "d", 1, Cause::duplicate_client_id);
    EXPECT_EQ(fleet.state("d"), online);
    fleet.connect(b, "d", 2);
    EXPECT_EQ(fleet.times("d", offline), 0);
    EXPECT_EQ(fleet.times("d", online), 1);
    EXPECT_EQ(fleet.document("d").flap_penalty, 0) << "two sessions of one id are no flapping";
}

TEST_F(Presence, a_take_over_whose_new_session_never_shows_times_out) {
    fleet.tick(a);
    fleet.connect(a, "d", 1, 0);
    fleet.disconnect(a, "d", 1, Cause::duplicate_client_id);
    fleet.tick_seconds(a, 59);
    EXPECT_EQ(fleet.state("d"), online);
    fleet.tick_seconds(a, 2);
    EXPECT_EQ(fleet.state("d"), offline);
    EXPECT_EQ(fleet.cause("d"), Cause::duplicate_client_id);
}

TEST_F(Presence, a_record_of_a_newer_session_counts_as_its_lost_connect) {
    fleet.connect(a, "d", 1);
    fleet.disconnect(a, "d", 1, Cause::connection_lost);
    fleet.telemetry(b, "d", 2);
    EXPECT_EQ(fleet.state("d"), online);
    EXPECT_EQ(fleet.cause("d"), Cause::heartbeat);
    EXPECT_EQ(fleet.document("d").epoch, 2U);
    fleet.connect(b, "d", 2, 45);
    EXPECT_EQ(fleet.document("d").keep_alive_s, 45) << "the late connect still tells what it knows";
    EXPECT_EQ(fleet.times("d", online), 2);
}

TEST_F(Presence, telemetry_of_an_older_session_is_history_and_no_sign_of_life) {
    fleet.connect(a, "d", 1);
    fleet.connect(b, "d", 2);
    fleet.disconnect(b, "d", 2, Cause::client_disconnect);
    fleet.telemetry(a, "d", 1);
    EXPECT_EQ(fleet.state("d"), offline);
    EXPECT_EQ(fleet.out.samples.size(), 1U);
    EXPECT_TRUE(fleet.out.touches.empty());
}

// G6
TEST_F(Presence, a_silent_device_is_offline_within_two_seconds_of_its_timeout) {
    fleet.tick(a);
    fleet.connect(a, "d", 1, 0);
    fleet.telemetry(a, "d", 1);
    fleet.tick_seconds(a, 59);
    EXPECT_EQ(fleet.state("d"), online);
    fleet.tick_seconds(a, 2);
    EXPECT_EQ(fleet.state("d"), offline);
    EXPECT_EQ(fleet.cause("d"), Cause::heartbeat_timeout);
    const StatusDocument& document = fleet.out.documents.back();
    EXPECT_GE(document.detected_in_ms, 60'000);
    EXPECT_LE(document.detected_in_ms, 62'000);
    EXPECT_EQ(document.since, a.now) << "the tick's time";
}

TEST_F(Presence, any_record_of_the_session_is_a_heartbeat) {
    fleet.tick(a);
    fleet.connect(a, "d", 1, 0);
    for (int i = 0; i < 10; ++i) {
        fleet.tick_seconds(a, 55);
        fleet.ping(a, "d", 1);
    }
    EXPECT_EQ(fleet.times("d", offline), 0);
    EXPECT_EQ(fleet.document("d").last_seen, a.now);
}

TEST_F(Presence, a_heartbeat_after_the_timeout_brings_an_open_session_back) {
    fleet.tick(a);
    fleet.connect(a, "d", 1, 0);
    fleet.tick_seconds(a, 70);
    ASSERT_EQ(fleet.state("d"), offline);
    fleet.telemetry(a, "d", 1);
    EXPECT_EQ(fleet.state("d"), online);
    EXPECT_EQ(fleet.cause("d"), Cause::heartbeat);
    fleet.tick_seconds(a, 70);
    EXPECT_EQ(fleet.state("d"), offline) << "and it can time out again";
}

TEST_F(Presence, a_session_that_published_nothing_has_promised_only_its_keep_alive) {
    fleet.tick(a);
    fleet.connect(a, "quiet", 1, 300);
    fleet.connect(a, "talker", 1, 300);
    fleet.telemetry(a, "talker", 1);
    fleet.tick_seconds(a, 65);
    EXPECT_EQ(fleet.state("quiet"), online);
    EXPECT_EQ(fleet.state("talker"), offline);
    fleet.tick_seconds(a, 387);
    EXPECT_EQ(fleet.state("quiet"), offline) << "1.5 times the keep-alive";
}

TEST_F(Presence, a_device_can_have_its_own_heartbeat_timeout) {
    fleet.tick(a);
    fleet.connect(a, "d", 1, 0);
    fleet.status(a, "d", 1, R"({"status":"ONLINE","heartbeat_timeout_s":5})");
    fleet.tick_seconds(a, 7);
    EXPECT_EQ(fleet.state("d"), offline);
}

TEST_F(Presence, a_timeout_shortened_by_an_operator_takes_effect_at_once) {
    fleet.tick(a);
    fleet.connect(a, "d", 1, 0);
    fleet.telemetry(a, "d", 1);
    fleet.tick_seconds(a, 20);
    fleet.attributes(a, "d", R"({"heartbeat_timeout_s":10})");
    fleet.tick(a);
    EXPECT_EQ(fleet.state("d"), offline);
}

// G4
TEST_F(Presence, time_that_a_gateway_did_not_see_ends_no_deadline) {
    fleet.tick(a);
    fleet.connect(a, "d", 1, 0);
    fleet.telemetry(a, "d", 1);
    fleet.tick_seconds(a, 30);
    fleet.tick(a, Millis(120'000));
    fleet.tick_seconds(a, 25);
    EXPECT_EQ(fleet.times("d", offline), 0);
    fleet.tick_seconds(a, 5);
    EXPECT_EQ(fleet.state("d"), offline) << "observed: 30 + 2 + 30 s";
}

// G4
TEST_F(Presence, a_wall_clock_that_goes_back_ends_no_deadline_and_stops_none) {
    fleet.tick(a);
    fleet.connect(a, "d", 1, 0);
    fleet.telemetry(a, "d", 1);
    fleet.tick(a, Millis(-3'600'000));
    EXPECT_EQ(fleet.state("d"), online);
    fleet.tick_seconds(a, 61);
    EXPECT_EQ(fleet.state("d"), offline);
}

// G4
TEST_F(Presence, skew_between_gateways_decides_nothing) {
    b.now += Seconds(60);
    tick_both(1);
    fleet.connect(a, "d", 1, 0);
    fleet.telemetry(a, "d", 1);
    tick_both(30);
    fleet.connect(b, "d", 2, 0);
    fleet.telemetry(b, "d", 2);
    tick_both(30);
    fleet.connect(a, "d", 3, 0);
    fleet.telemetry(a, "d", 3);
    tick_both(59);
    EXPECT_EQ(fleet.times("d", offline), 0);
    tick_both(3);
    EXPECT_EQ(fleet.state("d"), offline);
}

TEST_F(Presence, an_unclean_end_after_a_farewell_is_the_clients_own) {
    fleet.connect(a, "d", 1);
    fleet.status(a, "d", 1, "OFFLINE");
    EXPECT_EQ(fleet.state("d"), online) << "the session lives until it ends";
    fleet.disconnect(a, "d", 1, Cause::connection_lost);
    EXPECT_EQ(fleet.cause("d"), Cause::client_disconnect);
}

TEST_F(Presence, sessions_end_in_a_graceful_shutdown_of_their_gateway_without_being_offline) {
    tick_both(1);
    fleet.connect(a, "moves", 1);
    fleet.connect(a, "stays-away", 1);
    for (const char* device : {"moves", "stays-away"}) {
        fleet.will(a, device, 1, Cause::server_shutdown);
        fleet.disconnect(a, device, 1, Cause::server_shutdown);
        EXPECT_EQ(fleet.state(device), unknown);
        EXPECT_EQ(fleet.cause(device), Cause::server_shutdown);
    }
    fleet.connect(b, "moves", 2);
    fleet.tick_seconds(b, 70);
    EXPECT_EQ(fleet.times("moves", offline), 0);
    EXPECT_EQ(fleet.state("stays-away"), offline);
    EXPECT_EQ(fleet.document("stays-away").flap_penalty, 0);
}

TEST_F(Presence, the_region_of_a_device_counts_it_by_its_state) {
    fleet.tick(a);
    fleet.connect(a, "d", 1);
    fleet.status(a, "d", 1, R"({"status":"ONLINE","region":"in/ka/ka-04","lat":12.5,"lon":77.5})");
    fleet.connect(a, "e", 1);
    fleet.tick(a);
    ASSERT_EQ(fleet.out.regions.size(), 4U) << "the first tick's is alone";
    EXPECT_EQ(fleet.out.regions[0].region, "");
    EXPECT_EQ(fleet.out.regions[0].counts.online, 2);
    EXPECT_EQ(fleet.out.regions[3].region, "in/ka/ka-04");
    EXPECT_EQ(fleet.out.regions[3].counts.online, 1);
    EXPECT_EQ(fleet.out.regions[3].counts.positioned, 1);
    fleet.out.clear();
    fleet.tick(a);
    ASSERT_EQ(fleet.out.regions.size(), 1U)
        << "unchanged regions are not repeated, but the fleet's says what time it is";
    fleet.out.clear();
    fleet.disconnect(a, "d", 1, Cause::client_disconnect);
    fleet.attributes(a, "d", R"({"region":"in/tn"})");
    fleet.tick(a);
    ASSERT_EQ(fleet.out.regions.size(), 5U);
    EXPECT_EQ(fleet.out.regions[0].counts.offline, 1);
    EXPECT_EQ(fleet.out.regions[3].counts, RegionCounts{}) << fleet.out.regions[3].region;
    EXPECT_EQ(fleet.out.regions[4].region, "in/tn");
    EXPECT_EQ(fleet.out.regions[4].counts.offline, 1);
}

TEST_F(Presence, an_operator_can_register_a_device_that_was_never_seen) {
    fleet.attributes(a, "d", R"({"region":"de/berlin","model":"m1"})");
    EXPECT_EQ(fleet.state("d"), never_seen);
    EXPECT_EQ(fleet.out.documents.size(), 1U);
    EXPECT_TRUE(fleet.out.transitions.empty());
    fleet.connect(a, "d", 1);
    fleet.status(a, "d", 1, R"({"status":"ONLINE","region":"fr/paris","firmware":"2.0"})");
    const StatusDocument document = fleet.document("d");
    EXPECT_EQ(document.attributes.region, "de/berlin") << "the operator's word wins";
    EXPECT_EQ(document.attributes.firmware, "2.0");
}

TEST_F(Presence, lifecycle_events_follow_the_session_in_the_form_of_aws) {
    fleet.connect(a, "d", 5);
    fleet.disconnect(a, "d", 5, Cause::keepalive_timeout);
    ASSERT_EQ(fleet.out.lifecycle.size(), 2U);
    EXPECT_EQ(fleet.out.lifecycle[0].topic, "$aws/events/presence/connected/d");
    EXPECT_EQ(fleet.out.lifecycle[0].json,
              R"({"clientId":"d","timestamp":1700000000000,"eventType":"connected",)"
              R"("sessionIdentifier":"0000000000000005","principalIdentifier":"d","ipAddress":"192.0.2.7",)"
              R"("versionNumber":10})");
    EXPECT_EQ(fleet.out.lifecycle[1].topic, "$aws/events/presence/disconnected/d");
    EXPECT_EQ(fleet.out.lifecycle[1].json,
              R"({"clientId":"d","timestamp":1700000000000,"eventType":"disconnected",)"
              R"("sessionIdentifier":"0000000000000005","principalIdentifier":"d","clientInitiatedDisconnect":false,)"
              R"("disconnectReason":"MQTT_KEEP_ALIVE_TIMEOUT","versionNumber":11})");
}

}  // namespace
}  // namespace muster
