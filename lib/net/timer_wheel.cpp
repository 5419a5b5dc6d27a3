#include "net/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "base/assert.h"

namespace muster::net {
namespace {

constexpr std::uint64_t no_tick = std::numeric_limits<std::uint64_t>::max();

std::uint64_t tick_at_or_before(Millis time) {
    MUSTER_ASSERT(time.count() >= 0);
    return static_cast<std::uint64_t>(time / TimerWheel::tick);
}

std::uint64_t tick_at_or_after(Millis time) {
    // Written without adding first: a deadline may be Millis::max().
    const auto whole = static_cast<std::uint64_t>(std::max<std::int64_t>(time / TimerWheel::tick, 0));
    return time.count() > 0 && time % TimerWheel::tick != Millis(0) ? whole + 1 : whole;
}

}  // namespace

Timer::~Timer() {
    unlink();
}

void Timer::unlink() {
    if (previous_ == nullptr) {
        return;
    }
    *previous_ = next_;
    if (next_ != nullptr) {
        next_->previous_ = previous_;
    }
    previous_ = nullptr;
    next_ = nullptr;
}

TimerWheel::TimerWheel(Millis now) : current_tick_(tick_at_or_before(now)) {}

TimerWheel::~TimerWheel() {
    for (auto& level : wheel_) {
        for (Timer*& head : level) {
            while (head != nullptr) {
                head->unlink();
            }
        }
    }
}

void TimerWheel::arm(Timer& timer, Millis deadline) {
    timer.unlink();
    timer.deadline_ = deadline;
    link(timer, std::max(tick_at_or_after(deadline), current_tick_ + 1));
}

void TimerWheel::disarm(Timer& timer) {
    timer.unlink();
}

// A timer that is `distance` ticks ahead lies in the finest level whose 64 slots reach that far.
void TimerWheel::link(Timer& timer, std::uint64_t due) {
    constexpr std::uint64_t reach = (std::uint64_t{1} << (slot_bits * levels)) - 1;
    const std::uint64_t distance = std::min(due - current_tick_, reach);
    const auto level = static_cast<unsigned>(std::bit_width(distance | 1) - 1) / slot_bits;
    const std::uint64_t slot = ((current_tick_ + distance) >> (slot_bits * level)) % slots;
    Timer*& head = wheel_[level][slot];
    timer.next_ = head;
    if (head != nullptr) {
        head->previous_ = &timer.next_;
    }
    timer.previous_ = &head;
    head = &timer;
    occupied_[level] |= std::uint64_t{1} << slot;
}

Timer* TimerWheel::take_slot(unsigned level, std::uint64_t slot) {
    occupied_[level] &= ~(std::uint64_t{1} << slot);
    return std::exchange(wheel_[level][slot], nullptr);
}

// The present tick is the first of a slot of `level`: the slot's timers move to finer levels.
void TimerWheel::cascade(unsigned level) {
    const std::uint64_t slot = (current_tick_ >> (slot_bits * level)) % slots;
    if (slot == 0 && level + 1 < levels) {
        cascade(level + 1);
    }
    Timer* moving = take_slot(level, slot);
    if (moving != nullptr) {
        moving->previous_ = &moving;
    }
    while (moving != nullptr) {
        Timer& timer = *moving;
        timer.unlink();
        link(timer, std::max(tick_at_or_after(timer.deadline_), current_tick_));
    }
}

std::size_t TimerWheel::fire_slot() {
    Timer* due = take_slot(0, current_tick_ % slots);
    if (due != nullptr) {
        due->previous_ = &due;  // so that a callback may disarm or destroy any other timer of the list
    }
    std::size_t fired = 0;
    while (due != nullptr) {
        Timer& timer = *due;
        timer.unlink();
        timer.on_timer();
        ++fired;
    }
    return fired;
}

std::size_t TimerWheel::advance(Millis now) {
    const std::uint64_t target = tick_at_or_before(now);
    std::size_t fired = 0;
    while (current_tick_ < target) {
        if (occupied_[0] == 0) {  // nothing fires before the next cascade
            current_tick_ = std::min(target, current_tick_ | (slots - 1));
            if (current_tick_ == target) {
                break;
            }
        }
        ++current_tick_;
        if (current_tick_ % slots == 0) {
            cascade(1);
        }
        fired += fire_slot();
    }
    return fired;
}

std::uint64_t TimerWheel::next_tick_of(unsigned level) const {
    const std::uint64_t here = current_tick_ >> (slot_bits * level);
    // Bit 0 is the slot after the present one, bit 63 the present one, which is a whole turn ahead.
    std::uint64_t ahead = std::rotr(occupied_[level], static_cast<int>((here + 1) % slots));
    while (ahead != 0) {
        const auto distance = static_cast<std::uint64_t>(std::countr_zero(ahead)) + 1;
        if (wheel_[level][(here + distance) % slots] != nullptr) {
            return (here + distance) << (slot_bits * level);
        }
        ahead &= ahead - 1;
    }
    return no_tick;
}

Millis TimerWheel::next_deadline() const {
    std::uint64_t earliest = no_tick;
    for (unsigned level = 0; level < levels; ++level) {
        earliest = std::min(earliest, next_tick_of(level));
    }
    return earliest == no_tick ? Millis::max() : tick * static_cast<std::int64_t>(earliest);
}

std::size_t TimerWheel::size() const {
    std::size_t armed = 0;
    for (const auto& level : wheel_) {
        for (const Timer* timer : level) {
            for (; timer != nullptr; timer = timer->next_) {
                ++armed;
            }
        }
    }
    return armed;
}

}  // namespace muster::net
