#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace muster {

using Micros = std::chrono::microseconds;

/// A histogram of durations from 1 µs to hours, 32 steps to each doubling: percentiles are at most 3 % too high. 16 KB,
/// whatever it is fed.
class LatencyHistogram final {
 public:
    void add(Micros latency);
    /// The least latency that this share of all is not above; 0 when empty.
    [[nodiscard]] Micros percentile(double share) const;
    [[nodiscard]] Micros max() const { return Micros(max_); }
    [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
    static constexpr unsigned step_bits = 5;
    static constexpr std::size_t buckets = (64 - step_bits + 1) << step_bits;

    [[nodiscard]] static std::size_t bucket_of(std::uint64_t micros);
    [[nodiscard]] static std::uint64_t top_of(std::size_t bucket);

    std::array<std::uint64_t, buckets> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace muster
