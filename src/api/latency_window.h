#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace muster {

/// Quantiles of durations over the last minute: one histogram a slot of 5 s, 12 slots. A bucket is at most 1/16 of its
/// value wide, exact below 16 ms; at or above 2^22 ms (70 minutes) everything is one bucket. 10 KiB, no allocation. Not
/// thread-safe.
class LatencyWindow final {
 public:
    static constexpr Millis slot_length{5000};
    static constexpr std::size_t slot_count = 12;

    void add(Millis monotonic_now, std::int64_t ms);
    /// nullopt: nothing was added in the last minute. `share`: 0.5 is the median.
    [[nodiscard]] std::optional<double> quantile(Millis monotonic_now, double share);

 private:
    static constexpr std::size_t sub_buckets = 16;
    static constexpr std::size_t octaves = 18;
    static constexpr std::size_t buckets = sub_buckets * (octaves + 1);
    using Slot = std::array<std::uint32_t, buckets>;

    static std::size_t bucket_of(std::int64_t ms);
    static double middle_of(std::size_t bucket);
    void turn(Millis monotonic_now);

    std::array<Slot, slot_count> slots_{};
    std::int64_t current_ = 0;  ///< number of the newest slot since the clock's start
};

}  // namespace muster
