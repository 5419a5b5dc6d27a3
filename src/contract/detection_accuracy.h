#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "contract/presence.h"

namespace muster {

/// How well Muster detects, measured on its canaries, whose truth it knows. A plain value: the wiring hands it from the
/// role that measures to the api role. Counts since the start.
struct DetectionAccuracy {
    /// Deaths of one kind and how long they took to be seen.
    struct ByCause {
        Cause cause = Cause::none;      ///< that the death had to be given
        std::uint64_t deaths = 0;       ///< detected
        std::uint64_t other_cause = 0;  ///< of those: detected, and given another cause
        double p50_ms = 0;              ///< of the newest detections, 1000 at most
        double p99_ms = 0;
        double max_ms = 0;
        double bound_ms = 0;  ///< over it a death counts as missed
    };

    bool enabled = false;
    std::int64_t canaries = 0;
    std::int64_t connected = 0;
    std::uint64_t false_offline = 0;   ///< shown offline or unknown while alive and connected
    std::uint64_t missed_offline = 0;  ///< dead for longer than the bound and still shown online
    std::uint64_t missed_online = 0;   ///< connected for longer than the bound and not shown online
    Timestamp since{};
    std::vector<ByCause> causes;
};

}  // namespace muster
