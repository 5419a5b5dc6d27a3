#include "simulator/scenario.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "simulator/cohorts.h"

namespace muster {
namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// Removes a suffix from `text` when it ends with it.
bool take_suffix(std::string_view& text, std::string_view suffix) {
    if (!text.ends_with(suffix)) {
        return false;
    }
    text.remove_suffix(suffix.size());
    return true;
}

double unit_ms(std::string_view& text) {
    if (take_suffix(text, "ms")) {
        return 1;
    }
    if (take_suffix(text, "s")) {
        return 1'000;
    }
    if (take_suffix(text, "m")) {
        return 60'000;
    }
    return take_suffix(text, "h") ? 3'600'000 : 1'000;
}

/// Splits "a:share"; without a colon the share stays what it is.
Result<void> take_share(std::string_view& text, double& share) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return {};
    }
    const auto parsed = parse_share(text.substr(colon + 1));
    if (!parsed) {
        return tl::unexpected(parsed.error());
    }
    share = *parsed;
    text = text.substr(0, colon);
    return {};
}

Result<void> check_region(const std::string& region) {
    const auto cohorts = all_cohorts();
    if (std::ranges::any_of(cohorts, [&](const Cohort& cohort) { return region_is_under(cohort.region, region); })) {
        return {};
    }
    std::vector<std::string_view> known;
    std::ranges::transform(cohorts, std::back_inserter(known), &Cohort::region);
    return fail(ErrorCode::invalid_argument, "no such region in the simulated fleet",
                fmt::format("'{}'; there are {}", region, fmt::join(known, ", ")));
}

Result<void> check_share(double share, std::string_view what) {
    if (share >= 0 && share <= 1) {
        return {};
    }
    return fail(ErrorCode::invalid_argument, "a share must lie between 0% and 100%", std::string(what));
}

Result<void> check_outage(const Outage& outage, const Scenario& scenario) {
    if (auto share = check_share(outage.share, "outage"); !share) {
        return share;
    }
    if (outage.region.empty()) {
        return {};
    }
    if (auto region = check_region(outage.region); !region) {
        return region;
    }
    const bool chosen = scenario.regions.empty() || std::ranges::any_of(scenario.regions, [&](const std::string& path) {
                            return region_is_under(outage.region, path) || region_is_under(path, outage.region);
                        });
    if (!chosen) {
        return fail(ErrorCode::invalid_argument, "the region of an outage is not among the fleet's regions",
                    outage.region);
    }
    return {};
}

}  // namespace

Result<double> parse_share(std::string_view text) {
    const std::string_view whole = text;
    const double scale = take_suffix(text, "%") ? 100 : 1;
    const auto number = parse_number<double>(text);
    if (!number || !(*number >= 0 && *number <= scale)) {
        return fail(ErrorCode::invalid_argument, "a share is written like 2% or 0.02, from 0 to 100%",
                    std::string(whole));
    }
    return *number / scale;
}

Result<Millis> parse_duration(std::string_view text) {
    constexpr double longest_ms = 366.0 * 86'400'000;
    const std::string_view whole = text;
    const double unit = unit_ms(text);
    const auto number = parse_number<double>(text);
    if (!number || !(*number >= 0 && *number * unit <= longest_ms)) {
        return fail(ErrorCode::invalid_argument, "a duration is written like 90, 90s, 2m or 1h", std::string(whole));
    }
    return Millis(static_cast<std::int64_t>(*number * unit));
}

Result<Outage> parse_outage(std::string_view text) {
    const std::string_view whole = text;
    Outage outage;
    if (auto share = take_share(text, outage.share); !share) {
        return tl::unexpected(share.error());
    }
    const auto at = text.find('@');
    const auto plus = text.find('+');
    if (at == std::string_view::npos || plus == std::string_view::npos || plus < at || at == 0) {
        return fail(ErrorCode::invalid_argument, "an outage is written region@start+duration:share",
                    std::string(whole));
    }
    const auto start = parse_duration(text.substr(at + 1, plus - at - 1));
    const auto duration = parse_duration(text.substr(plus + 1));
    if (!start || !duration) {
        return tl::unexpected(start ? duration.error() : start.error());
    }
    outage.region = text.substr(0, at);
    outage.start = *start;
    outage.duration = *duration;
    return outage;
}

Result<Outage> parse_storm(std::string_view text) {
    Outage storm{.region = "all", .start = Millis(0), .duration = Millis(0), .share = 1};
    if (auto share = take_share(text, storm.share); !share) {
        return tl::unexpected(share.error());
    }
    const auto start = parse_duration(text);
    if (!start) {
        return tl::unexpected(start.error());
    }
    storm.start = *start;
    return storm;
}

Result<void> validate(const Scenario& scenario) {
    if (scenario.devices == 0 || scenario.devices > simulated_devices_max) {
        return fail(ErrorCode::invalid_argument, "the number of devices must be between 1 and 1000000",
                    std::to_string(scenario.devices));
    }
    if (scenario.telemetry_interval < Millis(100) || scenario.telemetry_interval > Millis(86'400'000)) {
        return fail(ErrorCode::invalid_argument, "the telemetry interval must be between 100 ms and one day");
    }
    for (const auto& [share, what] :
         {std::pair{scenario.flappers, "flappers"}, std::pair{scenario.sleepers, "sleepers"},
          std::pair{scenario.qos1, "QoS 1"},
          std::pair{scenario.flappers + scenario.sleepers, "flappers and sleepers together"}}) {
        if (auto checked = check_share(share, what); !checked) {
            return checked;
        }
    }
    for (const std::string& region : scenario.regions) {
        if (auto checked = check_region(region); !checked) {
            return checked;
        }
    }
    if (scenario.outages.size() > outages_max) {
        return fail(ErrorCode::invalid_argument, "at most 64 outages and storms can be planned");
    }
    for (const Outage& outage : scenario.outages) {
        if (auto checked = check_outage(outage, scenario); !checked) {
            return checked;
        }
    }
    return {};
}

}  // namespace muster
