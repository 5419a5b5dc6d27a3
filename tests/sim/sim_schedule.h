#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace muster::sim {

/// What may happen in a simulated system, and how often: a file of tests/sim/scenarios. The weights are relative.
struct SimScenario {
    std::uint32_t devices = 6;     ///< 1 to 64
    std::uint32_t gateways = 2;    ///< 1 to 8
    std::uint32_t partitions = 2;  ///< 1 to 8
    std::uint32_t actions = 60;    ///< 1 to 10,000
    std::int64_t chaos_ms = 20'000;
    std::int64_t settle_ms = 40'000;  ///< then nothing fails any more, and every live device speaks
    std::int64_t lag_ms_max = 300;    ///< from a gateway to the bus, in order; one whose ticks come later is lost
    std::int64_t skew_ms_max = 0;     ///< of the gateways' wall clocks, both ways
    double duplicate_share = 0;       ///< of records that the bus takes twice
    double connect = 10;
    double leave = 4;   ///< says goodbye
    double breaks = 4;  ///< the socket breaks, at once or until the keep-alive finds it
    double freeze = 2;  ///< falls silent on an open connection
    double kill_gateway = 0;
    double suspend_gateway = 0;
    double cut_gateway = 0;  ///< from the bus
    double kill_processor = 0;
    double lose_disk = 0;  ///< a kill, and what it had on its disk is gone
    double pause_processor = 0;
};

/// TOML: a `key = number` for every member that is not to have its default. malformed: anything else, with the line's
/// key.
[[nodiscard]] Result<SimScenario> parse_scenario(std::string_view toml);

/// One thing that happens. Everything random about it comes from `dice`, so that it stays the same when others are left
/// out.
struct SimAction {
    enum class Kind : std::uint8_t {
        connect,
        leave,
        breaks,
        freeze,
        kill_gateway,
        suspend_gateway,
        cut_gateway,
        kill_processor,
        lose_disk,
        pause_processor,
    };
    std::int64_t at_ms = 0;
    Kind kind = Kind::connect;
    std::uint32_t subject = 0;  ///< device, gateway or partition
    std::uint32_t gateway = 0;  ///< of a connect
    std::int64_t span_ms = 0;   ///< how long a failure lasts
    std::uint64_t dice = 0;

    [[nodiscard]] std::string text() const;
};
using SimSchedule = std::vector<SimAction>;

/// The same seed and scenario always give the same schedule, ascending by time.
[[nodiscard]] SimSchedule make_schedule(std::uint64_t seed, const SimScenario& scenario);

}  // namespace muster::sim
