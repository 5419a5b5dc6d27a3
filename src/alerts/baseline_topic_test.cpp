#include "alerts/baseline_topic.h"

#include <gtest/gtest.h>

#include "alerts/alike_devices_test.h"
#include "base/random.h"

namespace muster {
namespace {

constexpr int devices = alike_devices;

/// An alerts role's judgement of forty devices of one model, what it writes of what it learns, and its restarts.
struct BaselineTopicTest : testing::Test {
    void SetUp() override { restart(); }
    /// As after a kill: only what was written by then is there, `away` later.
    void restart(Millis away = Millis(0)) {
        now += away;
        const std::vector<Incident> open = rules ? rules->open_incidents() : std::vector<Incident>();
        rules = std::make_unique<RegionRules>();
        topic = std::make_unique<BaselineTopic>(metrics);
        add_alike_devices(*rules);
        for (const AlertRule& rule : put_rules) {
            EXPECT_TRUE(rules->put(rule, changed));
        }
        report(1);
        for (const Incident& incident : open) {
            rules->adopt(incident, changed);
        }
        topic->take_back(records, *rules);
    }
    void put(std::string_view json) {
        put_rules.push_back(*parse_alert_rule(json));
        ASSERT_TRUE(rules->put(put_rules.back(), changed));
    }
    void report(int seconds) {
        for (int i = 0; i < seconds; ++i) {
            now += Seconds(1);
            (void)rules->on_report({0, "", now, {}}, changed);
            topic->write_due(*rules, [this](std::string_view key, std::string_view value) { keep(key, value); });
        }
    }
    void keep(std::string_view key, std::string_view value) {
        if (value.empty()) {
            records.erase(std::string(key));
        } else {
            records.insert_or_assign(std::string(key), std::string(value));
        }
    }
    void pass(int minutes, double of_first_more = 0) {
        for (int minute = 0; minute < minutes; ++minute) {
            for (int i = 0; i < devices; ++i) {
                const double usual = 20 + i * 0.1 + 0.5 * random.normal();
                const double more = i == 0 ? of_first_more : 0;
                EXPECT_TRUE(rules->on_value(name_of_device(i), "temperature", usual + more, now));
            }
            report(60);
        }
    }
    [[nodiscard]] std::size_t opened() const {
        std::set<std::string> ids;
        for (const Incident& incident : changed) {
            ids.insert(incident.id);
        }
        return ids.size();
    }
    [[nodiscard]] bool has_counted(const std::string& line) const {
        return metrics.render().find("\n" + line + "\n") != std::string::npos;
    }

