#include <fmt/format.h>
#include <gtest/gtest.h>

#include "processor/fold_scenario.h"

namespace muster {
namespace {

using enum PresenceState;

struct PolicyRules : testing::Test {
    FoldScenario fleet;
    FoldScenario::Gateway a{"gw-a"};
    FleetPolicy policy;

    PolicyRules() { fleet.tick(a); }
    [[nodiscard]] bool in_maintenance(std::string_view device) const {
        return has(fleet.document(device).overlays, Overlay::maintenance);
    }
    void lay_down() {
        ++policy.version;
        fleet.policy(a, policy);
    }
    /// A window that begins and ends this many seconds from now.
    void plan(const std::string& id, DeviceQuery query, int from_s, int to_s) {
        policy.maintenance.push_back(
            {id, std::move(query), a.now + Seconds(from_s), a.now + Seconds(to_s), "mast", "ops"});
        lay_down();
    }
    void birth(std::string_view device, std::string_view region, std::string_view model) {
        fleet.connect(a, device, 1, 0);
        fleet.status(a, device, 1, fmt::format(R"({{"status":"ONLINE","region":"{}","model":"{}"}})", region, model));
    }
};

TEST_F(PolicyRules, a_model_has_its_own_heartbeat_timeout_and_a_device_wins_over_its_model) {
    policy.heartbeat_timeouts_s = {{"quick", 10}};
    lay_down();
    birth("d", "in/ka", "quick");
    birth("other", "in/ka", "slow");
    birth("own", "in/ka", "quick");
    fleet.attributes(a, "own", R"({"heartbeat_timeout_s":30})");
    EXPECT_EQ(fleet.document("d").evidence.timeout_s, 10U);
    EXPECT_EQ(fleet.document("d").evidence.timeout_rule, TimeoutRule::model);
    EXPECT_EQ(fleet.document("own").evidence.timeout_rule, TimeoutRule::device);
    EXPECT_EQ(fleet.document("other").evidence.timeout_s, 60U);
    fleet.tick_seconds(a, 12);
    EXPECT_EQ(fleet.state("d"), offline);
    EXPECT_EQ(fleet.state("own"), online);
    fleet.tick_seconds(a, 20);
    EXPECT_EQ(fleet.state("own"), offline);
    EXPECT_EQ(fleet.state("other"), online);
}

TEST_F(PolicyRules, a_timeout_shortened_for_a_model_takes_effect_at_once) {
    birth("d", "in/ka", "quick");
    fleet.tick_seconds(a, 20);
    policy.heartbeat_timeouts_s = {{"quick", 10}};
    lay_down();
    fleet.tick(a);
    EXPECT_EQ(fleet.state("d"), offline);
}

TEST_F(PolicyRules, a_window_begins_and_ends_by_partition_time) {
    birth("d", "in/ka/ka-04", "m");
    birth("far", "in/kerala", "m");
    plan("w", {"in/ka", "", {}}, 5, 15);
    EXPECT_FALSE(in_maintenance("d"));
    fleet.tick_seconds(a, 5);
    EXPECT_TRUE(in_maintenance("d"));
    EXPECT_FALSE(in_maintenance("far"));
    EXPECT_EQ(fleet.document("d").evidence.maintenance, "w");
    fleet.tick_seconds(a, 10);
    EXPECT_FALSE(in_maintenance("d"));
    EXPECT_EQ(fleet.document("d").evidence.maintenance, "");
    EXPECT_EQ(fleet.times("d", offline), 0);
}

TEST_F(PolicyRules, devices_in_maintenance_count_neither_way) {
    birth("d", "in/ka", "m");
    birth("e", "in/ka", "m");
    plan("w", {"", "", {"d"}}, 0, 100);
    fleet.disconnect(a, "d", 1, Cause::connection_lost);
    fleet.tick(a);
    const RegionCounts counts = fleet.out.regions.back().counts;
    EXPECT_EQ(counts.countable, 1);
    EXPECT_EQ(counts.countable_offline, 0);
    EXPECT_EQ(counts.maintenance, 1);
    EXPECT_EQ(counts.offline, 1) << "its state is shown all the same";
}

TEST_F(PolicyRules, planned_work_is_no_flapping) {
    birth("d", "in/ka", "m");
    plan("w", {"", "m", {}}, 0, 1000);
    for (SessionEpoch epoch = 2; epoch < 12; ++epoch) {
        fleet.connect(a, "d", epoch);
        fleet.disconnect(a, "d", epoch, Cause::connection_lost);
    }
    EXPECT_EQ(fleet.document("d").flap_penalty, 0);
}

TEST_F(PolicyRules, a_window_takes_in_devices_that_come_or_move_while_it_is_open) {
    plan("w", {"in/ka", "", {}}, 0, 1000);
    birth("d", "in/ka", "m");
    EXPECT_TRUE(in_maintenance("d"));
    fleet.attributes(a, "d", R"({"region":"in/kerala"})");
    EXPECT_FALSE(in_maintenance("d"));
    plan("x", {"", "", {"later"}}, 0, 1000);
    fleet.connect(a, "later", 1);
    EXPECT_TRUE(in_maintenance("later"));
}

TEST_F(PolicyRules, a_window_that_is_taken_back_ends_at_once) {
    birth("d", "in/ka", "m");
    plan("w", {"in", "", {}}, 0, 1000);
    ASSERT_TRUE(in_maintenance("d"));
    policy.maintenance.clear();
    lay_down();
    EXPECT_FALSE(in_maintenance("d"));
}

TEST_F(PolicyRules, an_older_policy_that_comes_again_changes_nothing) {
    birth("d", "in/ka", "m");
    const FleetPolicy old = policy;
    plan("w", {"in", "", {}}, 0, 1000);
    fleet.policy(a, old);
    fleet.policy(a, policy);
    EXPECT_TRUE(in_maintenance("d"));
    EXPECT_EQ(fleet.out.refused(Refusal::repeated), 2U);
}

TEST_F(PolicyRules, a_policy_that_cannot_be_read_is_counted_and_leaves_the_old_one) {
    birth("d", "in/ka", "m");
    plan("w", {"in", "", {}}, 0, 1000);
    EventHeader header;
    header.kind = EventKind::policy;
    header.received = a.now;
    fleet.feed(header, a, {}, R"({"version":99,"maintenance":7})");
    EXPECT_TRUE(in_maintenance("d"));
    EXPECT_EQ(fleet.out.refused(Refusal::bad_policy), 1U);
}

// G9
TEST_F(PolicyRules, a_snapshot_goes_on_within_a_window) {
    birth("d", "in/ka", "m");
    plan("w", {"in", "", {}}, 0, 10);
    fleet.restart_from_snapshot();
    EXPECT_TRUE(in_maintenance("d"));
    EXPECT_EQ(fleet.document("d").evidence.maintenance, "w");
    fleet.tick_seconds(a, 10);
    EXPECT_FALSE(in_maintenance("d"));
}

TEST_F(PolicyRules, a_canary_counts_nowhere) {
    fleet.connect(a, "muster-canary-1", 1);
    fleet.disconnect(a, "muster-canary-1", 1, Cause::connection_lost);
    fleet.tick(a);
    EXPECT_EQ(fleet.out.regions.back().counts, RegionCounts{});
    EXPECT_EQ(fleet.state("muster-canary-1"), offline);
}

}  // namespace
}  // namespace muster
