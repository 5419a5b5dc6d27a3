#include "gateway/retained_table.h"

#include <mutex>

namespace muster {

RetainedTable::RetainedTable(std::uint64_t seed, std::size_t topics_max, std::size_t bytes_max)
    : bytes_max_(bytes_max), tree_({.seed = seed, .topics_max = topics_max}) {}

bool RetainedTable::set(mqtt::OutgoingMessage& outgoing) {
    const mqtt::Publish& publish = outgoing.view();
    const mqtt::MessagePtr before = tree_.find(publish.topic);
    const std::size_t bytes_before = before ? before->bytes() : 0;
    if (publish.payload.empty()) {
        tree_.erase(publish.topic);
        bytes_ -= bytes_before;
        return true;
    }
    mqtt::MessagePtr message = outgoing.kept();
    const std::size_t bytes_after = bytes_ - bytes_before + message->bytes();
    if (bytes_after > bytes_max_) {
        return false;
    }
    const auto outcome = tree_.set(publish.topic, std::move(message));
    if (outcome != mqtt::RetainedTree::Outcome::added && outcome != mqtt::RetainedTree::Outcome::replaced) {
        return false;
    }
    bytes_ = bytes_after;
    return true;
}

bool RetainedTable::set_own(mqtt::OutgoingMessage& message, Millis now) {
    const std::unique_lock lock(mutex_);
    OwnRecords& own = own_records_[std::string(message.view().topic)];
    ++own.not_back;
    own.last = now;
    return set(message);
}

void RetainedTable::own_record_returned(std::string_view topic) {
    const std::unique_lock lock(mutex_);
    const auto own = own_records_.find(std::string(topic));
    if (own != own_records_.end() && --own->second.not_back == 0) {
        own_records_.erase(own);
    }
}

bool RetainedTable::set_from_bus(mqtt::OutgoingMessage& message, Millis now) {
    const std::unique_lock lock(mutex_);
    const auto own = own_records_.find(std::string(message.view().topic));
    if (own != own_records_.end()) {
        if (now - own->second.last < own_record_timeout) {
            return true;
        }
        own_records_.erase(own);
    }
    return set(message);
}

void RetainedTable::match(std::string_view filter, std::size_t messages_max, Millis now,
                          std::vector<mqtt::MessagePtr>& out) const {
    const std::shared_lock lock(mutex_);
    tree_.match(filter, [&](const mqtt::MessagePtr& message) {
        if (messages_max == 0) {
            return false;
        }
        if (message->is_expired(now)) {
            return true;
        }
        --messages_max;
        out.push_back(message);
        return true;
    });
}

std::size_t RetainedTable::topics() const {
    const std::shared_lock lock(mutex_);
    return tree_.topics();
}

std::size_t RetainedTable::bytes() const {
    const std::shared_lock lock(mutex_);
    return bytes_;
}

}  // namespace muster
