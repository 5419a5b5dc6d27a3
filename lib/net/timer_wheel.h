#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace muster::net {

class TimerWheel;

/// One deadline that lives inside its owner: two links and a time, 32 bytes, no allocation. Removes itself when destroyed.
class Timer {
 public:
    virtual ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    [[nodiscard]] bool is_armed() const { return previous_ != nullptr; }
    [[nodiscard]] Millis deadline() const { return deadline_; }

 protected:
    Timer() = default;
    /// The deadline has passed; the timer is no longer armed and may be armed again or destroyed here.
    virtual void on_timer() = 0;

 private:
    friend class TimerWheel;
    Timer** previous_ = nullptr;  ///< what points at this timer in its slot's list
    Timer* next_ = nullptr;
    Millis deadline_{0};
};

/// Hashed hierarchical timing wheel (Varghese and Lauck, 1987), 4 levels of 64 slots, tick 16 ms: arm and disarm are O(1), a
/// deadline fires in the first advance() at or after it, at most one tick late, never early. Up to 74 hours ahead; later
/// deadlines wait in the last slot and are put back. Not thread-safe, never reads a clock.
class TimerWheel {
 public:
    static constexpr Millis tick{16};

    explicit TimerWheel(Millis now);
    ~TimerWheel();
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;

    /// Arms (or moves) the timer.
    void arm(Timer& timer, Millis deadline);
    void disarm(Timer& timer);
    /// Fires everything due at `now`. Returns how many fired.
    std::size_t advance(Millis now);
    /// Time of the next possible firing, or Millis::max() when nothing is armed. A lower bound.
    [[nodiscard]] Millis next_deadline() const;
    [[nodiscard]] std::size_t size() const { return armed_; }

 private:
    static constexpr std::size_t levels = 4;
    static constexpr std::size_t slots = 64;

    void link(Timer& timer);
    void cascade(std::size_t level, std::size_t slot);

    std::array<std::array<Timer*, slots>, levels> wheel_{};
    std::array<std::uint64_t, levels> occupied_{};  ///< one bit a slot that may hold timers
    std::uint64_t current_tick_;
    std::size_t armed_ = 0;
};

}  // namespace muster::net
