#include "gateway/subscription_index.h"

#include <algorithm>
#include <mutex>

namespace muster {

using Outcome = mqtt::SubscriptionTree::Outcome;

namespace {

/// The handle of a group in the tree: no worker has this number.
constexpr std::uint64_t group_mark = std::uint64_t{0xFF} << 56U;

/// "group/filter" of "$share/group/filter".
std::string_view group_name(std::string_view shared_filter) {
    return shared_filter.substr(std::string_view("$share/").size());
}

}  // namespace

SubscriptionIndex::SubscriptionIndex(std::uint64_t seed, std::size_t subscriptions_max)
    : subscriptions_max_(subscriptions_max), tree_({.seed = seed, .subscriptions_max = subscriptions_max}) {}

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

Outcome SubscriptionIndex::subscribe(std::string_view filter, const mqtt::Subscriber& subscriber, bool is_connected) {
    const std::unique_lock lock(mutex_);
    if (const auto shared = mqtt::parse_shared_filter(filter)) {
        return join(*shared, group_name(filter), subscriber, is_connected);
    }
    const Outcome outcome = tree_.subscribe(filter, subscriber);
    if (outcome == Outcome::added && count() > subscriptions_max_) {
        tree_.unsubscribe(filter, subscriber.handle);
        return Outcome::full;
    }
    if (outcome == Outcome::added) {
        filters(first_level_of(filter)).fetch_add(1, std::memory_order_relaxed);
    }
    return outcome;
}

Outcome SubscriptionIndex::join(const mqtt::SharedFilter& shared, std::string_view name,
                                const mqtt::Subscriber& subscriber, bool is_connected) {
    if (count() >= subscriptions_max_ && !groups_.has_member(name, subscriber.handle)) {
        return Outcome::full;
    }
    const SharedGroups::Joined joined = groups_.join(name, subscriber, is_connected);
    if (!joined.is_new_group) {
        return joined.is_replaced ? Outcome::replaced : Outcome::added;
    }
    const Outcome outcome = tree_.subscribe(shared.filter, {.handle = group_mark | joined.share,
                                                            .subscription_identifier = 0,
                                                            .options = mqtt::SubscriptionOptions::of_qos(2)});
    if (outcome == Outcome::added) {
        filters(first_level_of(shared.filter)).fetch_add(1, std::memory_order_relaxed);
    } else {
        groups_.leave(name, subscriber.handle);
    }
    return outcome;
}

bool SubscriptionIndex::unsubscribe(std::string_view filter, std::uint64_t handle) {
    const std::unique_lock lock(mutex_);
    if (const auto shared = mqtt::parse_shared_filter(filter)) {
        const SharedGroups::Left left = groups_.leave(group_name(filter), handle);
        if (left.was_last) {
            tree_.unsubscribe(shared->filter, group_mark | left.share);
            filters(first_level_of(shared->filter)).fetch_sub(1, std::memory_order_relaxed);
        }
        return left.was_member;
    }
    const bool was_there = tree_.unsubscribe(filter, handle);
    if (was_there) {
        filters(first_level_of(filter)).fetch_sub(1, std::memory_order_relaxed);
    }
    return was_there;
}

void SubscriptionIndex::note_connected(std::string_view shared_filter, std::uint64_t handle, bool is_connected) {
    const std::unique_lock lock(mutex_);
    groups_.note_connected(group_name(shared_filter), handle, is_connected);
}

void SubscriptionIndex::match(std::string_view topic, std::vector<Recipient>& out) const {
    if (!can_match(topic)) {
        return;
    }
    const std::size_t before = out.size();
    {
        const std::shared_lock lock(mutex_);
        tree_.match(topic, [&](const mqtt::Subscriber& subscriber) {
            const auto share = static_cast<std::uint32_t>(subscriber.handle);
            const bool is_group = (subscriber.handle & group_mark) == group_mark;
            out.push_back(is_group ? Recipient{groups_.next(share), share} : Recipient{subscriber, 0});
        });
    }
    if (out.size() - before < 2) {
        return;
    }
    std::sort(out.begin() + static_cast<std::ptrdiff_t>(before), out.end(),
              [](const Recipient& a, const Recipient& b) { return a.subscriber.handle < b.subscriber.handle; });
}

std::optional<Recipient> SubscriptionIndex::other_member(std::uint32_t share, std::uint64_t than,
                                                         bool must_be_connected) const {
    const std::shared_lock lock(mutex_);
    const auto other = groups_.other(share, than, must_be_connected);
    return other ? std::optional<Recipient>({*other, share}) : std::nullopt;
}

std::size_t SubscriptionIndex::subscriptions() const {
    const std::shared_lock lock(mutex_);
    return count();
}

}  // namespace muster
