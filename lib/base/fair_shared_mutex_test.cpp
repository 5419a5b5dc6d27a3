#include "base/fair_shared_mutex.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace muster {
namespace {

constexpr int turns_max = 10'000'000;

TEST(FairSharedMutex, who_comes_to_share_it_waits_behind_one_who_wants_it_alone) {
    FairSharedMutex mutex;
    mutex.lock_shared();
    std::atomic<bool> had_it{false};
    std::thread alone([&] {
        mutex.lock();
        had_it = true;
        mutex.unlock();
    });
    // Shared all the time, as by queries that overlap; under std::shared_mutex this would go on for ever.
    int turns = 0;
    while (mutex.try_lock_shared() && ++turns < turns_max) {
        mutex.unlock_shared();
        std::this_thread::yield();
    }
    EXPECT_LT(turns, turns_max);
    EXPECT_FALSE(had_it) << "it is shared still";
    mutex.unlock_shared();
    alone.join();
    EXPECT_TRUE(had_it);
    EXPECT_TRUE(mutex.try_lock_shared());
    mutex.unlock_shared();
}

TEST(FairSharedMutex, it_is_shared_by_many_or_held_by_one) {
    FairSharedMutex mutex;
    EXPECT_TRUE(mutex.try_lock_shared());
    EXPECT_TRUE(mutex.try_lock_shared());
    EXPECT_FALSE(mutex.try_lock());
    mutex.unlock_shared();
    mutex.unlock_shared();
    EXPECT_TRUE(mutex.try_lock());
    EXPECT_FALSE(mutex.try_lock());
    EXPECT_FALSE(mutex.try_lock_shared());
    mutex.unlock();
}

TEST(FairSharedMutex, what_one_writes_alone_is_whole_for_those_who_share) {
    FairSharedMutex mutex;
    std::array<int, 2> twins{};
    constexpr int rounds = 2'000;
    std::atomic<int> torn{0};
    const auto write = [&] {
        for (int i = 0; i < rounds; ++i) {
            const std::unique_lock lock(mutex);
            ++twins[0];
            ++twins[1];
        }
    };
    const auto read = [&] {
        for (int i = 0; i < rounds; ++i) {
            const std::shared_lock lock(mutex);
            torn += twins[0] == twins[1] ? 0 : 1;
        }
    };
    std::array<std::thread, 4> threads{std::thread(write), std::thread(read), std::thread(write), std::thread(read)};
    std::ranges::for_each(threads, &std::thread::join);
    EXPECT_EQ(torn, 0);
    EXPECT_EQ(twins[0], 2 * rounds);
}

}  // namespace
}  // namespace muster