    MetricRegistry metrics;
    std::map<std::string, std::string> records;  ///< what is on the bus
    std::vector<AlertRule> put_rules;
    std::unique_ptr<RegionRules> rules;
    std::unique_ptr<BaselineTopic> topic;
    std::vector<Incident> changed;
    Timestamp now = from_epoch_ms(1'700'000'000'000);
    Random random{11};
};

constexpr std::string_view odd = R"({"name":"odd","metric":"anomaly","telemetry":"temperature"})";

TEST_F(BaselineTopicTest, a_fault_right_after_a_kill_is_found) {
    put(odd);
    pass(100);
    restart();
    EXPECT_EQ(rules->telemetry().scores().states(), static_cast<std::size_t>(devices));
    EXPECT_TRUE(has_counted("muster_alerts_baselines_restored_total 40"));
    pass(4, 30);
    ASSERT_EQ(rules->open_incidents().size(), 1U);
    EXPECT_EQ(rules->open_incidents()[0].devices.at(0).device, "d-0");
    EXPECT_EQ(rules->open_incidents()[0].members, 1);
}

TEST_F(BaselineTopicTest, without_what_was_written_it_would_not_be) {
    put(odd);
    pass(100);
    records.clear();
    restart();
    pass(4, 30);
    EXPECT_TRUE(rules->open_incidents().empty());
}

TEST_F(BaselineTopicTest, a_fault_that_lasts_over_restarts_is_one_incident_with_its_words_and_ends_when_it_is_over) {
    put(odd);
    pass(100);
    pass(4, 30);
    ASSERT_EQ(rules->open_incidents().size(), 1U);
    const std::string words = rules->open_incidents()[0].summary;
    restart();
    pass(4, 30);
    restart(Millis(120'000));
    pass(2, 30);
    ASSERT_EQ(rules->open_incidents().size(), 1U);
    EXPECT_EQ(rules->open_incidents()[0].summary, words);
    EXPECT_EQ(rules->open_incidents()[0].members, 1);
    pass(5);
    EXPECT_TRUE(rules->open_incidents().empty());
    EXPECT_EQ(opened(), 1U);
}

TEST_F(BaselineTopicTest, a_cohort_is_known_again_before_its_devices_have_spoken) {
    put(R"({"name":"apart","metric":"cohort_anomaly","telemetry":"temperature","samples":3})");
    pass(100);
    restart();
    EXPECT_EQ(rules->telemetry().cohorts(), 1U);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(rules->on_value("d-0", "temperature", 60, now));
    }
    report(2);
    EXPECT_TRUE(rules->telemetry().is_in_breach("apart", "d-0"));
}

TEST_F(BaselineTopicTest, a_cohort_of_a_rule_that_has_changed_meanwhile_is_another) {
    put(R"({"name":"apart","metric":"cohort_anomaly","telemetry":"temperature","samples":3})");
    pass(100);
    put_rules[0].region = "in/ka";
    restart();
    EXPECT_EQ(rules->telemetry().cohorts(), 0U);
}

TEST_F(BaselineTopicTest, a_battery_keeps_its_forecast) {
    put(R"({"name":"empty-soon","metric":"days_to_empty","telemetry":"battery","raise":2,"for_s":0})");
    double percent = 60;
    const auto drain = [&](int minutes) {
        for (int minute = 0; minute < minutes; ++minute) {
            percent -= 0.04;
            EXPECT_TRUE(rules->on_value("d-3", "battery", percent, now));
            report(60);
        }
    };
    drain(58);
    EXPECT_TRUE(rules->open_incidents().empty()) << "too early to tell";
    restart(Millis(3'600'000));
    percent -= 2.4;
    drain(12);
    EXPECT_EQ(rules->open_incidents().size(), 1U);
}

TEST_F(BaselineTopicTest, what_is_too_old_is_learnt_anew_and_counted) {
    put(odd);
    pass(100);
    restart(ValueScores::gap_max + Millis(600'000));
    EXPECT_EQ(rules->telemetry().scores().states(), 0U);
    EXPECT_FALSE(has_counted("muster_alerts_baseline_parts_outdated_total 0"));
    pass(4, 30);
    EXPECT_TRUE(rules->open_incidents().empty());
}

TEST_F(BaselineTopicTest, a_damaged_part_is_counted_and_costs_no_other) {
    put(odd);
    pass(100);
    ASSERT_GT(records.size(), 2U);
    records.begin()->second[20] ^= 1;
    std::next(records.begin())->second.pop_back();
    records["rubbish"] = "rubbish";
    restart();
    EXPECT_TRUE(has_counted("muster_alerts_baseline_parts_damaged_total 3"));
    const std::size_t states = rules->telemetry().scores().states();
    EXPECT_GE(states, devices - 10U);
    EXPECT_LT(states, static_cast<std::size_t>(devices));
}

TEST_F(BaselineTopicTest, every_part_is_written_once_a_round_and_leaves_the_bus_with_what_was_in_it) {
    put(odd);
    pass(1);
    int written = 0;
    for (int i = 0; i < 300; ++i) {
        now += Seconds(1);
        (void)rules->on_report({0, "", now, {}}, changed);
        topic->write_due(*rules, [&](std::string_view key, std::string_view value) {
            ++written;
            keep(key, value);
        });
    }
    EXPECT_EQ(written, static_cast<int>(records.size()));
    EXPECT_GT(records.size(), 20U);
    EXPECT_LE(records.size(), static_cast<std::size_t>(devices));
    rules->remove("odd", changed);
    report(310);
    EXPECT_TRUE(records.empty());
}

TEST_F(BaselineTopicTest, nothing_is_written_before_what_was_there_is_read) {
    put(odd);
    pass(10);
    topic = std::make_unique<BaselineTopic>(metrics);
    const auto before = records;
    rules->remove("odd", changed);
    report(310);
    EXPECT_EQ(records, before);
}

}  // namespace
}  // namespace muster
