#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "contract/incident.h"

namespace muster {

// What every incident tells of itself, whichever rule opened it.

inline constexpr std::size_t timeline_max = 64;  ///< entries of an incident; later ones replace the last
inline constexpr std::size_t blast_max = 64;     ///< points of an incident; over it every second one goes

/// "rule:place:opened ms": deterministic, and fit for a URL's path.
[[nodiscard]] std::string incident_id(std::string_view rule, std::string_view place, Timestamp opened);
/// "in/karnataka", or "the fleet".
[[nodiscard]] std::string place_of(std::string_view region);
[[nodiscard]] std::string percent(double share);
/// "11 of 100 devices (11.0 %)".
[[nodiscard]] std::string figures(const Incident& incident);

void note(Incident& incident, Timestamp time, std::string text);
/// Sets the figures, their peaks, and adds to the blast radius over time when the members have changed.
void set_figures(Incident& incident, Timestamp time, std::int64_t members, std::int64_t population);
/// Sets when members will be down to `clear_members`, from how they came back since the peak (exponential decay; a
/// fleet that comes back evenly is done earlier). Says nothing before a tenth has come back.
void forecast(Incident& incident, Timestamp time, double clear_members);
/// Ends the incident with the last word on its timeline.
void end_incident(Incident& incident, Timestamp time, std::string_view text);

}  // namespace muster
