// What a second of the alerts role costs: rules on regions, and device status folded into cohorts; and what it costs to
// keep what the rules on values have learnt.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "alerts/baseline_topic.h"
#include "alerts/region_rules.h"

namespace muster {
namespace {

constexpr int regions = 1000;
constexpr Timestamp start = from_epoch_ms(1'700'000'000'000);

std::string region_name(int i) {
    return fmt::format("c{}/s{}/site-{}", i % 4, i % 40, i);
}

RegionCounts counts_of(std::int64_t offline) {
    RegionCounts counts;
    counts.countable = counts.online = 1000;
    counts.countable_offline = offline;
    return counts;
}

/// Reports of a second in which `changing` of the regions have changed, judged by 1,000 rules.
void rules_second(benchmark::State& state) {
    const bool scoped = state.range(0) == 1;
    const auto changing = static_cast<int>(state.range(1));
    RegionRules rules;
    std::vector<Incident> changed;
    for (int i = 0; i < 1000; ++i) {
        AlertRule rule = default_rule();
        rule.name = fmt::format("rule-{}", i);
        rule.region = scoped ? region_name(i) : "";
        rule.raise = 0.1 + 0.0001 * i;
        (void)rules.put(rule, changed);
    }
    std::vector<RegionReport> reports;
    for (int i = 0; i < regions; ++i) {
        reports.push_back({0, region_name(i), start, counts_of(30)});
        (void)rules.on_report(reports.back(), changed);
    }
    std::int64_t second = 0;
    for (auto _ : state) {
        ++second;
        for (int i = 0; i < changing; ++i) {
            RegionReport& report = reports[static_cast<std::size_t>(i)];
            report.time = start + Seconds(second);
            report.counts.countable_offline = 30 + (second + i) % 20;
            (void)rules.on_report(report, changed);
        }
        (void)rules.on_report({0, "", start + Seconds(second), counts_of(30)}, changed);
    }
    state.SetLabel(fmt::format("{} of 1,000 regions changed", changing));
    if (!changed.empty()) {
        state.SkipWithError("nothing should have been raised");
    }
}
BENCHMARK(rules_second)
    ->ArgNames({"scoped", "changing"})
    ->Args({1, 1000})
    ->Args({1, 50})
    ->Args({0, 1000})
    ->Args({0, 50})
    ->Unit(benchmark::kMicrosecond);

StatusDocument document(int i) {
    StatusDocument out;
    out.id = fmt::format("device-{}", i);
    out.state = PresenceState::online;
    out.gateway = fmt::format("gw-{}", i % 4);
    out.attributes.region = region_name(i % regions);
    out.attributes.carrier = fmt::format("carrier-{}", i % 3);
    out.attributes.model = fmt::format("model-{}", i % 5);
    out.attributes.firmware = fmt::format("fw-{}", i % 7);
    return out;
}

/// A transition, parsed already.
void status_document(benchmark::State& state) {
    const auto devices = static_cast<int>(state.range(0));
    Cohorts cohorts;
    std::vector<StatusDocument> documents;
    for (int i = 0; i < devices; ++i) {
        documents.push_back(document(i));
        documents.back().offset = 1;
        (void)cohorts.on_status(documents.back(), 0);
    }
    std::int64_t offset = 1;
    std::size_t at = 0;
    for (auto _ : state) {
        StatusDocument& next = documents[at];
        at = (at + 7919) % documents.size();
        next.state = next.state == PresenceState::online ? PresenceState::offline : PresenceState::online;
        next.cause = Cause::connection_lost;
        next.offset = ++offset;
        cohorts.expire(offset / 100);
        benchmark::DoNotOptimize(cohorts.on_status(next, offset / 100));
    }
}
BENCHMARK(status_document)->Arg(100'000)->Arg(1'000'000);

/// The search when 100,000 of a million devices are lost.
void search(benchmark::State& state) {
    Cohorts cohorts;
    for (int i = 0; i < 1'000'000; ++i) {
        StatusDocument next = document(i);
        next.offset = 1;
        (void)cohorts.on_status(next, 0);
        if (i % 3 == 1 && i % 10 < 3) {
            next.offset = 2;
            next.state = PresenceState::offline;
            next.cause = Cause::connection_lost;
            (void)cohorts.on_status(next, 1000);
        }
    }
    for (auto _ : state) {
        benchmark::DoNotOptimize(attribute_trouble(cohorts, Trouble::lost));
    }
    state.SetLabel(fmt::format("{} cells", cohorts.cells().size()));
}
BENCHMARK(search)->Unit(benchmark::kMillisecond);

/// A rule on one value of a million devices, and what it has learnt of each.
struct LearntFleet {
    LearntFleet() {
        put_rule(*rules);
        std::vector<Incident> changed;
        (void)rules->on_report({0, "", start, counts_of(30)}, changed);
        for (int i = 0; i < 1'000'000; ++i) {
            for (int sample = 0; sample < 3; ++sample) {
                (void)rules->on_value(fmt::format("device-{}", i), "temperature", 20 + i % 7 + sample, start);
            }
        }
        topic.take_back({}, *rules);
    }
    static void put_rule(RegionRules& rules) {
        std::vector<Incident> changed;
        (void)rules.put(*parse_alert_rule(R"({"name":"odd","metric":"anomaly","telemetry":"temperature"})"), changed);
    }
    static LearntFleet& get() {
        static LearntFleet fleet;
        return fleet;
    }

    MetricRegistry metrics;
    std::unique_ptr<RegionRules> rules = std::make_unique<RegionRules>();
    BaselineTopic topic{metrics};
};

/// One of the parts, as one is due every 1.2 s.
void baselines_part_written(benchmark::State& state) {
    LearntFleet& fleet = LearntFleet::get();
    std::uint32_t part = 0;
    std::size_t bytes = 0;
    for (auto _ : state) {
        fleet.topic.write(part, *fleet.rules, [&](std::string_view, std::string_view value) { bytes += value.size(); });
        part = (part + 1) % ValueScores::parts;
    }
    state.counters["bytes_a_part"] = static_cast<double>(bytes) / static_cast<double>(state.iterations());
}
BENCHMARK(baselines_part_written)->Iterations(10 * ValueScores::parts)->Unit(benchmark::kMicrosecond);

/// All of them at a start.
void baselines_taken_back(benchmark::State& state) {
    LearntFleet& fleet = LearntFleet::get();
    std::map<std::string, std::string> records;
    for (std::uint32_t part = 0; part < ValueScores::parts; ++part) {
        fleet.topic.write(part, *fleet.rules,
                          [&](std::string_view key, std::string_view value) { records.emplace(key, value); });
    }
    for (auto _ : state) {
        RegionRules rules;
        LearntFleet::put_rule(rules);
        BaselineTopic topic(fleet.metrics);
        topic.take_back(records, rules);
        if (rules.telemetry().scores().states() != 1'000'000) {
            state.SkipWithError("not all came back");
        }
    }
}
BENCHMARK(baselines_taken_back)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace muster
