#include "contract/alert_rule.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/identity.h"
#include "contract/json.h"

namespace muster {
namespace {

/// Names on the wire, and what a rule that says no more than its metric has.
struct MetricDefaults {
    std::string_view name;
    double raise;
    double clear_of_raise;  ///< `clear` as a part of `raise`
    std::uint32_t samples;
};
constexpr double usual_clear = 0.8;
constexpr double low_clear = 1.25;  ///< of what raises when it is low
constexpr std::array<MetricDefaults, 9> metrics{{{"offline_share", 0.10, usual_clear, 3},
                                                 {"offline_count", 0.10, usual_clear, 3},
                                                 {"flapping_share", 0.10, usual_clear, 3},
                                                 {"telemetry", 0.10, usual_clear, 3},
                                                 {"anomaly", 8, 0.5, 3},
                                                 {"cohort_anomaly", 6, 0.6, 5},
                                                 {"noise", 2.5, 0.6, 3},
                                                 {"days_to_empty", 3, low_clear, 3},
                                                 {"stuck", 60, 0.5, 1}}};
constexpr std::array<std::string_view, 7> day_names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr std::array<std::string_view, 3> severities{"critical", "warning", "info"};
constexpr std::array<std::string_view, 3> origins{"built_in", "file", "api"};
constexpr std::array<std::string_view, 18> known_members{
    "name",  "metric", "telemetry",      "below",   "region",   "model",    "firmware",       "carrier", "raise",
    "clear", "for_s",  "population_min", "samples", "severity", "schedule", "silenced_until", "enabled", "origin"};
constexpr std::size_t text_bytes_max = 128;
constexpr std::uint16_t day_min = 24 * 60;
constexpr std::int64_t for_s_max = 24 * 3600;
constexpr std::uint32_t samples_max = 1000;

template <std::size_t size>
bool is_one_of(const std::array<std::string_view, size>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

tl::unexpected<Error> refuse(std::string_view text, std::string detail = {}) {
    return fail(ErrorCode::invalid_argument, text, std::move(detail));
}

std::string clock_text(std::uint16_t minutes) {
    return fmt::format("{:02}:{:02}", minutes / 60, minutes % 60);
}

std::optional<std::uint16_t> clock_from(std::string_view text) {
    const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9' ? text[at] - '0' : 100; };
    if (text.size() != 5 || text[2] != ':') {
        return std::nullopt;
    }
    const int hours = digit(0) * 10 + digit(1);
    const int minutes = digit(3) * 10 + digit(4);
    return hours < 24 && minutes < 60 ? std::optional(static_cast<std::uint16_t>(hours * 60 + minutes)) : std::nullopt;
}

Result<RuleSchedule> schedule_from(const boost::json::value& value) {
    RuleSchedule schedule;
    if (!value.is_object()) {
        return refuse("schedule must be an object of days, from and to");
    }
    for (const auto& member : value.get_object()) {
        const std::string_view name = member.key();
        if (name == "days" && member.value().is_array()) {
            for (const auto& day : member.value().get_array()) {
                const auto* const found = std::find(day_names.begin(), day_names.end(),
                                                    day.is_string() ? std::string_view(day.get_string()) : "");
                if (found == day_names.end()) {
                    return refuse("schedule.days must hold mon, tue, wed, thu, fri, sat or sun");
                }
                schedule.days |= static_cast<std::uint8_t>(1U << static_cast<unsigned>(found - day_names.begin()));
            }
        } else if ((name == "from" || name == "to") && member.value().is_string()) {
            const auto minutes = clock_from(std::string_view(member.value().get_string()));
            if (!minutes) {
                return refuse("schedule.from and schedule.to must be hh:mm, UTC");
            }
            (name == "from" ? schedule.from_min : schedule.to_min) = *minutes;
        } else {
            return refuse("schedule has an unknown member or one of the wrong type", std::string(name));
        }
    }
    return schedule;
}

Result<void> read_flag(const boost::json::object& object, std::string_view key, bool& out) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) {
        return {};
    }
    if (!value->is_bool()) {
        return fail(ErrorCode::malformed, "member must be true or false", std::string(key));
    }
    out = value->get_bool();
    return {};
}

bool is_rule_name(std::string_view name) {
    return !name.empty() && name.size() <= AlertRule::name_bytes_max &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; });
}

