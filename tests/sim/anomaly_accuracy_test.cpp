// How often the rules on values are right, on sensors whose truth is known. MUSTER_ANOMALY_SEEDS and
// MUSTER_ANOMALY_FROM say which worlds, MUSTER_ANOMALY_SEVERITY how large their faults are (1).
#include <array>
#include <cstdlib>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "alerts/region_rules.h"
#include "sensor_world.h"

namespace muster {
namespace {

constexpr std::uint64_t first_seed = 101;  ///< 1 to 20: those on which the defaults were settled
constexpr int default_seeds = 6;
constexpr Seconds aftermath{3 * 3600};  ///< what a fault leaves behind, such as the step back to the true value

/// Each kind with its defaults, on each value it is meant for.
std::vector<AlertRule> rules_under_test() {
    std::vector<AlertRule> rules;
    for (const auto& [metric, telemetry] : {std::pair{"anomaly", "temperature"},
                                            {"anomaly", "signal"},
                                            {"anomaly", "cpu"},
                                            {"cohort_anomaly", "temperature"},
                                            {"noise", "temperature"},
                                            {"noise", "signal"},
                                            {"noise", "cpu"},
                                            {"stuck", "temperature"},
                                            {"stuck", "signal"},
                                            {"stuck", "cpu"},
                                            {"days_to_empty", "battery"}}) {
        auto rule = parse_alert_rule(
            fmt::format(R"({{"name":"{0}-{1}","metric":"{0}","telemetry":"{1}"}})", metric, telemetry));
        EXPECT_TRUE(rule) << (rule ? "" : rule.error().message());
        rules.push_back(*rule);
    }
    return rules;
}

struct Tally {
    int faults = 0;
    int found = 0;
    std::vector<double> delays_min;
    std::map<std::string, int> found_by;
};

struct Outcome {
    std::array<Tally, fault_count> by_fault;
    std::map<std::string, std::pair<int, int>> by_rule;  ///< alarms that are right, alarms
    int alarms = 0;
    int right = 0;

    [[nodiscard]] double precision() const { return alarms == 0 ? 0 : static_cast<double>(right) / alarms; }
    [[nodiscard]] double recall() const {
        int faults = 0;
        int found = 0;
        for (const Tally& tally : by_fault) {
            faults += tally.faults;
            found += tally.found;
        }
        return static_cast<double>(found) / faults;
    }
};

/// One world under all rules. An alarm is a device that comes into breach of a rule; it is right when the device has a
/// fault then, or had one within the aftermath. A fault is found when there is such an alarm.
void play(std::uint64_t seed, double severity, Outcome& outcome) {
    SensorWorld world(seed, severity);
    RegionRules rules;
    std::vector<Incident> changed;
    const std::vector<AlertRule> under_test = rules_under_test();
    for (const AlertRule& rule : under_test) {
        ASSERT_TRUE(rules.put(rule, changed));
    }
    for (int i = 0; i < SensorWorld::devices; ++i) {
        StatusDocument document;
        document.id = SensorWorld::device_name(i);
        document.state = PresenceState::online;
        document.attributes.model = SensorWorld::model_of(i);
        document.attributes.region = "in/ka";
        document.offset = i + 1;
        ASSERT_TRUE(rules.on_status(document));
        ++outcome.by_fault[static_cast<std::size_t>(world.truth(i).fault)].faults;
    }
    outcome.by_fault[0] = {};
    std::vector<std::vector<bool>> raised(under_test.size(), std::vector<bool>(SensorWorld::devices, false));
    std::vector<bool> found(SensorWorld::devices, false);
    const auto look = [&](int device, std::string_view metric, Timestamp time) {
        for (std::size_t r = 0; r < under_test.size(); ++r) {
            if (under_test[r].telemetry != metric) {
                continue;
            }
            const auto at = static_cast<std::size_t>(device);
            const bool now = rules.telemetry().is_in_breach(under_test[r].name, SensorWorld::device_name(device));
            if (now && !raised[r][at]) {
                const SensorWorld::Truth& truth = world.truth(device);
                const bool right = truth.fault != Fault::none && time >= truth.begin && time < truth.end + aftermath;
                auto& [rule_right, rule_alarms] = outcome.by_rule[under_test[r].name];
                ++rule_alarms;
                ++outcome.alarms;
                rule_right += right ? 1 : 0;
                outcome.right += right ? 1 : 0;
                Tally& tally = outcome.by_fault[static_cast<std::size_t>(truth.fault)];
                if (right && !found[at]) {
                    found[at] = true;
                    ++tally.found;
                    tally.delays_min.push_back(static_cast<double>((time - truth.begin).count()) / 60'000);
                    ++tally.found_by[under_test[r].name];
                }
            }
            raised[r][at] = now;
        }
    };
    for (Seconds passed{0}; passed < SensorWorld::length; passed += SensorWorld::interval) {
        Timestamp now{};
        world.step([&](int device, std::string_view metric, double value, Timestamp time) {
            now = time;
            ASSERT_TRUE(rules.on_value(SensorWorld::device_name(device), metric, value, time));
            look(device, metric, time);
        });
        (void)rules.on_report({0, "", now, {}}, changed);
        changed.clear();
    }
}

void print(Outcome& outcome) {
    for (std::size_t i = 1; i < fault_count; ++i) {
        Tally& tally = outcome.by_fault[i];
        std::sort(tally.delays_min.begin(), tally.delays_min.end());
        fmt::print("| {} | {} | {} | {:.1f} % | {:.0f} min |", name_of(static_cast<Fault>(i)), tally.faults,
                   tally.found, 100.0 * tally.found / std::max(1, tally.faults),
                   tally.delays_min.empty() ? 0.0 : tally.delays_min[tally.delays_min.size() / 2]);
        for (const auto& [rule, count] : tally.found_by) {
            fmt::print(" {} {}", rule, count);
        }
        fmt::print("\n");
    }
    for (const auto& [rule, counts] : outcome.by_rule) {
        fmt::print("| {} | {} alarms | {} right |\n", rule, counts.second, counts.first);
    }
    fmt::print("precision {:.4f} ({} of {}), recall {:.4f}\n", outcome.precision(), outcome.right, outcome.alarms,
               outcome.recall());
}

TEST(AnomalyAccuracy, of_seeded_faults_nearly_all_are_found_and_nearly_all_alarms_are_right) {
    const char* const asked = std::getenv("MUSTER_ANOMALY_SEEDS");
    const char* const from = std::getenv("MUSTER_ANOMALY_FROM");
    const int seeds = asked != nullptr ? std::atoi(asked) : default_seeds;
    const std::uint64_t first = from != nullptr ? std::strtoull(from, nullptr, 10) : first_seed;
    const char* const given = std::getenv("MUSTER_ANOMALY_SEVERITY");
    const double severity = given != nullptr ? std::strtod(given, nullptr) : 1;
    Outcome outcome;
    for (int i = 0; i < seeds; ++i) {
        play(first + static_cast<std::uint64_t>(i), severity, outcome);
    }
    print(outcome);
    if (severity != 1) {
        GTEST_SKIP() << "measured only: the floors are for faults of full size";
    }
    EXPECT_GE(outcome.precision(), 0.95);
    EXPECT_GE(outcome.recall(), 0.90);
    for (std::size_t i = 1; i < fault_count; ++i) {
        const Tally& tally = outcome.by_fault[i];
        EXPECT_GE(tally.found, 0.8 * tally.faults) << name_of(static_cast<Fault>(i));
    }
}

}  // namespace
}  // namespace muster
