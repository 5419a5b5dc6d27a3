#include "alerts/region_rule.h"

#include <algorithm>

#include <fmt/format.h>

#include "alerts/incident_story.h"

namespace muster {
namespace {

constexpr std::size_t children_max = 8;
constexpr double child_share_min = 0.1;
constexpr double counted_confidence = 0.5;  ///< a region that breaches, and no document that says more

}  // namespace

RegionRule::RegionRule(AlertRule rule, RegionRuleTuning tuning, RegionSums& sums, CauseRule& causes)
    : rule_(std::move(rule)), tuning_(tuning), sums_(sums), causes_(causes) {}

bool RegionRule::is_of_offline() const {
    return rule_.metric == RuleMetric::offline_share || rule_.metric == RuleMetric::offline_count;
}

std::string_view RegionRule::doing() const {
    return is_of_offline() ? "offline" : "flapping";
}

RegionRule::Figures RegionRule::figures_of(std::string_view region, const RegionCounts& counts) const {
    Figures figures;
    figures.population = is_of_offline() ? counts.countable : counts.total() - counts.never_seen;
    figures.members = is_of_offline() ? counts.countable_offline : counts.flapping;
    // The counts of a cohort are its own: what a cause explains of the whole region says nothing of them.
    if (is_of_offline() && !rule_.has_cohort()) {
        figures.members = std::max<std::int64_t>(0, figures.members - causes_.cohorts().explained_offline(region));
    }
    figures.value = value_of(figures);
    return figures;
}

double RegionRule::value_of(const Figures& figures) const {
    const auto members = static_cast<double>(figures.members);
    return rule_.metric == RuleMetric::offline_count ? members
           : figures.population <= 0                 ? 0.0
                                                     : members / static_cast<double>(figures.population);
}

RegionRule::Figures RegionRule::figures_of(std::string_view region) const {
    return figures_of(region, sums_.counts(region));
}

void RegionRule::rename(Incident& incident, const std::string& region) const {
    incident.region = region;
    incident.scope.clear();
    if (!region.empty()) {
        incident.scope.push_back({"region", region});
    }
    for (const auto& [attribute, value] : {std::pair<const char*, const std::string&>{"model", rule_.model},
                                           {"firmware", rule_.firmware},
                                           {"carrier", rule_.carrier}}) {
        if (!value.empty()) {
            incident.scope.push_back({attribute, value});
        }
    }
    incident.title = fmt::format("Many devices {} in {}", doing(), place_of(region));
}

void RegionRule::adopt(const Incident& incident, const RuleMoment& moment) {
    if (!incident.open || incident.rule != rule_.name) {
        return;
    }
    breaches_[incident.region] = Breach{moment.elapsed_ms, incident.threshold_crossed, true};
    const auto place = std::upper_bound(open_.begin(), open_.end(), incident,
                                        [](const Incident& a, const Incident& b) { return a.opened < b.opened; });
    open_.insert(place, incident);
    claim(incident, incident.threshold_crossed - Millis(Cohorts::window_ms));
}

/// A rule on all regions looks at those that breach and at those that may; one on a part of them, at that part.
void RegionRule::judge_regions(const RuleMoment& moment, RegionRanking& ranking) {
    const auto judge_one = [&](const std::string& region, const RegionCounts& counts) {
        judge_region(region, counts, moment);
    };
    if (!rule_.region.empty()) {
        moment.all ? sums_.for_each_within(rule_.region, judge_one)
                   : sums_.for_each_changed_within(rule_.region, judge_one);
        return;
    }
    for (auto at = breaches_.begin(); at != breaches_.end();) {
        const std::string region = (at++)->first;
        judge_region(region, sums_.counts(region), moment);
    }
    ranking.for_each_over(rule_.metric, rule_.raise, judge_one);
}

void RegionRule::judge(const RuleMoment& moment, RegionRanking& ranking, std::vector<Incident>& changed) {
    judge_regions(moment, ranking);
    if (breaches_.empty() && open_.empty()) {
        return;
    }
    for (auto& [region, breach] : breaches_) {
        const Millis lasted(moment.elapsed_ms - breach.since_ms);
        breach.lasts = breach.lasts || lasted >= rule_.for_s;
    }
    std::erase_if(breaches_, [this](const auto& entry) {
        return figures_of(entry.first).population == 0 || !is_within(entry.first, rule_.region);
    });
    for (const std::string& cause : causes()) {
        attribute(cause, moment, changed);
    }
    for (Incident& incident : open_) {
        if (incident.open && !anything_breaches_within(incident.region)) {
            const bool explained = causes_.cohorts().explained_offline(incident.region) > 0 && is_of_offline();
            resolve(incident, explained ? "is part of another incident" : "recovered", moment, changed);
        }
    }
    std::erase_if(open_, [](const Incident& incident) { return !incident.open; });
    if (moment.elapsed_ms - refreshed_at_ms_ >= tuning_.update_interval.count()) {
        refreshed_at_ms_ = moment.elapsed_ms;
        refresh_all(moment, changed);
    }
}

void RegionRule::end(const RuleMoment& moment, std::vector<Incident>& changed) {
    for (Incident& incident : open_) {
        resolve(incident, "the rule was removed", moment, changed);
    }
    open_.clear();
    breaches_.clear();
}

void RegionRule::judge_region(const std::string& region, const RegionCounts& counts, const RuleMoment& moment) {
    const Figures figures = figures_of(region, counts);
    const auto found = breaches_.find(region);
    if (found == breaches_.end()) {
        const bool over = figures.value > rule_.raise && figures.population >= rule_.population_min;
        if (over && rule_.is_active(moment.time)) {
            breaches_.emplace(region, Breach{moment.elapsed_ms, moment.time, false});
        }
        return;
    }
    // At the threshold to clear itself a count that was raised at it would never clear.
    const bool clears = figures.value < rule_.clear || (rule_.clear == rule_.raise && figures.value <= rule_.raise);
    const bool over = figures.value > rule_.raise && figures.population >= rule_.population_min;
    if (found->second.lasts ? clears : !over) {
        breaches_.erase(found);
    }
}

bool RegionRule::anything_breaches_within(std::string_view region) const {
    return std::any_of(breaches_.begin(), breaches_.end(),
                       [&](const auto& entry) { return entry.second.lasts && is_within(entry.first, region); });
}

/// The regions that give their names: one for each topmost breaching region.
std::vector<std::string> RegionRule::causes() {
    // Ascending by path, so that a top comes before all within it; but "a-b" stands between "a" and "a/b".
    std::vector<std::string_view> tops;
    for (const auto& [region, breach] : breaches_) {
        const bool covered = std::any_of(
            tops.begin(), tops.end(), [&region = region](std::string_view above) { return is_within(region, above); });
        if (breach.lasts && !covered) {
            tops.push_back(region);
        }
    }
    std::vector<std::string> result;
    result.reserve(tops.size());
    for (const std::string_view top : tops) {
        result.push_back(deepest_explanation(top));
    }
    return result;
}

/// What is left of the region without that part of it would raise nothing.
bool RegionRule::explains(const Figures& part, const Figures& whole) const {
    Figures rest;
    rest.members = whole.members - part.members;
    rest.population = whole.population - part.population;
    return rest.population < rule_.population_min || value_of(rest) <= rule_.raise;
}

/// The reports of one second come region by region, the parents' first: a child may be about to last when its parent
/// does already. One that explains its parent has lasted as long.
std::string RegionRule::deepest_explanation(std::string_view region) {
    std::string cause(region);
    while (true) {
        const Figures whole = figures_of(cause);
        std::string child_cause;
        std::int64_t most = 0;
        sums_.for_each_child(cause, [&](std::string_view child, const RegionCounts& counts) {
            const Figures part = figures_of(child, counts);
            if (part.members > most && breaches_.contains(child) && explains(part, whole)) {
                most = part.members;
                child_cause = child;
            }
        });
        if (child_cause.empty()) {
            return cause;
        }
        cause = std::move(child_cause);
        breaches_.find(cause)->second.lasts = true;
    }
}

/// Finds the incident that the cause belongs to, the oldest on its path, and takes the others on the path into it.
void RegionRule::attribute(const std::string& cause, const RuleMoment& moment, std::vector<Incident>& changed) {
    Incident* kept = nullptr;
    for (Incident& incident : open_) {
        const bool on_path = is_within(incident.region, cause) || is_within(cause, incident.region);
        if (!incident.open || !on_path) {
            continue;
        }
        if (kept == nullptr) {
            kept = &incident;
            if (incident.region != cause && is_within(incident.region, cause) &&
                !explains(figures_of(incident.region), figures_of(cause))) {
                widen(incident, cause, moment);
                changed.push_back(incident);
            }
        } else if (is_within(incident.region, kept->region)) {
            resolve(incident, "is part of the incident in " + place_of(kept->region), moment, changed);
        }
    }
    if (kept == nullptr && open_.size() < incidents_max) {
        open(cause, moment, changed);
    }
}

void RegionRule::open(std::string region, const RuleMoment& moment, std::vector<Incident>& changed) {
    const Breach breach = breaches_.at(region);
    Attribution found;
    if (is_of_offline()) {
        found = causes_.explain_lost(breach.crossed, moment.time, changed);
        // What that explains is no longer this region's: it is judged again.
        if (const Figures left = figures_of(region);
            left.value <= rule_.raise || left.population < rule_.population_min) {
            breaches_.erase(region);
            return;
        }
        region = settled(std::move(region), found);
    }
    Incident incident;
    incident.rule = rule_.name;
    incident.opened = moment.time;
    incident.threshold_crossed = breach.crossed;
    incident.id = incident_id(rule_.name, region, incident.opened);
    incident.severity = rule_.severity;
    const bool is_region = found.cause == CauseKind::region_outage && found.scope.size() == 1;
    if (is_region || is_of_offline()) {
        incident.cause = CauseKind::region_outage;
        incident.confidence = is_region ? found.confidence : counted_confidence;
    }
    rename(incident, region);
    claim(incident, std::nullopt);
    refresh(incident, moment);
    note(incident, breach.crossed,
         fmt::format("{} passed {}", is_of_offline() ? "offline share" : "share of flapping devices",
                     rule_.metric == RuleMetric::offline_count ? fmt::format("{} devices", rule_.raise)
                                                               : percent(rule_.raise)));
    note(incident, incident.opened, fmt::format("opened: {} {}", figures(incident), doing()));
    changed.push_back(open_.emplace_back(std::move(incident)));
}

/// Verdicts come in over a minute, and a part of an outage crosses the threshold before the whole does: what was lost
/// tells already how far it reaches.
std::string RegionRule::settled(std::string region, const Attribution& found) const {
    if (found.cause != CauseKind::region_outage || found.scope.size() != 1) {
        return region;
    }
    const std::string& wider = causes_.cohorts().values(Attribute::region)[found.scope[0].value].text;
    return is_within(region, wider) && is_within(wider, rule_.region) ? wider : region;
}

void RegionRule::widen(Incident& incident, const std::string& region, const RuleMoment& moment) {
    const std::string before = incident.region;
    unclaim(incident);
    rename(incident, region);
    claim(incident, incident.threshold_crossed - Millis(Cohorts::window_ms));
    refresh(incident, moment);
    note(incident, moment.time,
         fmt::format("widened from {} to {}: {} {}", place_of(before), place_of(region), figures(incident), doing()));
}

void RegionRule::resolve(Incident& incident, std::string_view text, const RuleMoment& moment,
                         std::vector<Incident>& changed) {
    refresh(incident, moment);
    end_incident(incident, moment.time, text);
    unclaim(incident);
    changed.push_back(incident);
}

/// The devices whose trouble is this incident's: they ask for no other explanation.
void RegionRule::claim(const Incident& incident, std::optional<Timestamp> since) {
    const auto scope = is_of_offline() ? scope_of(causes_.cohorts(), incident.scope) : std::nullopt;
    if (scope) {
        claims_[incident.id] = causes_.cohorts().claim(Trouble::lost, *scope, false, since);
    }
}

void RegionRule::unclaim(const Incident& incident) {
    if (const auto found = claims_.find(incident.id); found != claims_.end()) {
        causes_.cohorts().drop(found->second);
        claims_.erase(found);
    }
}

/// The figures as they are now.
void RegionRule::refresh(Incident& incident, const RuleMoment& moment) {
    const Figures now = figures_of(incident.region);
    set_figures(incident, moment.time, now.members, now.population);
    if (incident.share >= tuning_.critical_share && incident.severity == "warning") {
        incident.severity = "critical";
    }
    incident.summary = fmt::format("{} are {} in {}", figures(incident), doing(), place_of(incident.region));
    if (incident.members > 0) {
        incident.shared = shared_by(incident);
    }
    forecast(
        incident, moment.time,
        rule_.metric == RuleMetric::offline_count ? rule_.clear : rule_.clear * static_cast<double>(now.population));
}

/// What the documents tell; without any, the regions below.
std::vector<Incident::SharedAttribute> RegionRule::shared_by(const Incident& incident) const {
    if (const auto found = claims_.find(incident.id); found != claims_.end()) {
        if (const auto& claim = causes_.cohorts().claim_at(found->second); claim.members > 0) {
            return muster::shared_by(causes_.cohorts(), claim);
        }
    }
    std::vector<Incident::SharedAttribute> shared;
    sums_.for_each_child(incident.region, [&](std::string_view child, const RegionCounts& counts) {
        const Figures below = figures_of(child, counts);
        const double share = static_cast<double>(below.members) / static_cast<double>(incident.members);
        const double cohort = incident.population == 0
                                  ? 0.0
                                  : static_cast<double>(below.population) / static_cast<double>(incident.population);
        if (share >= child_share_min) {
            shared.push_back({"region", std::string(child), share, cohort});
        }
    });
    std::stable_sort(shared.begin(), shared.end(), [](const auto& a, const auto& b) { return a.share > b.share; });
    shared.resize(std::min(shared.size(), children_max));
    return shared;
}

void RegionRule::refresh_all(const RuleMoment& moment, std::vector<Incident>& changed) {
    for (Incident& incident : open_) {
        const Incident before = incident;
        refresh(incident, moment);
        if (!(incident == before)) {
            changed.push_back(incident);
        }
    }
}

}  // namespace muster
