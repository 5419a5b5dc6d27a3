#include "bus/embedded_partition.h"

#include <algorithm>

#include "base/assert.h"

namespace muster {

void EmbeddedPartition::start_at(Offset end) {
    const std::lock_guard lock(mutex_);
    tail_begin_ = end;
    end_.store(end, std::memory_order_release);
}

std::ptrdiff_t EmbeddedPartition::publish(std::shared_ptr<const RecordBatch> batch) {
    const std::lock_guard lock(mutex_);
    MUSTER_ASSERT(batch->base >= end_.load(std::memory_order_relaxed));
    const std::size_t before = bytes_;
    const Offset end = batch->end;
    bytes_ += batch->bytes.size();
    tail_.push_back(std::move(batch));
    while (bytes_ > bytes_max_ && tail_.size() > 1) {
        bytes_ -= tail_.front()->bytes.size();
        tail_begin_ = tail_.front()->end;
        tail_.pop_front();
    }
    end_.store(end, std::memory_order_release);
    return static_cast<std::ptrdiff_t>(bytes_) - static_cast<std::ptrdiff_t>(before);
}

EmbeddedPartition::Place EmbeddedPartition::find(Offset offset) const {
    const std::lock_guard lock(mutex_);
    if (offset < tail_begin_) {
        return {};
    }
    const auto found =
        std::partition_point(tail_.begin(), tail_.end(), [offset](const auto& batch) { return batch->end <= offset; });
    return {true, found == tail_.end() ? nullptr : *found};
}

std::shared_ptr<const RecordBatch> EmbeddedPartition::oldest() const {
    const std::lock_guard lock(mutex_);
    return tail_.empty() ? nullptr : tail_.front();
}

}  // namespace muster
