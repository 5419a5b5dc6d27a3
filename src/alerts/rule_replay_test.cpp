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

TEST(RuleReplay, a_rule_on_values_is_tested_on_recorded_samples) {
    const auto low = parse_alert_rule(
        R"({"name":"low","metric":"telemetry","telemetry":"battery","below":true,"raise":20,"for_s":0,"region":"in/ka"})");
    const auto odd = parse_alert_rule(R"({"name":"odd","metric":"anomaly","telemetry":"temperature","model":"m-1"})");
    ASSERT_TRUE(low && odd);
    auto replay = RuleReplay::of({*low, *odd});
    ASSERT_TRUE(replay);
    EXPECT_TRUE(replay->metrics().contains("battery"));
    EXPECT_TRUE(replay->needs_attributes());
    const auto add = [&](const std::string& device, std::string_view metric, int minute, double value) {
        EXPECT_TRUE(replay->add_value(device, metric, value, from + Seconds(60 * minute)));
    };
    for (const int i : {0, 1, 60}) {  // two of in/ka, one of in/tn
        const std::string device = "d-" + std::to_string(i);
        EXPECT_TRUE(replay->add(was(i, PresenceState::online, from - Seconds(5))));
        DeviceAttributes attributes;
        attributes.model = i == 0 ? "m-1" : "m-2";
        replay->know(device, attributes);
        for (int minute = 0; minute < 180; ++minute) {  // device by device, as the export is
            add(device, "battery", minute, i != 1 && minute >= 100 ? 10 : 90);
            const double wobble = 0.1 * (minute * 7 % 5);
            add(device, "temperature", minute, 20 + wobble + (minute >= 120 && minute < 130 ? 15 : 0));
        }
    }
    const auto incidents = replay->run(from, from + Seconds(180 * 60));
    ASSERT_EQ(incidents.size(), 2U) << "in/tn is not in the one's scope, m-2 not in the other's";
    EXPECT_EQ(incidents[0].rule, "low");
    EXPECT_EQ(incidents[0].members_peak, 1);
    EXPECT_EQ(incidents[0].devices.at(0).device, "d-0");
    EXPECT_EQ(incidents[0].opened, from + Seconds(102 * 60)) << "with the third sample in a row";
    EXPECT_EQ(incidents[1].rule, "odd");
    EXPECT_EQ(incidents[1].members_peak, 1);
    EXPECT_TRUE(incidents[1].resolved);
}

TEST(RuleReplay, a_rule_that_the_record_cannot_judge_is_refused) {
    AlertRule rule = default_rule();
    rule.carrier = "airtel";
    EXPECT_FALSE(RuleReplay::of({rule}));
    rule.metric = RuleMetric::stuck;
    rule.telemetry = "signal";
    EXPECT_FALSE(RuleReplay::of({rule}));
    rule.carrier.clear();
    EXPECT_TRUE(RuleReplay::of({rule}));
}

}  // namespace
}  // namespace muster
