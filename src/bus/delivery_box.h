#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "base/function_ref.h"
#include "bus/bus.h"

namespace muster {

/// Where the commit thread leaves a producer's delivery reports. Shared by the producer and its records under way, so
/// that either may be gone first. Bounded by delivery_reports_max, which the producer counts.
class DeliveryBox final {
 public:
    explicit DeliveryBox(std::function<void()> on_ready) : on_ready_(std::move(on_ready)) {}

    /// Producer: bytes that are now on their way.
    void sent(std::size_t bytes) { queued_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
    [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_.load(std::memory_order_relaxed); }

    /// Commit thread: the fate of records, with what they were sent with; 0 is not among `tokens`.
    /// `buffer` is what they were in, for the next ones.
    void complete(std::size_t bytes, const std::vector<std::uint64_t>& tokens, const Result<void>& written,
                  std::string buffer);
    /// Any thread: memory for spare_buffer().
    void keep_spare(std::string buffer);
    /// Producer: an empty buffer, with memory from earlier use if there is one.
    [[nodiscard]] std::string spare_buffer();
    /// Producer: hands out what has come since the last time. Returns how many.
    std::size_t take(FunctionRef<void(const Delivery&)> on_delivery);
    /// Blocks until nothing is on its way any more; false when that takes longer.
    [[nodiscard]] bool wait_until_empty(Millis timeout);
    /// Producer, in its destructor: on_ready is not called again.
    void close();

 private:
    std::atomic<std::size_t> queued_bytes_{0};
    std::mutex mutex_;  ///< guards what follows
    std::condition_variable emptied_;
    std::function<void()> on_ready_;
    std::vector<Delivery> ready_;
    std::vector<std::string> spare_;
    std::vector<Delivery> handing_out_;  ///< producer's thread only; kept for its capacity
};

}  // namespace muster
