#include "gateway/mailbox.h"

#include <utility>

namespace muster {

Mailbox::PutResult Mailbox::put(std::vector<Routed>& batch) {
    const std::lock_guard lock(mutex_);
    PutResult result{.wake = content_.is_empty(), .is_full = false, .dropped = 0};
    for (Routed& routed : batch) {
        if (is_full_locked() && routed.options.qos == 0) {
            ++result.dropped;
            continue;
        }
        bytes_ += routed.message->bytes();
        content_.routed.push_back(std::move(routed));
    }
    batch.clear();
    result.is_full = is_full_locked();
    return result;
}

Mailbox::PutResult Mailbox::put(std::vector<Delivery>& settled) {
    const std::lock_guard lock(mutex_);
    PutResult result{.wake = content_.is_empty(), .is_full = is_full_locked(), .dropped = 0};
    content_.settled.insert(content_.settled.end(), settled.begin(), settled.end());
    settled.clear();
    return result;
}

Mailbox::PutResult Mailbox::put(Order order) {
    const std::lock_guard lock(mutex_);
    PutResult result{.wake = content_.is_empty(), .is_full = false, .dropped = 0};
    bytes_ += order.message ? order.message->bytes() : 0;
    content_.orders.push_back(std::move(order));
    result.is_full = is_full_locked();
    return result;
}

void Mailbox::take(Content& empty) {
    const std::lock_guard lock(mutex_);
    std::swap(content_, empty);
    bytes_ = 0;
    room_.notify_all();
}

bool Mailbox::is_full() const {
    const std::lock_guard lock(mutex_);
    return is_full_locked();
}

std::size_t Mailbox::size() const {
    const std::lock_guard lock(mutex_);
    return messages();
}

void Mailbox::wait_for_room() {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return closed_ || !is_full_locked(); });
}

void Mailbox::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
}

}  // namespace muster
