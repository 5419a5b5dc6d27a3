#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace muster {

/// A lazy timing wheel of device numbers on a clock of the fold: 256 buckets of 256 ms. Nothing is ever taken out
/// before its bucket is due: who is taken out early, late-renewed or twice is told by what the caller keeps beside the
/// device. A deadline beyond the ring (65 s) is put in the last bucket and looked at again then. One thread.
class DeadlineWheel final {
 public:
    using Bucket = std::uint32_t;

    /// The first bucket whose end is not before the deadline: what is due is a function of the clock alone, whatever
    /// the wheel's history (G9).
    [[nodiscard]] static Bucket bucket_of(std::int64_t deadline_ms) {
        return static_cast<Bucket>((deadline_ms + resolution_ms - 1) / resolution_ms);
    }
    explicit DeadlineWheel(std::int64_t now_ms) : current_(static_cast<Bucket>(now_ms / resolution_ms)) {}

    /// True when a deadline of this bucket has come at the wheel's present time.
    [[nodiscard]] bool is_due(Bucket bucket) const { return bucket <= current_; }
    /// Puts the device in; returns the bucket it will be taken out of, at most `bucket` unless that has passed.
    Bucket schedule(std::uint32_t device, Bucket bucket);
    /// Moves the wheel to `now_ms` and appends what was in the buckets passed, with the bucket.
    void advance(std::int64_t now_ms, std::vector<std::pair<std::uint32_t, Bucket>>& taken);

 private:
    static constexpr std::int64_t resolution_ms = 256;
    static constexpr Bucket buckets = 256;

    std::array<std::vector<std::uint32_t>, buckets> ring_;
    Bucket current_;
};

}  // namespace muster
