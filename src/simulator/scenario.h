#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace muster {

/// More devices than one process is meant to play: beyond it memory, not the plan, is the limit.
inline constexpr std::uint32_t simulated_devices_max = 1'000'000;
inline constexpr std::size_t outages_max = 64;

/// Part of a region loses its network: the sockets break without a DISCONNECT and stay away until the end.
/// A duration of 0 is a reconnect storm: all break at one instant and come back as fast as their back-off lets them.
struct Outage {
    std::string region;    ///< a path with everything under it, "all", or empty for the largest cohort of the fleet
    Millis start{60'000};  ///< after the start of the simulation
    Millis duration{120'000};
    double share = 0.6;  ///< of the region's devices

    bool operator==(const Outage&) const = default;
};

/// What a fleet is to consist of and to suffer: with the seed, the whole input of make_plan.
struct Scenario {
    std::uint32_t devices = 1000;
    std::uint64_t seed = 42;
    std::vector<std::string> regions;  ///< paths with everything under them; none = all
    double flappers = 0.02;            ///< share of devices that lose their connection again and again
    double sleepers = 0.03;            ///< share that announces sleep, goes and comes back
    double qos1 = 0.25;                ///< share that publishes telemetry with QoS 1
    Millis telemetry_interval{30'000};
    std::vector<Outage> outages{Outage{}};
};

/// "2%" or "0.02", within [0, 1].
[[nodiscard]] Result<double> parse_share(std::string_view text);
/// "90", "90s", "2m", "1h", "250ms"; no unit means seconds.
[[nodiscard]] Result<Millis> parse_duration(std::string_view text);
/// "region@start+duration:share", for example "in/karnataka@60+120:60%"; ":share" may be left out (60 %).
[[nodiscard]] Result<Outage> parse_outage(std::string_view text);
/// "start:share", for example "300:100%": an outage of no duration everywhere; ":share" may be left out (100 %).
[[nodiscard]] Result<Outage> parse_storm(std::string_view text);

/// One sentence an administrator understands for the first thing that is wrong.
[[nodiscard]] Result<void> validate(const Scenario& scenario);

}  // namespace muster
