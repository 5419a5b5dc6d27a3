#include "alerts/telemetry_rules.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include <fmt/format.h>

#include "alerts/attribution.h"
#include "alerts/incident_story.h"
#include "alerts/value_story.h"
#include "base/crc32c.h"

namespace muster {
namespace {

constexpr std::int64_t update_interval_ms = 5000;
constexpr std::int64_t sweep_interval_ms = 60'000;
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr double stuck_over_usual = 4;  ///< so many times what three quarters of the model's devices repeat

/// Which part a cohort is written with.
std::uint32_t part_of(std::string_view rule, std::string_view model) {
    const std::hash<std::string_view> hash;
    return static_cast<std::uint32_t>((hash(rule) * 0x9e3779b97f4a7c15ULL ^ hash(model)) % ValueScores::parts);
}

}  // namespace

/// The scores of one value for all rules that look at it: what is kept of its device is moved on once. Lives for one
/// call of on_value().
class TelemetryRules::Scoring final {
 public:
    Scoring(TelemetryRules& rules, const DeviceValue& value) : rules_(rules), value_(value) {}

    /// nullopt: nothing can be said, or not yet.
    [[nodiscard]] std::optional<double> of(Entry& entry) {
        const RuleMetric metric = entry.rule.metric;
        if (metric == RuleMetric::days_to_empty) {
            days_ = is_battery_taken_ ? days_ : rules_.scores_.take_battery(value_);
            is_battery_taken_ = true;
            return days_;
        }
        baseline_ = is_taken_ ? baseline_ : rules_.scores_.take(value_);
        is_taken_ = true;
        if (!baseline_) {
            return std::nullopt;
        }
        if (metric == RuleMetric::cohort_anomaly || metric == RuleMetric::stuck) {
            return against_cohort(entry);
        }
        if (!baseline_->is_warm) {
            return std::nullopt;
        }
        return metric == RuleMetric::noise ? baseline_->noise : std::abs(baseline_->deviation);
    }

 private:
    [[nodiscard]] std::optional<double> against_cohort(Entry& entry) {
        MetricCohort* const cohort = rules_.cohort_of(entry, value_.device);
        if (cohort == nullptr) {
            return std::nullopt;
        }
        cohort->take(value_.device, value_.value, baseline_->repeats, value_.elapsed_ms);
        const bool is_stuck_rule = entry.rule.metric == RuleMetric::stuck;
        if (cohort->devices() < std::min<std::int64_t>(entry.rule.population_min, MetricCohort::slots / 2)) {
            return std::nullopt;
        }
        if (!is_stuck_rule) {
            const auto deviation = cohort->deviation(value_.value);
            return deviation ? std::optional(std::abs(*deviation)) : std::nullopt;
        }
        return baseline_->repeats > stuck_over_usual * cohort->usual_repeats() ? baseline_->repeats : 1.0;
    }

