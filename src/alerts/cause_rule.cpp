#include "alerts/cause_rule.h"

#include <algorithm>

#include <fmt/format.h>

#include "alerts/incident_story.h"
#include "base/assert.h"

namespace muster {
namespace {

constexpr std::int64_t look_interval_ms = 5000;  ///< between two searches that found nothing to open
constexpr double told_confidence = 0.99;         ///< the records themselves name the cause
constexpr double narrow_covered_min = 0.9;       ///< refused, planned: a scope that leaves out more is not told
constexpr double shared_members_min = 0.5;       ///< of the most members: fewer no longer show what they share

Trouble trouble_of(CauseKind kind, bool is_told) {
    switch (kind) {
        case CauseKind::planned_work:
            return Trouble::planned;
        case CauseKind::credential_failure:
            return Trouble::refused;
        case CauseKind::gateway_loss:
            return is_told ? Trouble::gateway_lost : Trouble::lost;
        default:
            return Trouble::lost;
    }
}

std::string title_of(CauseKind kind, const std::string& scope) {
    switch (kind) {
        case CauseKind::gateway_loss:
            return "Lost " + scope;
        case CauseKind::carrier_outage:
            return "Outage of " + scope;
        case CauseKind::device_fault:
            return "Fault of " + scope;
        case CauseKind::credential_failure:
            return "Credentials refused, " + scope;
        case CauseKind::planned_work:
            return "Planned work, " + scope;
        default:
            return "Many devices offline in " + scope;
    }
}

std::string_view doing_of(CauseKind kind) {
    return kind == CauseKind::credential_failure ? "were refused"
           : kind == CauseKind::planned_work     ? "are in a maintenance window"
           : kind == CauseKind::gateway_loss     ? "lost their gateway"
                                                 : "are offline";
}

double covered_by(const Attribution& found) {
    return static_cast<double>(found.inside.troubled) /
           static_cast<double>(std::max<std::int64_t>(1, found.whole.troubled));
}

}  // namespace

void CauseRule::adopt(const Incident& incident) {
    if (!incident.open || incident.rule != name) {
        return;
    }
    const auto scope = scope_of(cohorts_, incident.scope);
    Cohorts::ClaimId claim = Cohorts::no_claim;
    if (incident.cause != CauseKind::pipeline_lag) {
        const Trouble trouble = trouble_of(incident.cause, incident.confidence >= told_confidence);
        const Millis window{trouble == Trouble::planned ? 0 : Cohorts::window_ms};
        // A scope of which no device is left has no members: it ends at the next judgement.
        claim = scope ? cohorts_.claim(trouble, *scope, true, incident.threshold_crossed - window)
                      : cohorts_.claim(Trouble::none, {}, false, Timestamp::max());
    }
    const auto place = std::upper_bound(open_.begin(), open_.end(), incident,
                                        [](const Incident& a, const Incident& b) { return a.opened < b.opened; });
    claims_.insert(claims_.begin() + (place - open_.begin()), claim);
    open_.insert(place, incident);
}

void CauseRule::judge(std::int64_t elapsed_ms, Timestamp time, std::vector<Incident>& changed) {
    cohorts_.expire(elapsed_ms);
    look_for_lost_gateways(time, changed);
    for (const Trouble trouble : {Trouble::planned, Trouble::refused, Trouble::lost}) {
        look_for(trouble, elapsed_ms, time, changed);
    }
    const bool all = elapsed_ms - refreshed_ms_ >= options_.update_interval.count();
    refreshed_ms_ = all ? elapsed_ms : refreshed_ms_;
    refresh_all(elapsed_ms, time, all, changed);
}

void CauseRule::look_for_lost_gateways(Timestamp time, std::vector<Incident>& changed) {
    constexpr auto lost = static_cast<std::size_t>(Trouble::gateway_lost);
    const auto& gateways = cohorts_.values(Attribute::gateway);
    for (std::uint32_t gateway = 1; gateway < gateways.size(); ++gateway) {
        if (gateways[gateway].fresh[lost] < options_.gateway_min) {
            continue;
        }
        Attribution found;
        found.cause = CauseKind::gateway_loss;
        found.scope = {{Attribute::gateway, gateway}};
        found.confidence = told_confidence;
        open(found, Trouble::gateway_lost, time, time, changed);
    }
}

bool CauseRule::is_breached(Trouble trouble) const {
    const auto index = static_cast<std::size_t>(trouble);
    if (trouble != Trouble::lost) {
        return cohorts_.whole(trouble).troubled >= options_.members_min;
    }
    for (const Attribute attribute : {Attribute::gateway, Attribute::carrier, Attribute::model, Attribute::firmware}) {
        const auto& values = cohorts_.values(attribute);
        const auto breached = [&](const Cohorts::Value& value) {
            return value.fresh[index] >= options_.members_min &&
                   static_cast<double>(value.fresh[index]) >
                       options_.raise_share * static_cast<double>(value.population);
        };
        if (std::any_of(values.begin() + 1, values.end(), breached)) {
            return true;
        }
    }
    return false;
}

void CauseRule::look_for(Trouble trouble, std::int64_t elapsed_ms, Timestamp time, std::vector<Incident>& changed) {
    Crossing& crossing = crossings_[static_cast<std::size_t>(trouble)];
    if (!is_breached(trouble)) {
        crossing.is_crossed = false;
        return;
    }
    if (!crossing.is_crossed) {
        crossing = {true, elapsed_ms, elapsed_ms + options_.hold.count() - look_interval_ms, time};
    }
    if (elapsed_ms - crossing.since_ms < options_.hold.count() || elapsed_ms - crossing.looked_ms < look_interval_ms) {
        return;
    }
    crossing.looked_ms = elapsed_ms;
    Attribution found = attribute_trouble(cohorts_, trouble);
    if (trouble == Trouble::lost) {
        if (is_worth_opening(found)) {
            open(found, trouble, crossing.time, time, changed);
        }
        return;
    }
    found.cause = trouble == Trouble::planned ? CauseKind::planned_work : CauseKind::credential_failure;
    found.confidence = told_confidence;
    if (covered_by(found) < narrow_covered_min) {
        found.scope.clear();
    }
    open(found, trouble, crossing.time, time, changed);
}

/// Regions are for the rules on regions.
bool CauseRule::is_worth_opening(const Attribution& found) const {
    return found.cause != CauseKind::unexplained && found.cause != CauseKind::region_outage &&
           found.inside.troubled >= options_.members_min &&
           static_cast<double>(found.inside.troubled) >
               options_.raise_share * static_cast<double>(found.inside.population);
}

Attribution CauseRule::explain_lost(Timestamp crossed, Timestamp time, std::vector<Incident>& changed) {
    Attribution found = attribute_trouble(cohorts_, Trouble::lost);
    if (is_worth_opening(found)) {
        open(found, Trouble::lost, crossed, time, changed);
    }
    return found;
}

void CauseRule::open(const Attribution& found, Trouble trouble, Timestamp crossed, Timestamp time,
                     std::vector<Incident>& changed) {
    if (open_.size() >= incidents_max) {
        ++refused_;
        return;
    }
    const std::string scope = describe(cohorts_, found.scope);
    Incident incident;
    incident.rule = name;
    incident.opened = time;
    incident.threshold_crossed = crossed;
    incident.id = incident_id(name_of(found.cause), scope, time);
    incident.severity = found.cause == CauseKind::planned_work ? "info" : "warning";
    incident.cause = found.cause;
    incident.confidence = found.confidence;
    incident.scope = conditions_of(cohorts_, found.scope);
    for (const Incident::Condition& condition : incident.scope) {
        incident.region = condition.attribute == name_of(Attribute::region) ? condition.value : incident.region;
    }
    incident.title = title_of(found.cause, scope);
    const Cohorts::ClaimId claim = cohorts_.claim(trouble, found.scope, true);
    refresh(incident, claim, time);
    note(incident, crossed, "the first devices: " + std::string(doing_of(found.cause)));
    note(incident, time, fmt::format("opened: {} {}", figures(incident), doing_of(found.cause)));
    changed.push_back(open_.emplace_back(std::move(incident)));
    claims_.push_back(claim);
}

double CauseRule::clear_members(const Incident& incident) const {
    const auto peak = options_.clear_share * static_cast<double>(incident.members_peak);
    const bool by_share = incident.cause != CauseKind::planned_work &&
                          incident.cause != CauseKind::credential_failure && incident.confidence < told_confidence;
    return by_share ? std::max(peak, options_.clear_share * static_cast<double>(incident.population)) : peak;
}

void CauseRule::refresh(Incident& incident, Cohorts::ClaimId id, Timestamp time) const {
    const Cohorts::Claim& claim = cohorts_.claim_at(id);
    // Devices that have moved to another gateway no longer count for the lost one: the most it had is what it was.
    const std::int64_t population = std::max({incident.population, claim.members, cohorts_.population(claim.scope)});
    set_figures(incident, time, claim.members, population);
    if (incident.share >= options_.critical_share && incident.severity == "warning") {
        incident.severity = "critical";
    }
    if (static_cast<double>(claim.members) >= shared_members_min * static_cast<double>(incident.members_peak)) {
        incident.shared = shared_by(cohorts_, claim);
    }
    forecast(incident, time, clear_members(incident));
    incident.summary =
        fmt::format("{} {} ({})", figures(incident), doing_of(incident.cause), describe(cohorts_, claim.scope));
}

void CauseRule::refresh_all(std::int64_t elapsed_ms, Timestamp time, bool all, std::vector<Incident>& changed) {
    for (std::size_t i = 0; i < open_.size();) {
        Incident& incident = open_[i];
        if (claims_[i] == Cohorts::no_claim) {
            ++i;
            continue;
        }
        const auto members = static_cast<double>(cohorts_.claim_at(claims_[i]).members);
        const bool over = members == 0 || members < clear_members(incident);
        const Incident before = incident;
        if (all || over) {
            refresh(incident, claims_[i], time);
        }
        if (over) {
            end_incident(incident, time, "recovered");
        }
        if (!(incident == before)) {
            changed.push_back(incident);
        }
        if (over) {
            cohorts_.close(claims_[i], elapsed_ms);
            open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
            claims_.erase(claims_.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
            ++i;
        }
    }
}

void CauseRule::on_silence(Millis silence, Timestamp time, std::vector<Incident>& changed) {
    const auto found = std::find_if(open_.begin(), open_.end(),
                                    [](const Incident& each) { return each.cause == CauseKind::pipeline_lag; });
    const bool stalled = silence >= options_.silence_max;
    if (stalled && found == open_.end() && open_.size() < incidents_max) {
        Incident incident;
        incident.rule = name;
        incident.severity = "critical";
        incident.cause = CauseKind::pipeline_lag;
        incident.confidence = 1;
        incident.opened = time;
        incident.threshold_crossed = time - silence;
        incident.id = incident_id(name_of(incident.cause), "pipeline", time);
        incident.title = "The pipeline has stalled";
        incident.summary =
            fmt::format("No report from the processor for {} s: what is shown of the devices is as it was then",
                        std::chrono::duration_cast<Seconds>(silence).count());
        note(incident, incident.threshold_crossed, "last report");
        note(incident, time, "opened: no device is judged while nothing is seen");
        changed.push_back(open_.emplace_back(std::move(incident)));
        claims_.push_back(Cohorts::no_claim);
    } else if (silence == Millis(0) && found != open_.end()) {
        end_incident(*found, time, "reports come again");
        changed.push_back(*found);
        claims_.erase(claims_.begin() + (found - open_.begin()));
        open_.erase(found);
    }
}

}  // namespace muster
