#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace muster {

/// What a consumer waits on: new records (or a rebalance), or its owner's wake(). Owned by the consumer; raised by any
/// thread.
class ConsumerSignal final {
 public:
    enum class Reason : std::uint8_t { timeout, raised, woken };

    void raise() { set(raised_); }
    void wake() { set(woken_); }

    /// Waits until there is a reason and takes it.
    Reason wait_until(std::chrono::steady_clock::time_point deadline) {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, deadline, [this] { return raised_ || woken_; });
        if (woken_) {
            woken_ = false;
            return Reason::woken;
        }
        return std::exchange(raised_, false) ? Reason::raised : Reason::timeout;
    }
    /// Takes a wake() that has not been seen yet.
    void take_wake() {
        const std::lock_guard lock(mutex_);
        woken_ = false;
    }

 private:
    void set(bool& flag) {
        {
            const std::lock_guard lock(mutex_);
            if (flag) {
                return;
            }
            flag = true;
        }
        changed_.notify_one();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool raised_ = false;
    bool woken_ = false;
};

}  // namespace muster
