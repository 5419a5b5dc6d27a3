#include "alerts/region_rules.h"

#include <algorithm>

#include "alerts/incident_story.h"

namespace muster {
namespace {

constexpr std::int64_t judge_interval_ms = 1000;

}  // namespace

RegionRules::RegionRules(RegionRuleTuning tuning, CauseRuleOptions causes)
    : tuning_(tuning), causes_(causes, cohorts_), telemetry_(cohorts_) {}

bool RegionRules::put(const AlertRule& rule, std::vector<Incident>& changed) {
    judge_all_ = true;
    if (is_of_values(rule.metric)) {
        if (rules() >= rules_max && !rules_.contains(rule.name)) {
            return false;
        }
        remove_of_regions(rule.name, changed);
        telemetry_.put(rule, moment(true), changed);
        return true;
    }
    telemetry_.remove(rule.name, moment(true), changed);
    if (const auto found = rules_.find(rule.name); found != rules_.end()) {
        const AlertRule& before = found->second.rule->rule();
        const bool same_devices = before.metric == rule.metric && before.model == rule.model &&
                                  before.firmware == rule.firmware && before.carrier == rule.carrier;
        if (same_devices && rule.enabled) {
            found->second.rule->replace(rule);
            return true;
        }
        remove_of_regions(rule.name, changed);
    }
    if (!rule.enabled) {
        return true;
    }
    if (rules() >= rules_max) {
        return false;
    }
    Entry entry;
    if (rule.has_cohort()) {
        entry.cohort_sums = std::make_unique<RegionSums>();
    }
    entry.rule = std::make_unique<RegionRule>(rule, tuning_, entry.cohort_sums ? *entry.cohort_sums : sums_, causes_);
    rules_.emplace(rule.name, std::move(entry));
    return true;
}

void RegionRules::remove(std::string_view name, std::vector<Incident>& changed) {
    telemetry_.remove(name, moment(true), changed);
    remove_of_regions(name, changed);
}

void RegionRules::remove_of_regions(std::string_view name, std::vector<Incident>& changed) {
    if (const auto found = rules_.find(name); found != rules_.end()) {
        found->second.rule->end(moment(true), changed);
        rules_.erase(found);
    }
}

void RegionRules::adopt(const Incident& incident, std::vector<Incident>& changed) {
    if (!incident.open) {
        return;
    }
    if (incident.rule == CauseRule::name) {
        causes_.adopt(incident);
    } else if (const auto found = rules_.find(incident.rule); found != rules_.end()) {
        found->second.rule->adopt(incident, moment(true));
    } else if (!telemetry_.adopt(incident, moment(true))) {
        Incident ended = incident;
        end_incident(ended, std::max(clock_.time(), incident.opened), "the rule was removed");
        changed.push_back(std::move(ended));
    }
}

void RegionRules::set_judging(bool judging) {
    judging_ = judging;
    cohorts_.set_reading_back(!judging);
    if (judging) {
        judge_all_ = true;
        cohorts_.refresh_since(clock_.time() - Millis(Cohorts::window_ms), clock_.elapsed_ms());
    }
}

bool RegionRules::on_report(const RegionReport& report, std::vector<Incident>& changed) {
    clock_.on_report(report.partition, report.time);
    const bool used = sums_.on_report(report);
    if (judging_ && clock_.elapsed_ms() - judged_at_ms_ >= judge_interval_ms) {
        judged_at_ms_ = clock_.elapsed_ms();
        judge(changed);
    }
    return used;
}

bool RegionRules::on_status(const StatusDocument& document) {
    return cohorts_.on_status(document, clock_.elapsed_ms());
}

void RegionRules::on_silence(Millis silence, std::vector<Incident>& changed) {
    causes_.on_silence(silence, clock_.time() + silence, changed);
}

void RegionRules::judge(std::vector<Incident>& changed) {
    judged_at_ = std::max(clock_.time(), judged_at_ + Millis(1));
    const bool explained_before = !causes_.open_incidents().empty();
    causes_.judge(clock_.elapsed_ms(), judged_at_, changed);
    const bool all = judge_all_ || explained_before || !causes_.open_incidents().empty();
    judge_all_ = false;
    RegionRanking ranking(sums_, all);
    for (auto& [name, entry] : rules_) {
        if (!entry.cohort_sums) {
            entry.rule->judge(moment(all), ranking, changed);
            continue;
        }
        sum_cohort(entry.rule->rule(), *entry.cohort_sums);
        RegionRanking of_cohort(*entry.cohort_sums, true);
        entry.rule->judge(moment(true), of_cohort, changed);
    }
    sums_.forget_changes();
    telemetry_.judge(moment(all), changed);
}

/// One pass over the cells: exact, and only for rules that name a model, a firmware or a carrier.
void RegionRules::sum_cohort(const AlertRule& rule, RegionSums& sums) const {
    std::map<std::string, RegionCounts, std::less<>> counts;
    for (const auto& [region, entry] : sums.regions()) {
        counts[region];  // one that has lost its last device goes to zero
    }
    const std::array<std::pair<Attribute, const std::string&>, 3> wanted{
        {{Attribute::model, rule.model}, {Attribute::firmware, rule.firmware}, {Attribute::carrier, rule.carrier}}};
    for (const Cohorts::Cell& cell : cohorts_.cells()) {
        const bool belongs = std::all_of(wanted.begin(), wanted.end(), [&](const auto& item) {
            const auto& [attribute, text] = item;
            const std::uint32_t value = cell.values[static_cast<std::size_t>(attribute)];
            return text.empty() || cohorts_.values(attribute)[value].text == text;
        });
        if (!belongs || cell.population == 0) {
            continue;
        }
        RegionCounts part;
        part.countable = cell.countable;
        part.countable_offline = cell.offline;
        part.flapping = cell.flapping;
        part.online = cell.population;  // the total: no rule on a cohort asks for the states
        const std::string& region = cohorts_.values(Attribute::region)[cell.values[0]].text;
        for_each_region_of(region, [&](std::string_view each) {
            const auto found = counts.find(each);
            (found == counts.end() ? counts.emplace(each, RegionCounts{}).first : found)->second += part;
        });
    }
    for (const auto& [region, sum] : counts) {
        (void)sums.on_report({0, region, clock_.time(), sum});
    }
    sums.forget_changes();
}

std::vector<Incident> RegionRules::open_incidents() const {
    std::vector<Incident> open = causes_.open_incidents();
    const std::vector<Incident> of_telemetry = telemetry_.open_incidents();
    open.insert(open.end(), of_telemetry.begin(), of_telemetry.end());
    for (const auto& [name, entry] : rules_) {
        open.insert(open.end(), entry.rule->open_incidents().begin(), entry.rule->open_incidents().end());
    }
    std::stable_sort(open.begin(), open.end(), [](const auto& a, const auto& b) { return a.opened < b.opened; });
    return open;
}

}  // namespace muster
