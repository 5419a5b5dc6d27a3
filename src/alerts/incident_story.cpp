#include "alerts/incident_story.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace muster {
namespace {

constexpr double recovered_share_min = 0.1;
constexpr Millis recovery_min{10'000};
constexpr double forecast_ms_max = 24.0 * 3'600'000;  ///< what is further away is not known

}  // namespace

std::string place_of(std::string_view region) {
    return region.empty() ? "the fleet" : std::string(region);
}

std::string incident_id(std::string_view rule, std::string_view place, Timestamp opened) {
    std::string name = place.empty() ? "fleet" : std::string(place);
    std::replace_if(name.begin(), name.end(), [](char c) { return c == '/' || c == ' ' || c == ':'; }, '.');
    return fmt::format("{}:{}:{}", rule, name, to_epoch_ms(opened));
}

std::string percent(double share) {
    return fmt::format("{:.1f} %", share * 100);
}

std::string figures(const Incident& incident) {
    return fmt::format("{} of {} devices ({})", incident.members, incident.population, percent(incident.share));
}

void note(Incident& incident, Timestamp time, std::string text) {
    if (incident.timeline.size() >= timeline_max) {
        incident.timeline.pop_back();
    }
    incident.timeline.push_back({time, std::move(text)});
}

void set_figures(Incident& incident, Timestamp time, std::int64_t members, std::int64_t population) {
    incident.members = members;
    incident.population = population;
    incident.share = population == 0 ? 0.0 : static_cast<double>(members) / static_cast<double>(population);
    incident.share_peak = std::max(incident.share_peak, incident.share);
    incident.members_peak = std::max(incident.members_peak, members);
    auto& blast = incident.blast;
    if (!blast.empty() && (blast.back().members == members || blast.back().time >= time)) {
        return;
    }
    if (blast.size() >= blast_max) {
        for (std::size_t i = 0; 2 * i < blast.size(); ++i) {
            blast[i] = blast[2 * i];
        }
        blast.resize((blast.size() + 1) / 2);
    }
    blast.push_back({time, members});
}

void forecast(Incident& incident, Timestamp time, double clear_members) {
    incident.recovery_expected.reset();
    const auto& blast = incident.blast;
    const auto peak = std::max_element(blast.begin(), blast.end(),
                                       [](const auto& a, const auto& b) { return a.members <= b.members; });
    if (peak == blast.end()) {
        return;
    }
    const auto most = static_cast<double>(peak->members);
    const auto now = static_cast<double>(incident.members);
    const double took_ms = static_cast<double>((time - peak->time).count());
    if (now <= 0 || now > most * (1 - recovered_share_min) || time - peak->time < recovery_min) {
        return;
    }
    const double pace = std::log(most / now) / took_ms;
    const double left_ms = std::max(0.0, std::log(now / std::max(clear_members, 0.5)) / pace);
    if (left_ms < forecast_ms_max) {
        incident.recovery_expected = time + Millis(static_cast<std::int64_t>(left_ms));
    }
}

void end_incident(Incident& incident, Timestamp time, std::string_view text) {
    incident.open = false;
    incident.resolved = time;
    incident.recovery_expected.reset();
    note(incident, time,
         fmt::format("{}: {} concerned, at most {} since it opened", text, figures(incident), incident.members_peak));
}

}  // namespace muster
