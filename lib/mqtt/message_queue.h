#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mqtt/message.h"

namespace muster::mqtt {

/// One QoS 1 or 2 message between a session and its client.
struct PendingMessage {
    MessagePtr message;            ///< null once `released`
    std::string subscription_ids;  ///< encoded properties
    std::uint64_t number = 0;      ///< names it in the store; ascending in a queue; 0 = it is not stored
    std::uint32_t share = 0;       ///< DeliverOptions::share
    std::uint16_t packet_id = 0;   ///< 0 = it gets one when it is first sent
    std::uint8_t qos = 0;
    bool retain = false;
    bool released = false;  ///< QoS 2: PUBREC has come, PUBCOMP has not
    bool was_sent = false;  ///< or may have been, before a restart: sent again with DUP
    bool waits = false;     ///< its last change is not yet stored: nothing of it is sent
};

/// Messages in the order in which they are sent: a vector whose front is cut off lazily, because most sessions hold
/// none or one, and a deque starts at half a kilobyte. Taking one out near the front is cheap.
class MessageQueue final {
 public:
    [[nodiscard]] std::size_t size() const { return items_.size() - head_; }
    [[nodiscard]] bool empty() const { return size() == 0; }
    PendingMessage& operator[](std::size_t index) { return items_[head_ + index]; }
    const PendingMessage& operator[](std::size_t index) const { return items_[head_ + index]; }

    void push_back(PendingMessage item) { items_.push_back(std::move(item)); }
    /// Costs `index` moves.
    void erase(std::size_t index) {
        for (std::size_t at = head_ + index; at > head_; --at) {
            items_[at] = std::move(items_[at - 1]);
        }
        items_[head_] = {};
        ++head_;
        if (head_ * 2 > items_.size() && head_ >= compact_from) {
            items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
            head_ = 0;
        }
    }

 private:
    static constexpr std::size_t compact_from = 16;

    std::vector<PendingMessage> items_;
    std::size_t head_ = 0;
};

}  // namespace muster::mqtt
