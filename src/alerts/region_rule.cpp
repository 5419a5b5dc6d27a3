#include "alerts/region_rule.h"

#include <algorithm>

#include <fmt/format.h>

namespace muster {
namespace {

constexpr std::int64_t judge_interval_ms = 1000;
constexpr std::size_t shared_max = 5;
constexpr double shared_share_min = 0.1;

std::string place_of(std::string_view region) {
    return region.empty() ? "the fleet" : std::string(region);
}

/// Deterministic, and fit for a URL's path.
std::string id_of(std::string_view region, Timestamp opened) {
    std::string place = region.empty() ? "fleet" : std::string(region);
    std::replace(place.begin(), place.end(), '/', '.');
    return fmt::format("{}:{}:{}", RegionRule::name, place, to_epoch_ms(opened));
}

std::string percent(double share) {
    return fmt::format("{:.1f} %", share * 100);
}

std::string figures(const Incident& incident) {
    return fmt::format("{} of {} devices ({})", incident.members, incident.population, percent(incident.share));
}

void rename(Incident& incident, const std::string& region) {
    incident.region = region;
    incident.title = "Many devices offline in " + place_of(region);
}

}  // namespace

void RegionRule::adopt(const Incident& incident) {
    if (!incident.open || incident.rule != name) {
        return;
    }
    breaches_[incident.region] = Breach{clock_.elapsed_ms(), incident.threshold_crossed, true};
    const auto place = std::upper_bound(open_.begin(), open_.end(), incident,
                                        [](const Incident& a, const Incident& b) { return a.opened < b.opened; });
    open_.insert(place, incident);
}

bool RegionRule::on_report(const RegionReport& report, std::vector<Incident>& changed) {
    clock_.on_report(report.partition, report.time);
    const bool used = sums_.on_report(report);
    if (judging_ && clock_.elapsed_ms() - judged_at_ms_ >= judge_interval_ms) {
        judged_at_ms_ = clock_.elapsed_ms();
        judge(changed);
    }
    return used;
}

void RegionRule::judge(std::vector<Incident>& changed) {
    for (const auto& [region, entry] : sums_.regions()) {
        judge_region(region, entry.sum);
    }
    std::erase_if(breaches_, [this](const auto& entry) { return sums_.counts(entry.first).countable == 0; });
    for (const std::string& cause : causes()) {
        attribute(cause, changed);
    }
    for (Incident& incident : open_) {
        if (!anything_breaches_within(incident.region)) {
            resolve(incident, "recovered", changed);
        }
    }
    std::erase_if(open_, [](const Incident& incident) { return !incident.open; });
    if (clock_.elapsed_ms() - refreshed_at_ms_ >= options_.update_interval.count()) {
        refreshed_at_ms_ = clock_.elapsed_ms();
        refresh_all(changed);
    }
}

void RegionRule::judge_region(const std::string& region, const RegionCounts& counts) {
    const double share = counts.offline_share();
    const bool over = share > options_.raise_share && counts.countable >= options_.population_min;
    const auto found = breaches_.find(region);
    if (found == breaches_.end()) {
        if (over) {
            breaches_.emplace(region, Breach{clock_.elapsed_ms(), clock_.time(), false});
        }
        return;
    }
    Breach& breach = found->second;
    if (breach.lasts ? share < options_.clear_share : !over) {
        breaches_.erase(found);
    } else if (clock_.elapsed_ms() - breach.since_ms >= options_.hold.count()) {
        breach.lasts = true;
    }
}

bool RegionRule::breaches(std::string_view region) const {
    const auto found = breaches_.find(region);
    return found != breaches_.end() && found->second.lasts;
}

bool RegionRule::anything_breaches_within(std::string_view region) const {
    return std::any_of(breaches_.begin(), breaches_.end(),
                       [&](const auto& entry) { return entry.second.lasts && is_within(entry.first, region); });
}

/// The regions that give their names: one for each topmost breaching region.
std::vector<std::string> RegionRule::causes() const {
    std::vector<std::string> result;
    // Ascending by path, so that a top comes before all within it; but "a-b" stands between "a" and "a/b".
    std::vector<std::string_view> tops;
    for (const auto& [region, breach] : breaches_) {
        const bool covered = std::any_of(
            tops.begin(), tops.end(), [&region = region](std::string_view above) { return is_within(region, above); });
        if (breach.lasts && !covered) {
            tops.push_back(region);
            result.push_back(deepest_explanation(region));
        }
    }
    return result;
}

std::string RegionRule::deepest_explanation(std::string_view region) const {
    std::string cause(region);
    while (true) {
        const double enough = options_.explained_share * static_cast<double>(sums_.counts(cause).countable_offline);
        std::string child_cause;
        sums_.for_each_child(cause, [&](std::string_view child, const RegionCounts& counts) {
            if (breaches(child) && static_cast<double>(counts.countable_offline) >= enough) {
                child_cause = child;
            }
        });
        if (child_cause.empty()) {
            return cause;
        }
        cause = std::move(child_cause);
    }
}

/// Finds the incident that the cause belongs to, the oldest on its path, and takes the others on the path into it.
void RegionRule::attribute(const std::string& cause, std::vector<Incident>& changed) {
    Incident* kept = nullptr;
    for (Incident& incident : open_) {
        const bool on_path = is_within(incident.region, cause) || is_within(cause, incident.region);
        if (!incident.open || !on_path) {
            continue;
        }
        if (kept == nullptr) {
            kept = &incident;
            if (incident.region != cause && is_within(incident.region, cause)) {
                widen(incident, cause);
                changed.push_back(incident);
            }
        } else if (is_within(incident.region, kept->region)) {
            resolve(incident, "is part of the incident in " + place_of(kept->region), changed);
        }
    }
    if (kept == nullptr) {
        open(cause, changed);
    }
}

void RegionRule::open(const std::string& region, std::vector<Incident>& changed) {
    const Breach& breach = breaches_.at(region);
    Incident incident;
    incident.rule = name;
    incident.opened = clock_.time();
    incident.threshold_crossed = breach.crossed;
    incident.id = id_of(region, incident.opened);
    incident.severity = "warning";
    rename(incident, region);
    refresh(incident);
    note(incident, breach.crossed, "offline share passed " + percent(options_.raise_share));
    note(incident, incident.opened, "opened: " + figures(incident) + " offline");
    changed.push_back(open_.emplace_back(std::move(incident)));
}

void RegionRule::widen(Incident& incident, const std::string& region) {
    const std::string before = incident.region;
    rename(incident, region);
    refresh(incident);
    note(incident, clock_.time(),
         fmt::format("widened from {} to {}: {} offline", place_of(before), place_of(region), figures(incident)));
}

void RegionRule::resolve(Incident& incident, std::string text, std::vector<Incident>& changed) {
    refresh(incident);
    incident.open = false;
    incident.resolved = clock_.time();
    note(incident, clock_.time(),
         fmt::format("{}: {} offline, at most {} since it opened", text, figures(incident),
                     percent(incident.share_peak)));
    changed.push_back(incident);
}

/// The figures as they are now.
void RegionRule::refresh(Incident& incident) {
    const RegionCounts counts = sums_.counts(incident.region);
    incident.members = counts.countable_offline;
    incident.population = counts.countable;
    incident.share = counts.offline_share();
    incident.share_peak = std::max(incident.share_peak, incident.share);
    if (incident.share >= options_.critical_share) {
        incident.severity = "critical";
    }
    incident.summary = figures(incident) + " are offline in " + place_of(incident.region);
    incident.shared.clear();
    sums_.for_each_child(incident.region, [&](std::string_view child, const RegionCounts& below) {
        const double share = incident.members == 0
                                 ? 0.0
                                 : static_cast<double>(below.countable_offline) / static_cast<double>(incident.members);
        if (share >= shared_share_min) {
            incident.shared.push_back({"region", std::string(child), share});
        }
    });
    std::stable_sort(incident.shared.begin(), incident.shared.end(),
                     [](const auto& a, const auto& b) { return a.share > b.share; });
    incident.shared.resize(std::min(incident.shared.size(), shared_max));
}

void RegionRule::refresh_all(std::vector<Incident>& changed) {
    for (Incident& incident : open_) {
        const Incident before = incident;
        refresh(incident);
        if (!(incident == before)) {
            changed.push_back(incident);
        }
    }
}

void RegionRule::note(Incident& incident, Timestamp time, std::string text) const {
    if (incident.timeline.size() == timeline_max) {
        incident.timeline.pop_back();
    }
    incident.timeline.push_back({time, std::move(text)});
}

}  // namespace muster
