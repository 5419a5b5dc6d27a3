#pragma once

#include <array>
#include <cstdint>

namespace muster {

/// xoshiro256** seeded by splitmix64 (Blackman and Vigna, 2018): the same seed gives the same numbers on every machine.
/// Not for secrets: those come from net::fill_with_entropy. One thread.
class Random {
 public:
    explicit Random(std::uint64_t seed);

    [[nodiscard]] std::uint64_t next();
    /// Uniform in [0, bound); `bound` must not be 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);
    /// Uniform in [0, 1).
    [[nodiscard]] double uniform();
    /// Exponentially distributed with this mean.
    [[nodiscard]] double exponential(double mean);
    /// Normally distributed, mean 0 and deviation 1 (Box-Muller).
    [[nodiscard]] double normal();
    [[nodiscard]] bool chance(double probability) { return uniform() < probability; }

 private:
    std::array<std::uint64_t, 4> state_;
};

}  // namespace muster
