#include "net/timer_wheel.h"

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace muster::net {
namespace {

class CallbackTimer final : public Timer {
 public:
    explicit CallbackTimer(std::function<void()> callback = {}) : callback_(std::move(callback)) {}

 private:
    void on_timer() override {
        if (callback_) {
            callback_();
        }
    }
    std::function<void()> callback_;
};

TEST(TimerWheel, a_timer_is_32_bytes) {
    EXPECT_EQ(sizeof(Timer), 32U);
}

TEST(TimerWheel, nothing_armed_has_no_deadline) {
    TimerWheel wheel(Millis(1000));
    EXPECT_EQ(wheel.next_deadline(), Millis::max());
    EXPECT_EQ(wheel.advance(Millis(5'000'000)), 0U);
}

TEST(TimerWheel, a_deadline_in_the_past_fires_in_the_next_tick) {
    TimerWheel wheel(Millis(1600));
    CallbackTimer timer;
    wheel.arm(timer, Millis(10));
    EXPECT_EQ(wheel.advance(Millis(1615)), 0U);
    EXPECT_EQ(wheel.advance(Millis(1616)), 1U);
}

TEST(TimerWheel, a_disarmed_timer_does_not_fire) {
    TimerWheel wheel(Millis(0));
    CallbackTimer timer;
    wheel.arm(timer, Millis(100));
    wheel.disarm(timer);
    EXPECT_FALSE(timer.is_armed());
    EXPECT_EQ(wheel.advance(Millis(1000)), 0U);
}

TEST(TimerWheel, a_destroyed_timer_leaves_the_wheel) {
    TimerWheel wheel(Millis(0));
    auto timer = std::make_unique<CallbackTimer>();
    CallbackTimer other;
    wheel.arm(*timer, Millis(100));
    wheel.arm(other, Millis(100));
    timer.reset();
    EXPECT_EQ(wheel.size(), 1U);
    EXPECT_EQ(wheel.advance(Millis(1000)), 1U);
}

TEST(TimerWheel, a_callback_may_arm_itself_again_and_disarm_its_neighbour) {
    TimerWheel wheel(Millis(0));
    std::vector<int> fired;
    CallbackTimer neighbour([&] { fired.push_back(2); });
    std::unique_ptr<CallbackTimer> timer;
    timer = std::make_unique<CallbackTimer>([&] {
        fired.push_back(1);
        wheel.disarm(neighbour);
        if (fired.size() < 3) {
            wheel.arm(*timer, Millis(200 * static_cast<int>(fired.size())));
        }
    });
    wheel.arm(neighbour, Millis(100));
    wheel.arm(*timer, Millis(100));  // the last armed of a slot is the first fired
    wheel.advance(Millis(1000));
    EXPECT_EQ(fired, (std::vector<int>{1, 1, 1}));
}

TEST(TimerWheel, a_deadline_beyond_the_reach_waits_and_fires_in_time) {
    TimerWheel wheel(Millis(0));
    CallbackTimer timer;
    const Millis deadline = std::chrono::hours(100);
    wheel.arm(timer, deadline);
    EXPECT_EQ(wheel.advance(deadline - Millis(1)), 0U);
    EXPECT_EQ(wheel.advance(deadline + TimerWheel::tick), 1U);
}

TEST(TimerWheel, the_greatest_deadline_never_fires) {
    TimerWheel wheel(Millis(0));
    CallbackTimer timer;
    wheel.arm(timer, Millis::max());
    EXPECT_EQ(wheel.advance(std::chrono::hours(100)), 0U);
    EXPECT_TRUE(timer.is_armed());
}

/// A wheel beside a std::multimap that is always right.
class WheelModel {
 public:
    explicit WheelModel(std::uint64_t seed) : random_(seed), wheel_(now_) {
        for (std::size_t i = 0; i < 40; ++i) {
            timers_.push_back(std::make_unique<CallbackTimer>([this, i] { on_fired(i); }));
        }
    }

    void step() {
        const std::size_t i = random_.below(timers_.size());
        switch (random_.below(4)) {
            case 0:
            case 1:
                forget(i);
                wheel_.arm(*timers_[i], random_deadline());
                expected_.emplace(std::max(timers_[i]->deadline(), now_), i);
                break;
            case 2:
                forget(i);
                wheel_.disarm(*timers_[i]);
                break;
            default:
                advance();
        }
        ASSERT_EQ(wheel_.size(), expected_.size());
        if (expected_.empty()) {
            ASSERT_EQ(wheel_.next_deadline(), Millis::max());
        } else {
            ASSERT_LE(wheel_.next_deadline(), expected_.begin()->first + TimerWheel::tick);
        }
    }

 private:
    Millis random_deadline() {
        const std::uint64_t reach[] = {20, 1000, 2000, 70'000, 5'000'000, 300'000'000, 600'000'000};
        return now_ + Millis(static_cast<std::int64_t>(random_.below(reach[random_.below(7)]))) - Millis(10);
    }
    void advance() {
        const Millis lower_bound = wheel_.next_deadline();
        const std::uint64_t reach[] = {17, 1000, 70'000, 5'000'000, 100'000'000};
        now_ += Millis(static_cast<std::int64_t>(random_.below(reach[random_.below(5)])));
        const std::size_t fired = wheel_.advance(now_);
        ASSERT_TRUE(fired == 0 || lower_bound <= now_) << "fired before next_deadline()";
        ASSERT_TRUE(expected_.empty() || expected_.begin()->first + TimerWheel::tick > now_) << "a timer is late";
    }
    void on_fired(std::size_t i) {
        ASSERT_LE(timers_[i]->deadline(), now_) << "a timer fired early";
        forget(i);
    }
    void forget(std::size_t i) {
        std::erase_if(expected_, [i](const auto& entry) { return entry.second == i; });
    }

    Random random_;
    Millis now_{123'456};
    TimerWheel wheel_;
    std::vector<std::unique_ptr<CallbackTimer>> timers_;
    std::multimap<Millis, std::size_t> expected_;
};

TEST(TimerWheel, agrees_with_a_sorted_map_over_random_steps) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        WheelModel model(seed);
        for (int i = 0; i < 500; ++i) {
            model.step();
            ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed << ", step " << i;
        }
    }
}

}  // namespace
}  // namespace muster::net
