#pragma once

#include <chrono>
#include <cstdint>

namespace muster {

using Millis = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

/// A point of wall-clock time, UTC, to the millisecond: the resolution of every record and document.
using Timestamp = std::chrono::sys_time<Millis>;

[[nodiscard]] constexpr std::int64_t to_epoch_ms(Timestamp time) {
    return time.time_since_epoch().count();
}
[[nodiscard]] constexpr Timestamp from_epoch_ms(std::int64_t ms) {
    return Timestamp(Millis(ms));
}

/// The only way to learn the time outside lib/net. The real one is net::SystemClock; a test moves a ManualClock by
/// hand.
class Clock {
 public:
    virtual ~Clock() = default;
    /// Wall-clock time, for what is stored or shown.
    [[nodiscard]] virtual Timestamp now() const = 0;
    /// Time since an arbitrary start that never goes back, for deadlines and durations.
    [[nodiscard]] virtual Millis monotonic() const = 0;
};

/// A clock that stands still until a test moves it. Not thread-safe.
class ManualClock final : public Clock {
 public:
    explicit ManualClock(Timestamp start = from_epoch_ms(1'700'000'000'000)) : start_(start) {}

    [[nodiscard]] Timestamp now() const override { return start_ + elapsed_; }
    [[nodiscard]] Millis monotonic() const override { return elapsed_; }
    void advance(Millis by) { elapsed_ += by; }

 private:
    Timestamp start_;
    Millis elapsed_{0};
};

}  // namespace muster
