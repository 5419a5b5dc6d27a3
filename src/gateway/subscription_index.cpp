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

/// "filter" of it.
std::string_view filter_of(std::string_view group_name) {
    return group_name.substr(group_name.find('/') + 1);
}

}  // namespace

SubscriptionIndex::SubscriptionIndex(std::uint64_t seed, std::size_t subscriptions_max)
    : subscriptions_max_(subscriptions_max), tree_({.seed = seed, .subscriptions_max = SIZE_MAX}) {}

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

bool SubscriptionIndex::is_wanted(FirstLevel level) const {
    return count_of(level) > shared_filters_[static_cast<std::size_t>(level)];
}

void SubscriptionIndex::count(FirstLevel level, bool is_added) {
    std::atomic<std::uint64_t>& filters = filters_[static_cast<std::size_t>(level)];
    is_added ? filters.fetch_add(1, std::memory_order_relaxed) : filters.fetch_sub(1, std::memory_order_relaxed);
}

void SubscriptionIndex::count_plain(std::string_view filter, bool is_added) {
    const FirstLevel level = first_level_of(filter);
    const bool was_wanted = is_wanted(level);
    count(level, is_added);
    if (is_wanted(level) != was_wanted && level != FirstLevel::dollar && level != FirstLevel::other) {
        note_change();
    }
}

void SubscriptionIndex::count_shared(std::string_view filter, bool is_added) {
    const FirstLevel level = first_level_of(filter);
    count(level, is_added);
    std::uint64_t& shared = shared_filters_[static_cast<std::size_t>(level)];
    shared = is_added ? shared + 1 : shared - 1;
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
        count_plain(filter, true);
    }
    return outcome;
}

// A group is in the tree under a number that no session has.
Outcome SubscriptionIndex::stand(std::string_view filter, std::uint32_t share) {
    const Outcome outcome = tree_.subscribe(
        filter,
        {.handle = group_mark | share, .subscription_identifier = 0, .options = mqtt::SubscriptionOptions::of_qos(2)});
    if (outcome == Outcome::added) {
        count_shared(filter, true);
    }
    return outcome;
}

void SubscriptionIndex::take_away(std::string_view filter, std::uint32_t share) {
    tree_.unsubscribe(filter, group_mark | share);
    count_shared(filter, false);
}

Outcome SubscriptionIndex::join(const mqtt::SharedFilter& shared, std::string_view name,
                                const mqtt::Subscriber& subscriber, bool is_connected) {
    if (count() >= subscriptions_max_ && !groups_.has_member(name, subscriber.handle)) {
        return Outcome::full;
    }
    const SharedGroups::Joined joined = groups_.join(name, subscriber, is_connected);
    const Outcome outcome = joined.is_new_group  ? stand(shared.filter, joined.share)
                            : joined.is_replaced ? Outcome::replaced
                                                 : Outcome::added;
    if (outcome == Outcome::added) {
        note_change();
    } else if (joined.is_new_group) {
        groups_.leave(name, subscriber.handle);
    }
    return outcome;
}

bool SubscriptionIndex::unsubscribe(std::string_view filter, std::uint64_t handle) {
    const std::unique_lock lock(mutex_);
    if (const auto shared = mqtt::parse_shared_filter(filter)) {
        const SharedGroups::Left left = groups_.leave(group_name(filter), handle);
        if (left.was_last) {
            take_away(shared->filter, left.share);
        }
        if (left.was_member) {
            note_change();
        }
        return left.was_member;
    }
    const bool was_there = tree_.unsubscribe(filter, handle);
    if (was_there) {
        count_plain(filter, false);
    }
    return was_there;
}

void SubscriptionIndex::note_connected(std::string_view shared_filter, std::uint64_t handle, bool is_connected) {
    const std::unique_lock lock(mutex_);
    if (groups_.note_connected(group_name(shared_filter), handle, is_connected)) {
        note_change();
    }
}

bool SubscriptionIndex::set_elsewhere(std::string_view name, const SharedGroup::Elsewhere& elsewhere) {
    const std::unique_lock lock(mutex_);
    const SharedGroups::Announced announced = groups_.set_elsewhere(name, elsewhere);
    if (announced.was_last) {
        take_away(filter_of(name), announced.share);
    } else if (announced.is_new_group && stand(filter_of(name), announced.share) != Outcome::added) {
        groups_.set_elsewhere(name, {.gateway = elsewhere.gateway});
        return false;
    }
    return true;
}

GatewayRoutes SubscriptionIndex::routes() const {
    const std::shared_lock lock(mutex_);
    GatewayRoutes routes;
    routes.wants_telemetry = is_wanted(FirstLevel::telemetry) || is_wanted(FirstLevel::wildcard);
    routes.wants_status = is_wanted(FirstLevel::status) || is_wanted(FirstLevel::wildcard);
    groups_.for_each([&](const SharedGroup& group) {
        if (group.is_here()) {
            routes.groups.push_back({.name = std::string(group.name()),
                                     .members = static_cast<std::uint32_t>(group.members()),
                                     .connected = static_cast<std::uint32_t>(group.connected())});
        }
    });
    return routes;
}

void SubscriptionIndex::match(std::string_view topic, std::vector<Recipient>& out, IsHere is_here) const {
    if (!can_match(topic)) {
        return;
    }
    const std::size_t before = out.size();
    {
        const std::shared_lock lock(mutex_);
        tree_.match(topic, [&](const mqtt::Subscriber& subscriber) {
            if ((subscriber.handle & group_mark) != group_mark) {
                out.push_back({subscriber, 0});
            } else if (const SharedGroup& group = groups_.at(static_cast<std::uint32_t>(subscriber.handle));
                       is_here(group)) {
                out.push_back({group.next(), group.share()});
            }
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
