#include <fmt/format.h>
#include <toml++/toml.h>

#include "simulator/scenario.h"

namespace muster {
namespace {

tl::unexpected<Error> wrong(std::string_view key, std::string_view name) {
    return fail(ErrorCode::invalid_argument, "scenario key is unknown or has a wrong value",
                fmt::format("'{}' in {}", key, name));
}

/// A text is parsed as on the command line; a number is read as if it had been written as text.
template <class T, class Parse>
bool assign(const toml::node& node, T& out, Parse parse) {
    const auto text = node.value_exact<std::string>();
    const auto number = node.value<double>();
    if (!text && !number) {
        return false;
    }
    const auto parsed = parse(text ? *text : fmt::format("{}", *number));
    if (parsed) {
        out = *parsed;
    }
    return parsed.has_value();
}

template <class Unsigned>
bool assign_count(const toml::node& node, Unsigned& out) {
    const auto number = node.value_exact<std::int64_t>();
    if (!number || !std::in_range<Unsigned>(*number)) {
        return false;
    }
    out = static_cast<Unsigned>(*number);
    return true;
}

template <class T, class Parse>
bool append_all(const toml::node& node, std::vector<T>& out, Parse parse) {
    const toml::array* array = node.as_array();
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
        const auto text = array->get(i)->value_exact<std::string_view>();
        auto parsed = parse(text.value_or(""));
        if (!parsed) {
            return false;
        }
        out.push_back(std::move(*parsed));
    }
    return array != nullptr;
}

Result<std::string> parse_region(std::string_view text) {
    return std::string(text);
}

bool apply(std::string_view key, const toml::node& node, Scenario& scenario) {
    if (key == "devices") {
        return assign_count(node, scenario.devices);
    }
    if (key == "seed") {
        return assign_count(node, scenario.seed);
    }
    if (key == "regions") {
        return append_all(node, scenario.regions, parse_region);
    }
    if (key == "flappers") {
        return assign(node, scenario.flappers, parse_share);
    }
    if (key == "sleepers") {
        return assign(node, scenario.sleepers, parse_share);
    }
    if (key == "qos1") {
        return assign(node, scenario.qos1, parse_share);
    }
    if (key == "interval") {
        return assign(node, scenario.telemetry_interval, parse_duration);
    }
    if (key == "outages") {
        return append_all(node, scenario.outages, parse_outage);
    }
    return key == "storms" && append_all(node, scenario.outages, parse_storm);
}

Result<Scenario> from_table(const toml::table& table, std::string_view name) {
    Scenario scenario;
    if (table.contains("outages") || table.contains("storms")) {
        scenario.outages.clear();
    }
    for (const auto& [key, node] : table) {
        if (!apply(key.str(), node, scenario)) {
            return wrong(key.str(), name);
        }
    }
    if (auto valid = validate(scenario); !valid) {
        return tl::unexpected(valid.error());
    }
    return scenario;
}

template <class Parse>
Result<Scenario> parse_or_fail(Parse parse, std::string_view name) {
    try {
        return from_table(parse(), name);
    } catch (const toml::parse_error& error) {
        return fail(ErrorCode::invalid_argument, "cannot read the scenario file",
                    fmt::format("{} line {}: {}", name, error.source().begin.line, error.description()));
    }
}

}  // namespace

Result<Scenario> load_scenario(const std::string& path) {
    return parse_or_fail([&] { return toml::parse_file(path); }, path);
}

Result<Scenario> parse_scenario(std::string_view toml, std::string_view name) {
    return parse_or_fail([&] { return toml::parse(toml); }, name);
}

}  // namespace muster
