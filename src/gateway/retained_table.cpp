#include "gateway/retained_table.h"

#include <mutex>

namespace muster {

RetainedTable::RetainedTable(std::uint64_t seed, std::size_t topics_max, std::size_t bytes_max)
    : bytes_max_(bytes_max), tree_({.seed = seed, .topics_max = topics_max}) {}

namespace {

constexpr std::size_t expired_per_change = 16;  // an expired message costs whoever comes next, but not everything

std::pair<Millis, std::string> expiry_of(std::string_view topic, const mqtt::Message& message) {
    return {message.published + Seconds(*message.expiry_s), std::string(topic)};
}

}  // namespace

void RetainedTable::forget(std::string_view topic, const mqtt::Message& message) {
    bytes_ -= message.bytes();
    if (message.expiry_s) {
        expiring_.erase(expiry_of(topic, message));
    }
}

void RetainedTable::forget_expired(Millis now) {
    for (std::size_t i = 0; i < expired_per_change && !expiring_.empty() && expiring_.begin()->first <= now; ++i) {
        const std::string topic = expiring_.begin()->second;
        forget(topic, *tree_.find(topic));
        tree_.erase(topic);
    }
}

bool RetainedTable::set(mqtt::OutgoingMessage& outgoing, Millis now) {
    forget_expired(now);
    const std::string_view topic = outgoing.view().topic;
    const mqtt::MessagePtr before = tree_.find(topic);
    const bool clears = outgoing.view().payload.empty() || outgoing.kept()->is_expired(now);
    if (clears) {
        if (before) {
            forget(topic, *before);
            tree_.erase(topic);
        }
        return true;
    }
    const mqtt::MessagePtr message = outgoing.kept();
    if (bytes_ - (before ? before->bytes() : 0) + message->bytes() > bytes_max_) {
        return false;
    }
    const auto outcome = tree_.set(topic, message);
    if (outcome != mqtt::RetainedTree::Outcome::added && outcome != mqtt::RetainedTree::Outcome::replaced) {
        return false;
    }
    if (before) {
        forget(topic, *before);
    }
    bytes_ += message->bytes();
    if (message->expiry_s) {
        expiring_.insert(expiry_of(topic, *message));
    }
    return true;
}

bool RetainedTable::set_own(mqtt::OutgoingMessage& message, Millis now) {
    const std::unique_lock lock(mutex_);
    OwnRecords& own = own_records_[std::string(message.view().topic)];
    ++own.not_back;
    own.last = now;
    return set(message, now);
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
    return set(message, now);
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
