#include "gateway/subscription_index.h"

#include <algorithm>
#include <mutex>

namespace muster {

using Outcome = mqtt::SubscriptionTree::Outcome;

SubscriptionIndex::SubscriptionIndex(std::uint64_t seed, std::size_t subscriptions_max)
    : tree_({.seed = seed, .subscriptions_max = subscriptions_max}) {}

SubscriptionIndex::FirstLevel SubscriptionIndex::first_level_of(std::string_view filter) {
    if (filter.starts_with('+') || filter.starts_with('#')) {
        return FirstLevel::wildcard;
    }
    if (filter.starts_with('$')) {
        return FirstLevel::dollar;
    }
    const std::string_view level = filter.substr(0, filter.find('/'));
    if (level == "telemetry") {
        return FirstLevel::telemetry;
    }
    return level == "status" ? FirstLevel::status : FirstLevel::other;
}

bool SubscriptionIndex::can_match(std::string_view topic) const {
    const FirstLevel level = first_level_of(topic);
    return count_of(level) > 0 || (level != FirstLevel::dollar && count_of(FirstLevel::wildcard) > 0);
}

Outcome SubscriptionIndex::subscribe(std::string_view filter, const mqtt::Subscriber& subscriber) {
    const std::unique_lock lock(mutex_);
    const Outcome outcome = tree_.subscribe(filter, subscriber);
    if (outcome == Outcome::added) {
        filters(first_level_of(filter)).fetch_add(1, std::memory_order_relaxed);
    }
    return outcome;
}

bool SubscriptionIndex::unsubscribe(std::string_view filter, std::uint64_t handle) {
    const std::unique_lock lock(mutex_);
    const bool was_there = tree_.unsubscribe(filter, handle);
    if (was_there) {
        filters(first_level_of(filter)).fetch_sub(1, std::memory_order_relaxed);
    }
    return was_there;
}

void SubscriptionIndex::match(std::string_view topic, std::vector<mqtt::Subscriber>& out) const {
    if (!can_match(topic)) {
        return;
    }
    const std::size_t before = out.size();
    {
        const std::shared_lock lock(mutex_);
        tree_.match(topic, out);
    }
    if (out.size() - before < 2) {
        return;
    }
    std::sort(out.begin() + static_cast<std::ptrdiff_t>(before), out.end(),
              [](const mqtt::Subscriber& a, const mqtt::Subscriber& b) { return a.handle < b.handle; });
}

std::size_t SubscriptionIndex::subscriptions() const {
    const std::shared_lock lock(mutex_);
    return tree_.subscriptions();
}

}  // namespace muster
