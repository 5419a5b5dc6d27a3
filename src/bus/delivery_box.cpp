#include "bus/delivery_box.h"

#include <string>
#include <utility>

namespace muster {
namespace {

constexpr std::size_t spare_buffers_max = 64;
constexpr std::size_t spare_buffer_bytes_max = 64U << 10U;

}  // namespace

void DeliveryBox::complete(std::size_t bytes, const std::vector<std::uint64_t>& tokens, const Result<void>& written,
                           std::string buffer) {
    keep_spare(std::move(buffer));
    const std::lock_guard lock(mutex_);
    const bool was_empty = ready_.empty();
    for (const std::uint64_t token : tokens) {
        ready_.push_back({token, written.has_value(), written ? ErrorCode::unavailable : written.error().code});
    }
    if (queued_bytes_.fetch_sub(bytes, std::memory_order_relaxed) == bytes) {
        emptied_.notify_all();
    }
    // Under the lock, so that close() waits for a call under way.
    if (was_empty && !tokens.empty() && on_ready_) {
        on_ready_();
    }
}

void DeliveryBox::keep_spare(std::string buffer) {
    if (buffer.capacity() > spare_buffer_bytes_max) {
        return;
    }
    const std::lock_guard lock(mutex_);
    if (spare_.size() < spare_buffers_max) {
        spare_.push_back(std::move(buffer));
    }
}

std::string DeliveryBox::spare_buffer() {
    const std::lock_guard lock(mutex_);
    if (spare_.empty()) {
        return {};
    }
    std::string buffer = std::move(spare_.back());
    spare_.pop_back();
    buffer.clear();
    return buffer;
}

std::size_t DeliveryBox::take(FunctionRef<void(const Delivery&)> on_delivery) {
    {
        const std::lock_guard lock(mutex_);
        if (ready_.empty()) {
            return 0;
        }
        handing_out_.swap(ready_);
    }
    for (const Delivery& delivery : handing_out_) {
        on_delivery(delivery);
    }
    const std::size_t count = handing_out_.size();
    handing_out_.clear();
    return count;
}

bool DeliveryBox::wait_until_empty(Millis timeout) {
    std::unique_lock lock(mutex_);
    return emptied_.wait_for(lock, timeout, [this] { return queued_bytes() == 0; });
}

void DeliveryBox::close() {
    const std::lock_guard lock(mutex_);
    on_ready_ = nullptr;
}

}  // namespace muster
