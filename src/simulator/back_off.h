#pragma once

#include <algorithm>
#include <cstdint>

#include "base/random.h"
#include "base/time.h"

namespace muster {

/// The bounds of back-off, shared by all devices.
struct BackOffLimits {
    Millis first{1'000};
    Millis cap{60'000};
};

/// Randomised exponential back-off with full jitter (Brooker, "Exponential Backoff and Jitter", 2015): the n-th delay
/// is uniform in [0, min(cap, first * 2^n)], so that a fleet that lost its broker at one instant does not come back at
/// one.
class BackOff final {
 public:
    [[nodiscard]] Millis next(const BackOffLimits& limits, Random& random) {
        const Millis ceiling = std::min(limits.cap, limits.first * (std::int64_t{1} << attempt_));
        attempt_ = std::min<std::uint8_t>(attempt_ + 1, attempt_max);
        return Millis(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(ceiling.count()) + 1)));
    }
    void reset() { attempt_ = 0; }

 private:
    static constexpr std::uint8_t attempt_max = 20;  ///< doublings, so that the ceiling cannot overflow

    std::uint8_t attempt_ = 0;
};

}  // namespace muster