Result<void> check(const AlertRule& rule) {
    if (!is_rule_name(rule.name)) {
        return refuse("a rule's name is 1 to 64 of [a-z0-9_-]", rule.name);
    }
    if (!rule.region.empty() && !is_valid_region(rule.region)) {
        return refuse("region must be a path of [a-z0-9_-] segments, such as in/karnataka/ka-04", rule.region);
    }
    const bool of_values = is_of_values(rule.metric);
    if (of_values == rule.telemetry.empty()) {
        return refuse("telemetry must name a value when metric looks at one, and only then");
    }
    for (const std::string* text : {&rule.telemetry, &rule.model, &rule.firmware, &rule.carrier}) {
        if (text->size() > text_bytes_max) {
            return refuse("a text of a rule has at most 128 bytes");
        }
    }
    const bool by_days = rule.metric == RuleMetric::days_to_empty;
    if (rule.below != by_days && rule.metric != RuleMetric::telemetry) {
        return refuse(by_days ? "days_to_empty raises when it is low: below cannot be false"
                              : "below is for telemetry: all else raises when it is high");
    }
    if (!std::isfinite(rule.raise) || !std::isfinite(rule.clear) ||
        (rule.below ? rule.clear < rule.raise : rule.clear > rule.raise)) {
        return refuse("clear must be on the good side of raise, or equal to it");
    }
    if (rule.metric != RuleMetric::telemetry && (rule.raise < 0 || rule.clear < 0)) {
        return refuse("raise and clear must not be negative");
    }
    if (of_values && rule.metric != RuleMetric::telemetry && rule.raise == 0) {
        return refuse("raise must be over 0");
    }
    if (const bool is_share = rule.metric == RuleMetric::offline_share || rule.metric == RuleMetric::flapping_share;
        is_share && rule.raise >= 1) {
        return refuse("raise of a share must be under 1: 0.1 is 10 %");
    }
    if (rule.for_s.count() < 0 || rule.for_s.count() > for_s_max) {
        return refuse("for_s must be from 0 to 86400");
    }
    if (rule.population_min < 1 || rule.samples < 1 || rule.samples > samples_max) {
        return refuse("population_min must be at least 1, samples from 1 to 1000");
    }
    if (!is_one_of(severities, rule.severity)) {
        return refuse("severity must be critical, warning or info", rule.severity);
    }
    if (!is_one_of(origins, rule.origin)) {
        return refuse("origin must be built_in, file or api", rule.origin);
    }
    return {};
}

}  // namespace

std::string_view name_of(RuleMetric metric) {
    return metrics.at(static_cast<std::size_t>(metric)).name;
}

bool RuleSchedule::is_active(Timestamp time) const {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const auto minute = std::chrono::duration_cast<std::chrono::minutes>(time - day).count();
    // 1970-01-01 was a Thursday.
    auto weekday = static_cast<unsigned>(((day.time_since_epoch().count() + 3) % 7 + 7) % 7);
    bool within = from_min == to_min || (from_min < to_min && minute >= from_min && minute < to_min);
    if (from_min > to_min) {
        within = minute >= from_min || minute < to_min;
        weekday = minute < to_min ? (weekday + 6) % 7 : weekday;
    }
    return within && (days == 0 || ((days >> weekday) & 1U) != 0);
}

AlertRule default_rule() {
    AlertRule rule;
    rule.name = "region_offline_share";
    rule.origin = "built_in";
    return rule;
}

