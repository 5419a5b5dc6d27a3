#include "gateway/ack_queue.h"

namespace muster {

void AckQueue::settle(std::uint16_t packet_id, std::uint8_t qos,
                      FunctionRef<void(const mqtt::IncomingTicket&)> answer) {
    for (std::size_t i = first_; i < entries_.size(); ++i) {
        Entry& entry = entries_[i];
        if (entry.ticket.packet_id == packet_id && entry.ticket.qos == qos && entry.records > 0) {
            --entry.records;
            break;
        }
    }
    while (first_ < entries_.size() && entries_[first_].records == 0) {
        answer(entries_[first_++].ticket);
    }
    if (first_ == entries_.size()) {
        entries_.clear();
        first_ = 0;
    } else if (first_ >= 64 && first_ * 2 >= entries_.size()) {
        entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
}

void AckQueue::forget_qos1() {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
    std::erase_if(entries_, [](const Entry& entry) { return entry.ticket.qos == 1; });
}

}  // namespace muster
