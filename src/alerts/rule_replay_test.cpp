#include "alerts/rule_replay.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

constexpr Timestamp from = from_epoch_ms(1'700'000'000'000);

StatusDocument was(int device, PresenceState state, Timestamp since) {
    StatusDocument document;
    document.id = "d-" + std::to_string(device);
    document.state = state;
    document.cause = state == PresenceState::online ? Cause::connect : Cause::connection_lost;
    document.since = since;
    document.attributes.region = device < 50 ? "in/ka" : "in/tn";
    return document;
}

/// 100 devices, of which 40 in in/ka are away from the tenth minute to the twentieth.
RuleReplay replay_of(const std::vector<AlertRule>& rules) {
    auto replay = RuleReplay::of(rules);
    EXPECT_TRUE(replay);
    for (int i = 0; i < 100; ++i) {
        // The changes before the state at the beginning: the order does not matter.
        if (i < 40) {
            EXPECT_TRUE(replay->add(was(i, PresenceState::online, from + Seconds(1200))));
            EXPECT_TRUE(replay->add(was(i, PresenceState::offline, from + Seconds(600))));
        }
        EXPECT_TRUE(replay->add(was(i, PresenceState::online, from - Seconds(5))));
    }
    return std::move(*replay);
}

TEST(RuleReplay, tells_what_would_have_been_raised_and_when) {
    const auto incidents = replay_of({default_rule()}).run(from, from + Seconds(3600));
    ASSERT_EQ(incidents.size(), 1U);
    EXPECT_EQ(incidents[0].region, "in/ka");
    EXPECT_EQ(incidents[0].members_peak, 40);
    EXPECT_GE(incidents[0].opened, from + Seconds(610));
    EXPECT_LE(incidents[0].opened, from + Seconds(613));
    ASSERT_TRUE(incidents[0].resolved);
    EXPECT_LE(*incidents[0].resolved, from + Seconds(1203));
}

TEST(RuleReplay, a_rule_that_is_more_patient_raises_nothing) {
    AlertRule rule = default_rule();
    rule.for_s = Seconds(900);
    EXPECT_TRUE(replay_of({rule}).run(from, from + Seconds(3600)).empty());
}

TEST(RuleReplay, what_was_so_at_the_beginning_is_judged_from_there) {
    auto replay = RuleReplay::of({default_rule()});
    for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(
            replay->add(was(i, i < 20 ? PresenceState::offline : PresenceState::online, from - Seconds(86'400))));
    }
    const auto incidents = replay->run(from, from + Seconds(60));
    ASSERT_EQ(incidents.size(), 1U);
    EXPECT_TRUE(incidents[0].open);
}

TEST(RuleReplay, a_rule_that_the_record_cannot_judge_is_refused) {
    AlertRule rule = default_rule();
    rule.carrier = "airtel";
    EXPECT_FALSE(RuleReplay::of({rule}));
}

}  // namespace
}  // namespace muster