std::string to_json(const AlertRule& rule) {
    boost::json::array days;
    for (std::size_t i = 0; i < day_names.size(); ++i) {
        if (((rule.schedule.days >> i) & 1U) != 0) {
            days.emplace_back(day_names[i]);
        }
    }
    const boost::json::object object{
        {"name", rule.name},
        {"metric", name_of(rule.metric)},
        {"telemetry", rule.telemetry},
        {"below", rule.below},
        {"region", rule.region},
        {"model", rule.model},
        {"firmware", rule.firmware},
        {"carrier", rule.carrier},
        {"raise", rule.raise},
        {"clear", rule.clear},
        {"for_s", rule.for_s.count()},
        {"population_min", rule.population_min},
        {"samples", rule.samples},
        {"severity", rule.severity},
        {"schedule",
         {{"days", std::move(days)},
          {"from", clock_text(rule.schedule.from_min)},
          {"to", clock_text(rule.schedule.to_min)}}},
        {"silenced_until", to_epoch_ms(rule.silenced_until)},
        {"enabled", rule.enabled},
        {"origin", rule.origin},
    };
    return boost::json::serialize(object);
}

Result<AlertRule> parse_alert_rule(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    for (const auto& member : *object) {
        if (!is_one_of(known_members, member.key())) {
            return refuse("a rule has no such member", std::string(member.key()));
        }
    }
    AlertRule rule;
    std::string metric(name_of(rule.metric));
    std::int64_t for_s = rule.for_s.count();
    std::int64_t silenced_until = 0;
    Result<void> result;
    const auto also = [&](Result<void> next) {
        if (result) {
            result = std::move(next);
        }
    };
    for (const auto& [key, out] : {std::pair<std::string_view, std::string*>{"name", &rule.name},
                                   {"metric", &metric},
                                   {"telemetry", &rule.telemetry},
                                   {"region", &rule.region},
                                   {"model", &rule.model},
                                   {"firmware", &rule.firmware},
                                   {"carrier", &rule.carrier},
                                   {"severity", &rule.severity},
                                   {"origin", &rule.origin}}) {
        also(json::read(*object, key, *out));
    }
    const auto* const known =
        std::find_if(metrics.begin(), metrics.end(), [&](const MetricDefaults& one) { return one.name == metric; });
    if (result && known == metrics.end()) {
        return refuse(
            "metric must be offline_share, offline_count, flapping_share, telemetry, anomaly, cohort_anomaly, noise, "
            "days_to_empty or stuck",
            metric);
    }
    if (!result) {
        return tl::unexpected(result.error());
    }
    rule.metric = static_cast<RuleMetric>(known - metrics.begin());
    rule.raise = known->raise;
    rule.samples = known->samples;
    rule.below = rule.metric == RuleMetric::days_to_empty;
    also(json::read(*object, "raise", rule.raise));
    also(read_flag(*object, "below", rule.below));
    // A threshold to raise alone clears at four fifths of it, as the default does; one for low values a quarter above.
    rule.clear = rule.raise * known->clear_of_raise;
    if (rule.metric == RuleMetric::telemetry && rule.below == (rule.raise > 0)) {
        rule.clear = rule.raise * low_clear;
    }
    also(json::read(*object, "clear", rule.clear));
    also(json::read(*object, "for_s", for_s));
    also(json::read(*object, "population_min", rule.population_min));
    also(json::read(*object, "samples", rule.samples));
    also(json::read(*object, "silenced_until", silenced_until));
    also(read_flag(*object, "enabled", rule.enabled));
    if (const auto* schedule = object->if_contains("schedule"); result && schedule != nullptr && !schedule->is_null()) {
        auto parsed = schedule_from(*schedule);
        if (!parsed) {
            return tl::unexpected(parsed.error());
        }
        rule.schedule = *parsed;
    }
    if (!result) {
        return tl::unexpected(result.error());
    }
    rule.for_s = Seconds(for_s);
    rule.silenced_until = from_epoch_ms(silenced_until);
    if (auto checked = check(rule); !checked) {
        return tl::unexpected(checked.error());
    }
    return rule;
}

}  // namespace muster