    TelemetryRules& rules_;
    const DeviceValue& value_;
    std::optional<MetricBaseline::Score> baseline_;
    std::optional<double> days_;
    bool is_taken_ = false;
    bool is_battery_taken_ = false;
};

void TelemetryRules::put(const AlertRule& rule, const RuleMoment& moment, std::vector<Incident>& changed) {
    const auto found = rules_.find(rule.name);
    if (found != rules_.end() && found->second.rule.telemetry == rule.telemetry &&
        found->second.rule.metric == rule.metric && rule.enabled) {
        found->second.rule = rule;
        found->second.fingerprint = crc32c(to_json(rule));
        cohort_count_ -= found->second.models.size();
        found->second.models.clear();  // the devices that it compares may be others
        return;
    }
    remove(rule.name, moment, changed);
    if (!rule.enabled) {
        return;
    }
    Entry& entry = rules_[rule.name];
    entry.rule = rule;
    entry.fingerprint = crc32c(to_json(rule));
    by_metric_.emplace(rule.telemetry, &entry);
}

void TelemetryRules::remove(std::string_view name, const RuleMoment& moment, std::vector<Incident>& changed) {
    const auto found = rules_.find(name);
    if (found == rules_.end()) {
        return;
    }
    Entry& entry = found->second;
    if (entry.incident) {
        end(entry, "the rule was removed", moment, changed);
    }
    states_ -= entry.devices.size();
    cohort_count_ -= entry.models.size();
    std::erase_if(by_metric_, [&](const auto& item) { return item.second == &entry; });
    rules_.erase(found);
    const bool judges_by_past = std::any_of(rules_.begin(), rules_.end(), [](const auto& item) {
        return item.second.rule.metric != RuleMetric::telemetry;
    });
    if (!judges_by_past) {
        scores_.clear();
    }
}

bool TelemetryRules::adopt(const Incident& incident, const RuleMoment& moment) {
    const auto found = rules_.find(incident.rule);
    if (found == rules_.end() || !incident.open) {
        return false;
    }
    Entry& entry = found->second;
    entry.incident = incident;
    entry.adopted_ms = moment.elapsed_ms;
    entry.crossed = incident.threshold_crossed;
    for (const Incident::Member& member : incident.devices) {
        if (states_ == states_max || entry.devices.contains(member.device)) {
            continue;
        }
        entry.devices.emplace(member.device, State{.heard_ms = moment.elapsed_ms, .value = unknown, .raised = true});
        ++entry.members;
        ++states_;
    }
    return true;
}

/// nullptr: nothing is known of the device.
const std::string* TelemetryRules::text_of(std::string_view device, Attribute attribute) const {
    const auto cell = cohorts_.cell_of_device(device);
    return cell ? &cohorts_.values(attribute)[cohorts_.cells()[*cell].values[static_cast<std::size_t>(attribute)]].text
                : nullptr;
}

bool TelemetryRules::is_of_rule(const Entry& entry, std::string_view device) const {
    const AlertRule& rule = entry.rule;
    if (rule.region.empty() && !rule.has_cohort()) {
        return true;
    }
    const std::string* const region = text_of(device, Attribute::region);
    return region != nullptr && is_within(*region, rule.region) &&
           (rule.model.empty() || *text_of(device, Attribute::model) == rule.model) &&
           (rule.firmware.empty() || *text_of(device, Attribute::firmware) == rule.firmware) &&
           (rule.carrier.empty() || *text_of(device, Attribute::carrier) == rule.carrier);
}

/// Devices whose model is not known are alike too. nullptr: over cohorts_max.
MetricCohort* TelemetryRules::cohort_of(Entry& entry, std::string_view device) {
    const std::string* const known = text_of(device, Attribute::model);
    const std::string model = known != nullptr ? *known : std::string();
    const auto found = entry.models.find(model);
    if (found != entry.models.end()) {
        return &found->second;
    }
    if (cohort_count_ == cohorts_max) {
        return nullptr;
    }
    ++cohort_count_;
    return &entry.models[model];
}

bool TelemetryRules::on_value(const DeviceValue& value) {
    bool used = true;
    const std::uint64_t refused_before = scores_.refused();
    Scoring scoring(*this, value);
    const auto [first, last] = by_metric_.equal_range(value.metric);
    for (auto at = first; at != last; ++at) {
        Entry& entry = *at->second;
        if (entry.rule.metric == RuleMetric::telemetry) {
            used = judge_value(entry, value, value.value) && used;
        } else if (is_of_rule(entry, value.device)) {
            const auto score = scoring.of(entry);
            used = (!score || judge_value(entry, value, *score)) && used;
        }
    }
    return used && scores_.refused() == refused_before;
}

/// False: over states_max.
bool TelemetryRules::judge_value(Entry& entry, const DeviceValue& value, double score) {
    const AlertRule& rule = entry.rule;
    const bool bad = rule.below ? score < rule.raise : score > rule.raise;
    const bool good = rule.below ? score >= rule.clear : score <= rule.clear;
    auto found = entry.devices.find(std::string(value.device));
    if (found == entry.devices.end()) {
        if (!bad || !is_of_rule(entry, value.device)) {
            return true;
        }
        if (states_ == states_max) {
            return false;
        }
        found = entry.devices.emplace(value.device, State{}).first;
        ++states_;
    }
    State& state = found->second;
    state.heard_ms = value.elapsed_ms;
    state.streak = (state.raised ? good : bad) ? state.streak + 1 : 0;
    if (state.streak >= rule.samples) {
        state.raised = !state.raised;
        state.streak = 0;
        state.value = value.value;
        state.score = score;
        entry.since_ms = state.raised && entry.members == 0 ? value.elapsed_ms : entry.since_ms;
        entry.members += state.raised ? 1 : -1;
    }
    if (!state.raised && state.streak == 0) {
        entry.devices.erase(found);
        --states_;
    }
    return true;
}

bool TelemetryRules::is_in_breach(std::string_view rule, std::string_view device) const {
    const auto found = rules_.find(rule);
    if (found == rules_.end()) {
        return false;
    }
    const auto state = found->second.devices.find(std::string(device));
    return state != found->second.devices.end() && state->second.raised;
}

void TelemetryRules::judge(const RuleMoment& moment, std::vector<Incident>& changed) {
    const bool sweep = moment.elapsed_ms - swept_ms_ >= sweep_interval_ms;
    swept_ms_ = sweep ? moment.elapsed_ms : swept_ms_;
    const bool refresh_now = moment.elapsed_ms - refreshed_ms_ >= update_interval_ms;
    refreshed_ms_ = refresh_now ? moment.elapsed_ms : refreshed_ms_;
    for (auto& [name, entry] : rules_) {
        if (sweep) {
            forget_silent(entry, moment);
        }
        judge_rule(entry, moment, changed);
        if (refresh_now && entry.incident && entry.members > 0) {
            const Incident before = *entry.incident;
            refresh(entry, moment);
            if (!(before == *entry.incident)) {
                changed.push_back(*entry.incident);
            }
        }
    }
}

void TelemetryRules::judge_rule(Entry& entry, const RuleMoment& moment, std::vector<Incident>& changed) {
    if (entry.incident) {
        const bool waits = entry.adopted_ms && moment.elapsed_ms - *entry.adopted_ms < adopted_patience.count();
        if (entry.members > 0) {
            entry.adopted_ms.reset();
        } else if (!waits) {
            end(entry, "back to normal", moment, changed);
        }
        return;
    }
    if (entry.members == 0) {
        entry.crossed = {};
        return;
    }
    entry.crossed = entry.crossed == Timestamp{} ? moment.time : entry.crossed;
    if (moment.elapsed_ms - entry.since_ms >= std::chrono::duration_cast<Millis>(entry.rule.for_s).count() &&
        entry.rule.is_active(moment.time)) {
        open(entry, moment, changed);
    }
}

void TelemetryRules::forget_silent(Entry& entry, const RuleMoment& moment) {
    states_ -= std::erase_if(entry.devices, [&](const auto& item) {
        const bool silent = moment.elapsed_ms - item.second.heard_ms > silent_max.count();
        entry.members -= silent && item.second.raised ? 1 : 0;
        return silent;
    });
}

void TelemetryRules::open(Entry& entry, const RuleMoment& moment, std::vector<Incident>& changed) const {
    const AlertRule& rule = entry.rule;
    Incident incident;
    incident.rule = rule.name;
    incident.severity = rule.severity;
    incident.region = rule.region;
    incident.cause = CauseKind::unexplained;
    incident.opened = moment.time;
    incident.threshold_crossed = entry.crossed;
    incident.id = incident_id(rule.name, rule.region, moment.time);
    incident.title = fmt::format("{} in {}", subject_of(rule), place_of(rule.region));
    for (const auto& [attribute, value] : {std::pair<const char*, const std::string&>{"region", rule.region},
                                           {"model", rule.model},
                                           {"firmware", rule.firmware},
                                           {"carrier", rule.carrier}}) {
        if (!value.empty()) {
            incident.scope.push_back({attribute, value});
        }
    }
    entry.incident = std::move(incident);
    refresh(entry, moment);
    note(*entry.incident, entry.crossed, fmt::format("{} samples in a row of the first device", rule.samples));
    note(*entry.incident, moment.time, fmt::format("opened: {}", entry.incident->summary));
    changed.push_back(*entry.incident);
}

void TelemetryRules::refresh(Entry& entry, const RuleMoment& moment) const {
    Incident& incident = *entry.incident;
    Cohorts::Claim members;
    // The least ids: the same members always give the same words.
    std::map<std::string_view, const State*> listed;
    for (const auto& [device, state] : entry.devices) {
        if (!state.raised) {
            continue;
        }
        if (const auto cell = cohorts_.cell_of_device(device)) {
            ++members.members;
            ++members.by_cell[*cell];
        }
        listed.emplace(device, &state);
        if (listed.size() > Incident::devices_listed_max) {
            listed.erase(std::prev(listed.end()));
        }
    }
    const std::vector<Incident::Member> before = std::move(incident.devices);
    incident.devices.clear();
    for (const auto& [device, state] : listed) {
        const auto adopted = std::ranges::find(before, device, &Incident::Member::device);
        incident.devices.push_back(
            std::isnan(state->value) && adopted != before.end()
                ? *adopted
                : Incident::Member{std::string(device), evidence_of(entry.rule, state->value, state->score)});
    }
    const auto scope = scope_of(cohorts_, incident.scope);
    const std::int64_t population = scope ? cohorts_.population(*scope) : 0;
    set_figures(incident, moment.time, entry.members, std::max(population, entry.members));
    incident.shared = shared_by(cohorts_, members);
    incident.summary = entry.members == 1 && !incident.devices.empty()
                           ? fmt::format("{}: {}", incident.devices[0].device, incident.devices[0].text)
                           : fmt::format("{} devices: {}", entry.members, subject_of(entry.rule));
    forecast(incident, moment.time, 0.5);
}

void TelemetryRules::end(Entry& entry, std::string_view text, const RuleMoment& moment,
                         std::vector<Incident>& changed) const {
    set_figures(*entry.incident, moment.time, entry.members, entry.incident->population);
    end_incident(*entry.incident, moment.time, text);
    changed.push_back(std::move(*entry.incident));
    entry.incident.reset();
    entry.adopted_ms.reset();
    entry.crossed = {};
}

bool TelemetryRules::encode_part(std::uint32_t part, ByteWriter& out, std::int64_t elapsed_ms) const {
    const std::size_t states = scores_.encode_part(part, out);
    std::uint32_t cohorts = 0;
    for (const auto& [name, entry] : rules_) {
        for (const auto& [model, cohort] : entry.models) {
            if (part_of(name, model) == part) {
                out.number(std::uint8_t{1});
                out.text(name);
                out.number(entry.fingerprint);
                out.text(model);
                cohort.encode(out, elapsed_ms);
                ++cohorts;
            }
        }
    }
    out.number(std::uint8_t{0});
    return states + cohorts > 0;
}

Result<void> TelemetryRules::decode_part(std::uint32_t part, ByteReader& in, Millis gap, std::int64_t elapsed_ms) {
    if (auto decoded = scores_.decode_part(part, in, gap); !decoded) {
        return decoded;
    }
    while (in.number<std::uint8_t>() == 1) {
        const std::string_view name = in.text();
        const auto fingerprint = in.number<std::uint32_t>();
        std::string model(in.text());
        MetricCohort cohort;
        if (!cohort.decode(in, elapsed_ms, gap.count())) {
            return fail(ErrorCode::corrupt, "what was learnt of a cohort cannot be read");
        }
        const auto rule = rules_.find(name);
        if (rule != rules_.end() && rule->second.fingerprint == fingerprint && cohort_count_ < cohorts_max &&
            rule->second.models.emplace(std::move(model), cohort).second) {
            ++cohort_count_;
        }
    }
    return in.ok() && in.at_end() ? Result<void>() : fail(ErrorCode::corrupt, "what was learnt has another length");
}

std::vector<Incident> TelemetryRules::open_incidents() const {
    std::vector<Incident> open;
    for (const auto& [name, entry] : rules_) {
        if (entry.incident) {
            open.push_back(*entry.incident);
        }
    }
    return open;
}

}  // namespace muster
