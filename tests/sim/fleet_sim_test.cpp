// Whole systems on virtual time. MUSTER_SIM_SEED plays that one alone, MUSTER_SIM_SCENARIO only that scenario,
// MUSTER_SIM_RUNS so many seeds of each; MUSTER_SIM_NEW=1 takes seeds that no run before this had.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim_system.h"

namespace muster::sim {
namespace {

#ifdef __OPTIMIZE__
constexpr std::uint64_t seeds_each = 150;
#else
constexpr std::uint64_t seeds_each = 10;
#endif
constexpr std::uint64_t new_seeds_each = seeds_each / 5;

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::vector<std::filesystem::path> scenario_files() {
    std::vector<std::filesystem::path> files;
    const char* const only = std::getenv("MUSTER_SIM_SCENARIO");
    for (const auto& entry : std::filesystem::directory_iterator(MUSTER_SIM_SCENARIOS)) {
        if (entry.path().extension() == ".toml" && (only == nullptr || entry.path().stem() == only)) {
            files.push_back(entry.path());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

SimScenario read_scenario(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    const auto scenario = parse_scenario(text.str());
    EXPECT_TRUE(scenario) << file << ": " << scenario.error().message();
    return scenario.value_or(SimScenario{});
}

/// The schedule of a failure, as short as it could be made, with how to play it again.
std::string told(std::uint64_t seed, const std::string& name, const SimScenario& scenario,
                 const SimSchedule& schedule) {
    const SimSchedule few = shortest(seed, scenario, schedule);
    std::string text = fmt::format("make sim SEED={} SCENARIO={}\nof {} actions {} are enough:\n", seed, name,
                                   schedule.size(), few.size());
    for (const SimAction& action : few) {
        text += action.text() + "\n";
    }
    return text + SimSystem(seed, scenario).run(few);
}

void play(std::uint64_t first, std::uint64_t count) {
    for (const auto& file : scenario_files()) {
        const SimScenario scenario = read_scenario(file);
        const std::string name = file.stem().string();
        std::uint64_t records = 0;
        std::uint64_t acknowledged = 0;
        std::size_t incidents = 0;
        for (std::uint64_t seed = first; seed < first + count; ++seed) {
            const SimSchedule schedule = make_schedule(seed, scenario);
            SimSystem system(seed, scenario);
            const std::string wrong = system.run(schedule);
            ASSERT_EQ(wrong, "") << told(seed, name, scenario, schedule);
            records += system.records();
            acknowledged += system.acknowledged();
            incidents += system.incidents();
        }
        EXPECT_GT(acknowledged, 0U) << name;
        fmt::print("{}: {} systems from seed {}, {} records, {} messages acknowledged, {} incidents\n", name, count,
                   first, records, acknowledged, incidents);
    }
}

TEST(FleetSim, fixed_seeds_end_in_the_truth) {
    const std::uint64_t only = number_from("MUSTER_SIM_SEED", 0);
    ASSERT_FALSE(scenario_files().empty()) << "no such scenario";
    play(only != 0 ? only : 1, only != 0 ? 1 : number_from("MUSTER_SIM_RUNS", seeds_each));
}

TEST(FleetSim, new_seeds_end_in_the_truth) {
    if (std::getenv("MUSTER_SIM_SEED") != nullptr) {
        GTEST_SKIP() << "one seed is played";
    }
    play((std::uint64_t{std::random_device()()} << 20U) + 1'000'000'000, new_seeds_each);
}

TEST(FleetSim, the_same_seed_gives_the_same_run) {
    const SimScenario scenario = read_scenario(scenario_files().front());
    for (const std::uint64_t seed : {1ULL, 2ULL, 3ULL}) {
        const SimSchedule schedule = make_schedule(seed, scenario);
        SimSystem one(seed, scenario);
        SimSystem other(seed, scenario);
        EXPECT_EQ(one.run(schedule), other.run(schedule));
        EXPECT_EQ(one.records(), other.records());
        EXPECT_EQ(one.acknowledged(), other.acknowledged());
    }
}

TEST(FleetSim, a_failure_is_told_with_no_more_actions_than_it_needs) {
    SimScenario impossible;
    impossible.settle_ms = 0;  // a system that has no time to settle after its gateway's death is wrong
    impossible.kill_gateway = 1;
    for (std::uint64_t seed = 1; seed < 200; ++seed) {
        const SimSchedule schedule = make_schedule(seed, impossible);
        if (!SimSystem(seed, impossible).run(schedule).empty()) {
            const SimSchedule few = shortest(seed, impossible, schedule);
            EXPECT_LT(few.size(), schedule.size());
            EXPECT_FALSE(SimSystem(seed, impossible).run(few).empty());
            return;
        }
    }
    FAIL() << "nothing went wrong";
}

TEST(SimScenario, what_cannot_be_is_refused) {
    EXPECT_TRUE(parse_scenario("devices = 3\nkill_gateway = 0.5\n# a comment\n"));
    for (const char* wrong : {"devices = 0", "devices = many", "gateways = 99", "unknown = 1", "duplicate_share = 2"}) {
        EXPECT_FALSE(parse_scenario(wrong)) << wrong;
    }
}

}  // namespace
}  // namespace muster::sim
