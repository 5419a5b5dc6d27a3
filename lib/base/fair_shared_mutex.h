#pragma once

#include <mutex>
#include <shared_mutex>

namespace muster {

/// A shared mutex under which nobody starves: who wants it alone waits for those who share it now, not for those who
/// come later. std::shared_mutex is glibc's, which lets sharers in as long as one of them is there: with queries that
/// overlap all the time its other side never gets its turn. Any thread; whoever shares it must not ask for it again
/// meanwhile. For std::shared_lock and std::unique_lock.
class FairSharedMutex final {
 public:
    void lock() {
        const std::lock_guard turn(turnstile_);  // those who come now wait behind
        inner_.lock();
    }
    [[nodiscard]] bool try_lock() {
        const std::unique_lock turn(turnstile_, std::try_to_lock);
        return turn.owns_lock() && inner_.try_lock();
    }
    void unlock() { inner_.unlock(); }

    void lock_shared() {
        const std::lock_guard turn(turnstile_);
        inner_.lock_shared();
    }
    [[nodiscard]] bool try_lock_shared() {
        const std::unique_lock turn(turnstile_, std::try_to_lock);
        return turn.owns_lock() && inner_.try_lock_shared();
    }
    void unlock_shared() { inner_.unlock_shared(); }

 private:
    std::mutex turnstile_;
    std::shared_mutex inner_;
};

}  // namespace muster
