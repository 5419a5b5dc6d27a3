#include "alerts/rule_replay.h"

#include <algorithm>

namespace muster {
namespace {

constexpr Millis step{1000};  ///< the processor reports once a second

}  // namespace

Result<RuleReplay> RuleReplay::of(const std::vector<AlertRule>& rules) {
    RuleReplay replay;
    std::vector<Incident> changed;
    for (const AlertRule& rule : rules) {
        const bool of_values = is_of_values(rule.metric);
        if (!of_values && rule.has_cohort()) {
            return fail(ErrorCode::invalid_argument,
                        "the presence history does not know models, firmware or carriers: a rule on "
                        "regions that names one cannot be tested",
                        rule.name);
        }
        if (of_values && !rule.carrier.empty()) {
            return fail(ErrorCode::invalid_argument, "a rule on values that names a carrier cannot be tested",
                        rule.name);
        }
        if (of_values) {
            const bool compares = rule.metric == RuleMetric::cohort_anomaly || rule.metric == RuleMetric::stuck;
            replay.metrics_.insert(rule.telemetry);
            replay.needs_attributes_ = replay.needs_attributes_ || compares || rule.has_cohort();
        }
        if (!replay.rules_->put(rule, changed)) {
            return fail(ErrorCode::too_large, "there are too many rules", rule.name);
        }
    }
    return replay;
}

Result<void> RuleReplay::add(StatusDocument document) {
    if (changes_.size() == changes_max) {
        return fail(ErrorCode::too_large, "the time is too long: over 8,000,000 changes; take a shorter one");
    }
    changes_.push_back(std::move(document));
    return {};
}

std::uint32_t RuleReplay::name(std::string_view text) {
    const auto [found, is_new] = name_of_.try_emplace(std::string(text), static_cast<std::uint32_t>(names_.size()));
    if (is_new) {
        names_.emplace_back(text);
    }
    return found->second;
}

Result<void> RuleReplay::add_value(const std::string& device, std::string_view metric, double value, Timestamp time) {
    if (values_.size() == values_max) {
        return fail(ErrorCode::too_large, "the time is too long: over 16,000,000 values; take a shorter one");
    }
    values_.push_back({time, value, name(device), name(metric)});
    return {};
}

void RuleReplay::apply(const StatusDocument& document) {
    const auto count = [&](const StatusDocument& of, bool in) {
        for_each_region_of(of.attributes.region, [&](std::string_view region) {
            auto found = counts_.find(region);
            found = found == counts_.end() ? counts_.emplace(region, RegionCounts{}).first : found;
            in ? found->second += contribution_of(of) : found->second -= contribution_of(of);
            due_.emplace(region);
        });
    };
    StatusDocument& kept = devices_[document.id];
    if (!kept.id.empty()) {
        count(kept, false);
    }
    kept = document;
    kept.offset = ++offset_;
    if (const auto known = attributes_.find(document.id); known != attributes_.end()) {
        kept.attributes.model = known->second.model;
        kept.attributes.firmware = known->second.firmware;
        kept.attributes.carrier = known->second.carrier;
    }
    count(kept, true);
    (void)rules_->on_status(kept);
}

void RuleReplay::report(Timestamp time, std::vector<Incident>& changed) {
    due_.emplace("");
    for (const std::string& region : due_) {
        (void)rules_->on_report({0, region, time, counts_[region]}, changed);
    }
    due_.clear();
}

std::vector<Incident> RuleReplay::run(Timestamp from, Timestamp to) {
    std::stable_sort(changes_.begin(), changes_.end(),
                     [](const StatusDocument& a, const StatusDocument& b) { return a.since < b.since; });
    std::stable_sort(values_.begin(), values_.end(), [](const Value& a, const Value& b) { return a.time < b.time; });
    std::vector<Incident> changed;
    rules_->set_judging(false);
    auto next = changes_.begin();
    for (; next != changes_.end() && next->since <= from; ++next) {
        apply(*next);
    }
    report(from, changed);
    rules_->set_judging(true);
    std::map<std::string, Incident> newest;
    auto value = values_.begin();
    for (Timestamp time = from + step; time <= to; time += step) {
        for (; next != changes_.end() && next->since <= time; ++next) {
            apply(*next);
        }
        for (; value != values_.end() && value->time <= time; ++value) {
            (void)rules_->on_value(names_[value->device], names_[value->metric], value->value, value->time);
        }
        report(time, changed);
        for (Incident& incident : changed) {
            newest.insert_or_assign(incident.id, std::move(incident));
        }
        changed.clear();
    }
    std::vector<Incident> incidents;
    incidents.reserve(newest.size());
    for (auto& [id, incident] : newest) {
        incidents.push_back(std::move(incident));
    }
    std::stable_sort(incidents.begin(), incidents.end(),
                     [](const Incident& a, const Incident& b) { return a.opened < b.opened; });
    return incidents;
}

}  // namespace muster
