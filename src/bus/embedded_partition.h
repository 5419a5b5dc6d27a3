#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>

#include "bus/record_batch.h"

namespace muster {

/// The newest durable batches of one partition, in memory, for readers that keep up with the writers. Owned by its
/// topic. Filled by the commit thread, read by any. Bounded by bytes_max plus one batch.
class EmbeddedPartition final {
 public:
    void set_bytes_max(std::size_t bytes_max) { bytes_max_ = bytes_max; }
    /// Before the first publish: what is in the store ends here, and the tail begins here.
    void start_at(Offset end);

    /// Commit thread. Batches come in offset order; a gap between two is allowed. Returns the change of bytes held.
    std::ptrdiff_t publish(std::shared_ptr<const RecordBatch> batch);

    /// After the last durable record.
    [[nodiscard]] Offset end() const { return end_.load(std::memory_order_acquire); }

    /// Where to find `offset`: below tail_begin in the store only; else `batch` is the first one in memory that ends
    /// after it, null when nothing is there yet.
    struct Place {
        bool in_tail = false;
        std::shared_ptr<const RecordBatch> batch;
    };
    [[nodiscard]] Place find(Offset offset) const;
    /// The oldest batch in memory, null when there is none.
    [[nodiscard]] std::shared_ptr<const RecordBatch> oldest() const;

 private:
    std::size_t bytes_max_ = 0;
    std::atomic<Offset> end_{0};
    mutable std::mutex mutex_;  ///< guards what follows
    std::deque<std::shared_ptr<const RecordBatch>> tail_;
    std::size_t bytes_ = 0;
    Offset tail_begin_ = 0;
};

}  // namespace muster
