#include "alerts/telemetry_rules.h"

#include <algorithm>

#include <fmt/format.h>

#include "alerts/attribution.h"
#include "alerts/incident_story.h"

namespace muster {
namespace {

constexpr std::int64_t update_interval_ms = 5000;
constexpr std::int64_t sweep_interval_ms = 60'000;

}  // namespace

void TelemetryRules::put(const AlertRule& rule, const RuleMoment& moment, std::vector<Incident>& changed) {
    const auto found = rules_.find(rule.name);
    if (found != rules_.end() && found->second.rule.telemetry == rule.telemetry && rule.enabled) {
        found->second.rule = rule;
        return;
    }
    remove(rule.name, moment, changed);
    if (!rule.enabled) {
        return;
    }
    Entry& entry = rules_[rule.name];
    entry.rule = rule;
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
    std::erase_if(by_metric_, [&](const auto& item) { return item.second == &entry; });
    rules_.erase(found);
}

bool TelemetryRules::adopt(const Incident& incident, const RuleMoment& moment) {
    const auto found = rules_.find(incident.rule);
    if (found == rules_.end() || !incident.open) {
        return false;
    }
    found->second.incident = incident;
    found->second.adopted_ms = moment.elapsed_ms;
    found->second.crossed = incident.threshold_crossed;
    return true;
}

bool TelemetryRules::is_of_rule(const Entry& entry, std::string_view device) const {
    const AlertRule& rule = entry.rule;
    if (rule.region.empty() && !rule.has_cohort()) {
        return true;
    }
    const auto cell = cohorts_.cell_of_device(device);
    if (!cell) {
        return false;
    }
    const auto text_of = [&](Attribute attribute) -> const std::string& {
        return cohorts_.values(attribute)[cohorts_.cells()[*cell].values[static_cast<std::size_t>(attribute)]].text;
    };
    return is_within(text_of(Attribute::region), rule.region) &&
           (rule.model.empty() || text_of(Attribute::model) == rule.model) &&
           (rule.firmware.empty() || text_of(Attribute::firmware) == rule.firmware) &&
           (rule.carrier.empty() || text_of(Attribute::carrier) == rule.carrier);
}

bool TelemetryRules::on_value(std::string_view device, std::string_view metric, double value, std::int64_t elapsed_ms) {
    bool used = true;
    const auto [first, last] = by_metric_.equal_range(metric);
    for (auto at = first; at != last; ++at) {
        Entry& entry = *at->second;
        const AlertRule& rule = entry.rule;
        const bool bad = rule.below ? value < rule.raise : value > rule.raise;
        const bool good = rule.below ? value >= rule.clear : value <= rule.clear;
        auto found = entry.devices.find(std::string(device));
        if (found == entry.devices.end()) {
            if (!bad || !is_of_rule(entry, device)) {
                continue;
            }
            if (states_ == states_max) {
                used = false;
                continue;
            }
            found = entry.devices.emplace(device, State{}).first;
            ++states_;
        }
        State& state = found->second;
        state.heard_ms = elapsed_ms;
        state.streak = (state.raised ? good : bad) ? state.streak + 1 : 0;
        if (state.streak >= rule.samples) {
            state.raised = !state.raised;
            state.streak = 0;
            entry.since_ms = state.raised && entry.members == 0 ? elapsed_ms : entry.since_ms;
            entry.members += state.raised ? 1 : -1;
        }
        if (!state.raised && state.streak == 0) {
            entry.devices.erase(found);
            --states_;
        }
    }
    return used;
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
    incident.title =
        fmt::format("{} {} {} in {}", rule.telemetry, rule.below ? "under" : "over", rule.raise, place_of(rule.region));
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
    const std::string* example = nullptr;
    for (const auto& [device, state] : entry.devices) {
        const auto cell = state.raised ? cohorts_.cell_of_device(device) : std::nullopt;
        if (cell) {
            ++members.members;
            ++members.by_cell[*cell];
        }
        // The least id: the same members always give the same words.
        example = state.raised && (example == nullptr || device < *example) ? &device : example;
    }
    const auto scope = scope_of(cohorts_, incident.scope);
    const std::int64_t population = scope ? cohorts_.population(*scope) : 0;
    set_figures(incident, moment.time, entry.members, std::max(population, entry.members));
    incident.shared = shared_by(cohorts_, members);
    incident.summary = entry.members == 1 && example != nullptr
                           ? fmt::format("{}: {} is {} {}", *example, entry.rule.telemetry,
                                         entry.rule.below ? "under" : "over", entry.rule.raise)
                           : fmt::format("{} devices report {} {} {}", entry.members, entry.rule.telemetry,
                                         entry.rule.below ? "under" : "over", entry.rule.raise);
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
