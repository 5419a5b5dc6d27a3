#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace muster::net {

class TimerWheel;

/// One deadline that lives inside its owner: two links and a time, 32 bytes, no allocation. Removes itself when
/// destroyed.
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
    void unlink();

    Timer** previous_ = nullptr;  ///< what points at this timer in its slot's list
    Timer* next_ = nullptr;
    Millis deadline_{0};
};

/// Hashed hierarchical timing wheel (Varghese and Lauck, 1987), 4 levels of 64 slots, tick 16 ms: arm and disarm are
/// O(1). A timer fires in the first advance() at or after its deadline rounded up to a whole tick: never early, at most
/// one tick late. One whose deadline has passed when it is armed fires in the next tick. Up to 74 hours ahead; later
/// deadlines wait in the last slot and are put back. Not thread-safe, never reads a clock. Bounded by its owners: it
/// allocates nothing.
class TimerWheel {
 public:
    static constexpr Millis tick{16};

    explicit TimerWheel(Millis now);
    /// Disarms what is still armed.
    ~TimerWheel();
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;

    /// Arms (or moves) the timer.
    void arm(Timer& timer, Millis deadline);
    void disarm(Timer& timer);
    /// Fires everything due at `now`. Returns how many fired.
    std::size_t advance(Millis now);
    /// Time of the next possible firing, or Millis::max() when nothing is armed. A lower bound: a far deadline is first
    /// moved to a finer level.
    [[nodiscard]] Millis next_deadline() const;
    /// How many are armed; walks them all.
    [[nodiscard]] std::size_t size() const;

 private:
    static constexpr unsigned levels = 4;
    static constexpr unsigned slot_bits = 6;
    static constexpr std::uint64_t slots = 1U << slot_bits;

    void link(Timer& timer, std::uint64_t due);
    Timer* take_slot(unsigned level, std::uint64_t slot);
    void cascade(unsigned level);
    std::size_t fire_slot();
    [[nodiscard]] std::uint64_t next_tick_of(unsigned level) const;

    std::array<std::array<Timer*, slots>, levels> wheel_{};
    std::array<std::uint64_t, levels> occupied_{};  ///< one bit a slot that may hold timers
    std::uint64_t current_tick_;
};

}  // namespace muster::net
