#include "incident_judge.h"

#include <fmt/format.h>

namespace muster::sim {
namespace {

/// A dozen devices have by chance much in common: only a gateway whose ticks stopped is a cause here.
CauseRuleOptions causes() {
    CauseRuleOptions options;
    options.members_min = 1000;
    options.gateway_min = 2;
    options.hold = Millis(2000);
    return options;
}

std::string told(const Incident& incident) {
    std::string scope;
    for (const auto& condition : incident.scope) {
        scope += fmt::format(" {}={}", condition.attribute, condition.value);
    }
    return fmt::format("{} ({}{}, {} members)", incident.id, name_of(incident.cause), scope, incident.members);
}

bool is_same_cause(const Incident& a, const Incident& b) {
    if (a.rule != b.rule) {
        return false;
    }
    return a.rule == CauseRule::name ? a.cause == b.cause && a.scope == b.scope
                                     : is_within(a.region, b.region) || is_within(b.region, a.region);
}

}  // namespace

IncidentJudge::IncidentJudge() : rules_({}, causes()) {
    AlertRule rule = default_rule();
    rule.population_min = 4;
    rule.for_s = Seconds(3);
    (void)rules_.put(rule, changed_);
}

void IncidentJudge::complain(std::string what) {
    wrong_ = wrong_.empty() ? std::move(what) : wrong_;
}

void IncidentJudge::on_document(const StatusDocument& document) {
    if (!rules_.on_status(document)) {
        complain("the cohorts refused " + document.id);
    }
}

void IncidentJudge::on_report(const RegionReport& report) {
    (void)rules_.on_report(report, changed_);
    for (const Incident& incident : changed_) {
        take(incident);
    }
    if (!changed_.empty()) {
        judge();
    }
    changed_.clear();
}

void IncidentJudge::take(const Incident& incident) {
    const auto [seen, is_new] = seen_.try_emplace(incident.id, true);
    if (!seen->second) {
        complain("an incident that had ended goes on: " + told(incident));
    }
    seen->second = incident.open;
    if (!is_new || incident.cause != CauseKind::gateway_loss || incident.scope.size() != 1) {
        return;
    }
    const std::string& gateway = incident.scope.front().value;
    if (++losses_told_[gateway] > failures_) {
        complain(fmt::format("gateways failed {} times, and {} has one incident more: {}", failures_, gateway,
                             told(incident)));
    }
}

void IncidentJudge::judge() {
    const std::vector<Incident> open = rules_.open_incidents();
    for (std::size_t i = 0; i < open.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (is_same_cause(open[i], open[j])) {
                complain(fmt::format("one cause, two incidents: {} and {}", told(open[j]), told(open[i])));
            }
        }
    }
}

}  // namespace muster::sim
