#include "alerts/telemetry_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alerts/alike_devices_test.h"
#include "alerts/region_rules.h"
#include "base/random.h"

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

TEST_F(TelemetryRulesTest, an_adopted_incident_goes_on_with_the_devices_that_it_lists) {
    for (int i = 0; i < 4; ++i) {
        report({1, 1, 30});
    }
    Incident before = open()[0];
    ASSERT_EQ(before.devices.size(), 2U);
    const auto restart = [&] {
        auto restarted = std::make_unique<RegionRules>();
        changed.clear();
        EXPECT_TRUE(restarted->put(low_battery(), changed));
        restarted->adopt(before, changed);
        return restarted;
    };
    const auto pass_on = [&](RegionRules& restarted, int seconds) {
        for (int i = 0; i < seconds; ++i) {
            now += Seconds(1);
            (void)restarted.on_report({0, "", now, {}}, changed);
        }
    };
    const auto known = restart();
    pass_on(*known, 3500);
    ASSERT_EQ(known->open_incidents().size(), 1U);
    EXPECT_EQ(known->open_incidents()[0].devices, before.devices) << "their words are those of before";
    pass_on(*known, 200);
    EXPECT_TRUE(known->open_incidents().empty()) << "they were silent for an hour";

    before.devices.clear();
    const auto unknown = restart();
    pass_on(*unknown, 290);
    EXPECT_EQ(unknown->open_incidents().size(), 1U);
    pass_on(*unknown, 20);
    EXPECT_TRUE(unknown->open_incidents().empty()) << "none came back in five minutes";
}

/// Rules that judge by what was before: forty devices of one model that report a temperature each minute.
struct PastRulesTest : testing::Test {
    void SetUp() override { add_alike_devices(rules); }
    void put(std::string_view json) {
        const auto rule = parse_alert_rule(json);
        ASSERT_TRUE(rule) << rule.error().message();
        ASSERT_TRUE(rules.put(*rule, changed));
    }
    void pass(int minutes, double of_first_more = 0) {
        for (int minute = 0; minute < minutes; ++minute) {
            for (int i = 0; i < devices; ++i) {
                const double usual = 20 + i * 0.1 + 0.5 * random.normal();
                EXPECT_TRUE(
                    rules.on_value(name_of_device(i), "temperature", usual + (i == 0 ? of_first_more : 0), now));
            }
            for (int second = 0; second < 60; ++second) {
                now += Seconds(1);
                (void)rules.on_report({0, "", now, {}}, changed);
            }
        }
    }

    static constexpr int devices = alike_devices;
    RegionRules rules;
    std::vector<Incident> changed;
    Timestamp now = from_epoch_ms(1'700'000'000'000);
    Random random{11};
};

TEST_F(PastRulesTest, an_anomaly_is_one_incident_that_lists_its_device_and_what_was_seen) {
    put(R"({"name":"odd","metric":"anomaly","telemetry":"temperature"})");
    pass(100);
    EXPECT_TRUE(rules.open_incidents().empty());
    pass(2, 30);
    EXPECT_TRUE(rules.open_incidents().empty()) << "two samples are not three in a row";
    pass(2, 30);
    ASSERT_EQ(rules.open_incidents().size(), 1U);
    const Incident incident = rules.open_incidents()[0];
    EXPECT_EQ(incident.members, 1);
    ASSERT_EQ(incident.devices.size(), 1U);
    EXPECT_EQ(incident.devices[0].device, "d-0");
    EXPECT_NE(incident.devices[0].text.find("deviations from its usual"), std::string::npos)
        << incident.devices[0].text;
    const auto read = parse_incident(to_json(incident));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->devices, incident.devices);
    pass(4);
    EXPECT_TRUE(rules.open_incidents().empty());
}

TEST_F(PastRulesTest, a_device_apart_from_its_model_is_found_whatever_it_is_used_to) {
    pass(0);
    put(R"({"name":"apart","metric":"cohort_anomaly","telemetry":"temperature","samples":3})");
    pass(200, 30);
    ASSERT_EQ(rules.open_incidents().size(), 1U);
    EXPECT_EQ(rules.open_incidents()[0].devices.front().device, "d-0");
    EXPECT_EQ(rules.open_incidents()[0].members, 1);
}

