#include "alerts/telemetry_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alerts/region_rules.h"

namespace muster {
namespace {

AlertRule low_battery() {
    AlertRule rule = default_rule();
    rule.name = "battery";
    rule.metric = RuleMetric::telemetry;
    rule.telemetry = "battery";
    rule.below = true;
    rule.raise = 20;
    rule.clear = 25;
    rule.samples = 3;
    rule.for_s = Seconds(0);
    return rule;
}

struct TelemetryRulesTest : testing::Test {
    void SetUp() override { EXPECT_TRUE(rules.put(low_battery(), changed)); }
    /// One sample of each device, a second apart.
    void report(const std::vector<double>& values, const std::string& stem = "d-") {
        for (std::size_t i = 0; i < values.size(); ++i) {
            EXPECT_TRUE(rules.on_value(stem + std::to_string(i), "battery", values[i], now));
        }
        now += Seconds(1);
        (void)rules.on_report({0, "", now, {}}, changed);
    }
    void pass(int seconds) {
        for (int i = 0; i < seconds; ++i) {
            report({});
        }
    }
    [[nodiscard]] std::vector<Incident> open() const { return rules.open_incidents(); }

    RegionRules rules;
    std::vector<Incident> changed;
    Timestamp now = from_epoch_ms(1'700'000'000'000);
};

TEST_F(TelemetryRulesTest, raises_after_so_many_samples_in_a_row_and_not_before) {
    report({19});
    report({19});
    report({30});
    report({19});
    report({19});
    EXPECT_TRUE(open().empty());
    report({19});
    report({});
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].members, 1);
    EXPECT_EQ(open()[0].rule, "battery");
    EXPECT_NE(open()[0].summary.find("d-0"), std::string::npos);
}

TEST_F(TelemetryRulesTest, clears_after_so_many_good_samples_in_a_row_and_between_the_thresholds_nothing_changes) {
    for (int i = 0; i < 4; ++i) {
        report({10});
    }
    ASSERT_EQ(open().size(), 1U);
    for (int i = 0; i < 10; ++i) {
        report({22});
    }
    EXPECT_EQ(open().size(), 1U);
    report({26});
    report({26});
    report({24});
    report({26});
    report({26});
    EXPECT_EQ(open().size(), 1U);
    report({26});
    report({});
    EXPECT_TRUE(open().empty());
    EXPECT_FALSE(changed.back().open);
    EXPECT_EQ(rules.telemetry().states(), 0U) << "nothing is kept of devices that are well";
}

TEST_F(TelemetryRulesTest, many_devices_are_one_incident_that_tells_what_they_share) {
    for (int i = 0; i < 40; ++i) {
        StatusDocument document;
        document.id = "d-" + std::to_string(i);
        document.state = PresenceState::online;
        document.attributes.region = "in";
        document.attributes.firmware = i < 10 ? "2.4" : "2.3";
        document.offset = i + 1;
        EXPECT_TRUE(rules.on_status(document));
    }
    for (int i = 0; i < 8; ++i) {
        report(std::vector<double>(10, 5.0));
    }
    ASSERT_EQ(open().size(), 1U);
    EXPECT_EQ(open()[0].members, 10);
    ASSERT_FALSE(open()[0].shared.empty());
    EXPECT_EQ(open()[0].shared[0].attribute, "firmware");
    EXPECT_EQ(open()[0].shared[0].value, "2.4");
    EXPECT_DOUBLE_EQ(open()[0].shared[0].cohort_share, 0.25);
}

TEST_F(TelemetryRulesTest, a_scope_leaves_other_devices_out) {
    AlertRule rule = low_battery();
    rule.region = "in";
    EXPECT_TRUE(rules.put(rule, changed));
    StatusDocument document;
    document.id = "d-0";
    document.state = PresenceState::online;
    document.attributes.region = "de";
    document.offset = 1;
    EXPECT_TRUE(rules.on_status(document));
    for (int i = 0; i < 5; ++i) {
        report({1});
    }
    EXPECT_TRUE(open().empty());
}

TEST_F(TelemetryRulesTest, a_device_that_reports_no_more_leaves) {
    for (int i = 0; i < 4; ++i) {
        report({1});
    }
    ASSERT_EQ(open().size(), 1U);
    pass(3700);
    EXPECT_TRUE(open().empty());
}

TEST_F(TelemetryRulesTest, a_rule_that_is_removed_ends_its_incident) {
    for (int i = 0; i < 4; ++i) {
        report({1});
    }
    ASSERT_EQ(open().size(), 1U);
    rules.remove("battery", changed);
    EXPECT_FALSE(changed.back().open);
    EXPECT_TRUE(rules.telemetry().empty());
}

TEST_F(TelemetryRulesTest, an_adopted_incident_waits_for_its_devices) {
    for (int i = 0; i < 4; ++i) {
        report({1});
    }
    const Incident before = open()[0];
    RegionRules restarted;
    changed.clear();
    EXPECT_TRUE(restarted.put(low_battery(), changed));
    restarted.adopt(before, changed);
    const auto pass_on = [&](int seconds) {
        for (int i = 0; i < seconds; ++i) {
            now += Seconds(1);
            (void)restarted.on_report({0, "", now, {}}, changed);
        }
    };
    pass_on(290);
    EXPECT_EQ(restarted.open_incidents().size(), 1U);
    pass_on(20);
    EXPECT_TRUE(restarted.open_incidents().empty()) << "none of them came back in five minutes";
}

}  // namespace
}  // namespace muster
