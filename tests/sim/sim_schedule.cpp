#include "sim_schedule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/random.h"

namespace muster::sim {
namespace {

using Kind = SimAction::Kind;

constexpr std::int64_t failure_ms_least = 200;
constexpr std::int64_t failure_ms_spread = 8000;

struct WeightRow {
    Kind kind;
    std::string_view name;
    double SimScenario::* weight;
};
constexpr std::array<WeightRow, 10> weights{{
    {Kind::connect, "connect", &SimScenario::connect},
    {Kind::leave, "leave", &SimScenario::leave},
    {Kind::breaks, "breaks", &SimScenario::breaks},
    {Kind::freeze, "freeze", &SimScenario::freeze},
    {Kind::kill_gateway, "kill_gateway", &SimScenario::kill_gateway},
    {Kind::suspend_gateway, "suspend_gateway", &SimScenario::suspend_gateway},
    {Kind::cut_gateway, "cut_gateway", &SimScenario::cut_gateway},
    {Kind::kill_processor, "kill_processor", &SimScenario::kill_processor},
    {Kind::lose_disk, "lose_disk", &SimScenario::lose_disk},
    {Kind::pause_processor, "pause_processor", &SimScenario::pause_processor},
}};

bool is_of_gateway(Kind kind) {
    return kind == Kind::kill_gateway || kind == Kind::suspend_gateway || kind == Kind::cut_gateway;
}

bool is_of_device(Kind kind) {
    return kind <= Kind::freeze;
}

Kind draw_kind(Random& random, const SimScenario& scenario) {
    double sum = 0;
    for (const WeightRow& row : weights) {
        sum += scenario.*row.weight;
    }
    double at = random.uniform() * sum;
    for (const WeightRow& row : weights) {
        at -= scenario.*row.weight;
        if (at < 0) {
            return row.kind;
        }
    }
    return Kind::connect;
}

bool set_number(SimScenario& scenario, const std::string& name, double value) {
    for (const WeightRow& row : weights) {
        if (row.name == name) {
            scenario.*row.weight = value;
            return value >= 0;
        }
    }
    for (const auto& [known, member, most] : {std::tuple<std::string_view, std::uint32_t SimScenario::*, std::uint32_t>{
                                                  "devices", &SimScenario::devices, 64},
                                              {"gateways", &SimScenario::gateways, 8},
                                              {"partitions", &SimScenario::partitions, 8},
                                              {"actions", &SimScenario::actions, 10'000}}) {
        if (known == name) {
            scenario.*member = static_cast<std::uint32_t>(value);
            return value >= 1 && value <= most;
        }
    }
    for (const auto& [known, member] :
         {std::pair<std::string_view, std::int64_t SimScenario::*>{"chaos_ms", &SimScenario::chaos_ms},
          {"settle_ms", &SimScenario::settle_ms},
          {"lag_ms_max", &SimScenario::lag_ms_max},
          {"skew_ms_max", &SimScenario::skew_ms_max}}) {
        if (known == name) {
            scenario.*member = static_cast<std::int64_t>(value);
            return value >= 0 && value <= 600'000;
        }
    }
    if (name == "duplicate_share") {
        scenario.duplicate_share = value;
        return value >= 0 && value <= 1;
    }
    return false;
}

}  // namespace

Result<SimScenario> parse_scenario(std::string_view toml) {
    SimScenario scenario;
    std::istringstream stream{std::string(toml)};
    std::vector<CLI::ConfigItem> items;
    try {
        items = CLI::ConfigTOML().from_config(stream);
    } catch (const CLI::Error& error) {
        return fail(ErrorCode::malformed, "a scenario cannot be read", error.what());
    }
    for (const CLI::ConfigItem& item : items) {
        double value = 0;
        const std::string text = item.inputs.size() == 1 ? item.inputs[0] : std::string();
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size() || !set_number(scenario, item.name, value)) {
            return fail(ErrorCode::malformed, "a scenario has a member that cannot be", item.name + " = " + text);
        }
    }
    return scenario;
}

std::string SimAction::text() const {
    const auto* const row =
        std::find_if(weights.begin(), weights.end(), [this](const WeightRow& one) { return one.kind == kind; });
    std::string text = fmt::format("{:>6} ms {:<15} {}", at_ms, row->name, subject);
    if (kind == Kind::connect) {
        text += fmt::format(" to gateway {}", gateway);
    } else if (!is_of_device(kind)) {
        text += fmt::format(" for {} ms", span_ms);
    }
    return text;
}

SimSchedule make_schedule(std::uint64_t seed, const SimScenario& scenario) {
    Random random(seed);
    SimSchedule schedule;
    for (std::uint32_t i = 0; i < scenario.actions; ++i) {
        SimAction action;
        action.at_ms = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(scenario.chaos_ms)));
        action.kind = i < scenario.devices ? Kind::connect : draw_kind(random, scenario);
        const std::uint32_t subjects = is_of_device(action.kind)    ? scenario.devices
                                       : is_of_gateway(action.kind) ? scenario.gateways
                                                                    : scenario.partitions;
        action.subject = i < scenario.devices ? i : static_cast<std::uint32_t>(random.below(subjects));
        action.gateway = static_cast<std::uint32_t>(random.below(scenario.gateways));
        action.span_ms = failure_ms_least + static_cast<std::int64_t>(random.below(failure_ms_spread));
        action.dice = random.next();
        schedule.push_back(action);
    }
    std::stable_sort(schedule.begin(), schedule.end(),
                     [](const SimAction& a, const SimAction& b) { return a.at_ms < b.at_ms; });
    return schedule;
}

}  // namespace muster::sim