TEST_F(PastRulesTest, too_few_of_a_model_are_nothing_to_compare_with) {
    put(R"({"name":"apart","metric":"cohort_anomaly","telemetry":"temperature","samples":3,"population_min":60})");
    pass(100, 30);
    EXPECT_TRUE(rules.open_incidents().empty());
}

TEST_F(PastRulesTest, a_value_that_stays_is_stuck_only_while_those_of_others_vary) {
    put(R"({"name":"frozen","metric":"stuck","telemetry":"temperature","raise":30})");
    for (int minute = 0; minute < 40; ++minute) {
        EXPECT_TRUE(rules.on_value("d-0", "temperature", 20.5, now));
        for (int i = 1; i < devices; ++i) {
            EXPECT_TRUE(rules.on_value(name_of_device(i), "temperature", 20 + random.normal(), now));
        }
        now += Seconds(1);
        (void)rules.on_report({0, "", now, {}}, changed);
    }
    for (int i = 0; i < 12; ++i) {
        now += Seconds(1);
        (void)rules.on_report({0, "", now, {}}, changed);
    }
    ASSERT_EQ(rules.open_incidents().size(), 1U);
    EXPECT_EQ(rules.open_incidents()[0].members, 1);
    rules.remove("frozen", changed);
    put(R"({"name":"frozen","metric":"stuck","telemetry":"pressure","raise":30})");
    for (int minute = 0; minute < 100; ++minute) {
        for (int i = 0; i < devices; ++i) {
            EXPECT_TRUE(rules.on_value(name_of_device(i), "pressure", 1013, now));
        }
        now += Seconds(1);
        (void)rules.on_report({0, "", now, {}}, changed);
    }
    EXPECT_TRUE(rules.open_incidents().empty()) << "all of them stay: that is the weather";
}

TEST_F(PastRulesTest, a_battery_that_will_soon_be_empty_raises_and_charging_it_clears) {
    put(R"({"name":"empty-soon","metric":"days_to_empty","telemetry":"battery","raise":2,"for_s":0})");
    double percent = 60;
    const auto drain = [&](int minutes, double a_minute) {
        for (int minute = 0; minute < minutes; ++minute) {
            percent += a_minute;
            EXPECT_TRUE(rules.on_value("d-3", "battery", percent, now));
            now += Seconds(60);
            (void)rules.on_report({0, "", now, {}}, changed);
        }
    };
    drain(50, -0.04);
    EXPECT_TRUE(rules.open_incidents().empty()) << "too early to tell";
    drain(60, -0.04);
    ASSERT_EQ(rules.open_incidents().size(), 1U);
    EXPECT_NE(rules.open_incidents()[0].summary.find("empty in"), std::string::npos);
    drain(30, 0.5);
    EXPECT_TRUE(rules.open_incidents().empty());
}

TEST_F(PastRulesTest, nothing_is_kept_of_the_past_when_no_rule_asks_for_it) {
    put(R"({"name":"odd","metric":"anomaly","telemetry":"temperature"})");
    put(R"({"name":"apart","metric":"cohort_anomaly","telemetry":"temperature"})");
    pass(2);
    EXPECT_EQ(rules.telemetry().scores().states(), static_cast<std::size_t>(devices)) << "one for all rules";
    EXPECT_EQ(rules.telemetry().cohorts(), 1U);
    rules.remove("apart", changed);
    rules.remove("odd", changed);
    EXPECT_EQ(rules.telemetry().scores().states(), 0U);
    EXPECT_EQ(rules.telemetry().cohorts(), 0U);
}

TEST(ValueScores, over_the_bound_silent_devices_make_room_and_others_are_refused) {
    ValueScores scores(16, 16);
    const auto take = [&](int device, std::int64_t elapsed_ms) {
        const std::string id = "d-" + std::to_string(device);
        return scores.take({id, "temperature", 1.0, Timestamp{}, elapsed_ms}).has_value();
    };
    for (int i = 0; i < 16; ++i) {
        EXPECT_TRUE(take(i, i * 1000));
    }
    EXPECT_FALSE(take(100, 20'000)) << "none of them is silent";
    EXPECT_EQ(scores.refused(), 1U);
    EXPECT_TRUE(take(5, 700'000)) << "one that is known is always taken";
    EXPECT_TRUE(take(100, 700'000));
    EXPECT_GE(scores.evicted(), 1U);
    EXPECT_LE(scores.states(), 16U);
}

}  // namespace
}  // namespace muster
