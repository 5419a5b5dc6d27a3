#include "contract/alert_rule.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

std::string refusal_of(std::string_view json) {
    const auto rule = parse_alert_rule(json);
    return rule ? "" : rule.error().message();
}

TEST(AlertRule, survives_json) {
    AlertRule rule = default_rule();
    rule.name = "cold";
    rule.metric = RuleMetric::telemetry;
    rule.telemetry = "temperature";
    rule.below = true;
    rule.raise = -5;
    rule.clear = -2;
    rule.region = "in/ka";
    rule.model = "ax-2";
    rule.schedule = {0b0010001, 22 * 60, 6 * 60};
    rule.silenced_until = from_epoch_ms(77);
    rule.severity = "critical";
    rule.enabled = false;
    const auto parsed = parse_alert_rule(to_json(rule));
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(*parsed, rule);
}

TEST(AlertRule, absent_members_have_the_designs_figures) {
    const auto rule = parse_alert_rule(R"({"name":"x"})");
    ASSERT_TRUE(rule);
    EXPECT_EQ(rule->metric, RuleMetric::offline_share);
    EXPECT_DOUBLE_EQ(rule->raise, 0.10);
    EXPECT_DOUBLE_EQ(rule->clear, 0.08);
    EXPECT_EQ(rule->for_s, Seconds(10));
    EXPECT_EQ(rule->population_min, 20);
}

TEST(AlertRule, clears_a_fifth_to_the_good_side_when_nothing_is_said) {
    EXPECT_DOUBLE_EQ(parse_alert_rule(R"({"name":"x","raise":0.5})")->clear, 0.4);
    EXPECT_DOUBLE_EQ(
        parse_alert_rule(R"({"name":"x","metric":"telemetry","telemetry":"battery","below":true,"raise":20})")->clear,
        25);
    EXPECT_GT(parse_alert_rule(R"({"name":"x","metric":"telemetry","telemetry":"t","below":true,"raise":-20})")->clear,
              -20);
}

TEST(AlertRule, says_what_is_wrong) {
    EXPECT_NE(refusal_of(R"({"name":"X y"})").find("name"), std::string::npos);
    EXPECT_NE(refusal_of(R"({"name":"x","rais":1})").find("rais"), std::string::npos);
    EXPECT_NE(refusal_of(R"({"name":"x","raise":0.1,"clear":0.2})").find("clear"), std::string::npos);
    EXPECT_NE(refusal_of(R"({"name":"x","raise":10})").find("10 %"), std::string::npos);
    EXPECT_NE(refusal_of(R"({"name":"x","metric":"telemetry"})").find("telemetry"), std::string::npos);
    EXPECT_NE(refusal_of(R"({"name":"x","metric":"weather"})").find("metric"), std::string::npos);
    EXPECT_NE(refusal_of(R"({"name":"x","severity":"loud"})").find("severity"), std::string::npos);
    EXPECT_NE(refusal_of(R"({"name":"x","schedule":{"from":"8:00"}})").find("hh:mm"), std::string::npos);
    EXPECT_NE(refusal_of(R"({"name":"x","schedule":{"days":["someday"]}})").find("mon"), std::string::npos);
    EXPECT_NE(refusal_of(R"({"name":"x","enabled":"yes"})").find("enabled"), std::string::npos);
    EXPECT_NE(refusal_of(R"({"name":"x","for_s":-1})").find("for_s"), std::string::npos);
}

TEST(RuleSchedule, over_midnight_counts_by_the_day_of_its_beginning) {
    // 2023-11-14 22:13:20, a Tuesday.
    const Timestamp tuesday_evening = from_epoch_ms(1'700'000'000'000);
    const RuleSchedule nights{0b0000010, 22 * 60, 6 * 60};
    EXPECT_TRUE(nights.is_active(tuesday_evening));
    EXPECT_TRUE(nights.is_active(tuesday_evening + std::chrono::hours(6))) << "Wednesday 04:13 is Tuesday's night";
    EXPECT_FALSE(nights.is_active(tuesday_evening + std::chrono::hours(8)));
    EXPECT_FALSE(nights.is_active(tuesday_evening + std::chrono::hours(24))) << "Wednesday's night";
    EXPECT_TRUE(RuleSchedule{}.is_active(tuesday_evening));
}

TEST(AlertRule, a_silenced_or_disabled_rule_is_not_active) {
    AlertRule rule = default_rule();
    const Timestamp now = from_epoch_ms(1000);
    EXPECT_TRUE(rule.is_active(now));
    rule.silenced_until = now + Seconds(1);
    EXPECT_FALSE(rule.is_active(now));
    rule.silenced_until = {};
    rule.enabled = false;
    EXPECT_FALSE(rule.is_active(now));
}

TEST(AlertRule, a_rule_on_the_past_of_values_has_the_defaults_of_its_metric) {
    const auto anomaly = parse_alert_rule(R"({"name":"odd","metric":"anomaly","telemetry":"temperature"})");
    ASSERT_TRUE(anomaly) << anomaly.error().message();
    EXPECT_DOUBLE_EQ(anomaly->raise, 8);
    EXPECT_DOUBLE_EQ(anomaly->clear, 4);
    EXPECT_FALSE(anomaly->below);
    const auto battery =
        parse_alert_rule(R"({"name":"empty","metric":"days_to_empty","telemetry":"battery","raise":2})");
    ASSERT_TRUE(battery) << battery.error().message();
    EXPECT_TRUE(battery->below);
    EXPECT_DOUBLE_EQ(battery->clear, 2.5);
    for (const auto& rule : {*anomaly, *battery}) {
        const auto again = parse_alert_rule(to_json(rule));
        ASSERT_TRUE(again) << again.error().message();
        EXPECT_EQ(*again, rule);
    }
}

TEST(AlertRule, a_rule_on_the_past_of_values_that_cannot_be_is_refused) {
    for (const std::string_view json :
         {R"({"name":"a","metric":"anomaly"})", R"({"name":"a","metric":"anomaly","telemetry":"t","below":true})",
          R"({"name":"a","metric":"days_to_empty","telemetry":"t","below":false})",
          R"({"name":"a","metric":"noise","telemetry":"t","raise":0,"clear":0})",
          R"({"name":"a","metric":"stuck","telemetry":"t","raise":-1})",
          R"({"name":"a","metric":"sticky","telemetry":"t"})"}) {
        EXPECT_FALSE(parse_alert_rule(json)) << json;
    }
}

}  // namespace
}  // namespace muster
