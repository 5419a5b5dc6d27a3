#include "gateway/shared_groups.h"

#include <utility>

namespace muster {

void SharedGroups::Group::swap(std::size_t a, std::size_t b) {
    std::swap(members[a], members[b]);
    places[members[a].handle] = a;
    places[members[b].handle] = b;
}

void SharedGroups::Group::set_connected(std::size_t place, bool is_connected) {
    const bool was_connected = place < connected;
    if (is_connected && !was_connected) {
        swap(place, connected++);
    } else if (!is_connected && was_connected) {
        swap(place, --connected);
    }
}

SharedGroups::Group* SharedGroups::find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second.get();
}

SharedGroups::Joined SharedGroups::join(std::string_view name, const mqtt::Subscriber& subscriber, bool is_connected) {
    Group* group = find(name);
    Joined joined{.share = 0, .is_new_group = group == nullptr, .is_replaced = false};
    if (group == nullptr) {
        group = by_name_.emplace(name, std::make_unique<Group>()).first->second.get();
        do {
            group->share = ++last_share_;
        } while (group->share == 0 || !by_share_.emplace(group->share, group).second);
    }
    joined.share = group->share;
    const auto [place, is_new] = group->places.try_emplace(subscriber.handle, group->members.size());
    joined.is_replaced = !is_new;
    if (is_new) {
        group->members.push_back(subscriber);
        ++members_;
    } else {
        group->members[place->second] = subscriber;
    }
    group->set_connected(place->second, is_connected);
    return joined;
}

SharedGroups::Left SharedGroups::leave(std::string_view name, std::uint64_t handle) {
    Group* group = find(name);
    const auto place = group != nullptr ? group->places.find(handle) : decltype(Group::places)::iterator{};
    if (group == nullptr || place == group->places.end()) {
        return {};
    }
    group->set_connected(place->second, false);
    group->swap(place->second, group->members.size() - 1);
    group->members.pop_back();
    group->places.erase(handle);
    --members_;
    const Left left{.was_member = true, .share = group->share, .was_last = group->members.empty()};
    if (left.was_last) {
        by_share_.erase(left.share);
        by_name_.erase(by_name_.find(name));
    }
    return left;
}

void SharedGroups::note_connected(std::string_view name, std::uint64_t handle, bool is_connected) {
    Group* group = find(name);
    if (group == nullptr) {
        return;
    }
    if (const auto place = group->places.find(handle); place != group->places.end()) {
        group->set_connected(place->second, is_connected);
    }
}

bool SharedGroups::has_member(std::string_view name, std::uint64_t handle) const {
    const Group* group = find(name);
    return group != nullptr && group->places.contains(handle);
}

mqtt::Subscriber SharedGroups::next(std::uint32_t share) const {
    const Group& group = *by_share_.at(share);
    const std::size_t candidates = group.connected > 0 ? group.connected : group.members.size();
    return group.members[group.turn.fetch_add(1, std::memory_order_relaxed) % candidates];
}

std::optional<mqtt::Subscriber> SharedGroups::other(std::uint32_t share, std::uint64_t than,
                                                    bool must_be_connected) const {
    const auto found = by_share_.find(share);
    if (found == by_share_.end()) {
        return std::nullopt;
    }
    const Group& group = *found->second;
    const auto place = group.places.find(than);
    const bool is_connected = place != group.places.end() && place->second < group.connected;
    const std::size_t others_connected = group.connected - (is_connected ? 1 : 0);
    const std::size_t range = others_connected > 0 ? group.connected : must_be_connected ? 0 : group.members.size();
    const std::size_t turn = group.turn.fetch_add(1, std::memory_order_relaxed);
    for (std::size_t i = 0; i < range && i < 2; ++i) {  // the second one is another
        if (const mqtt::Subscriber& member = group.members[(turn + i) % range]; member.handle != than) {
            return member;
        }
    }
    return std::nullopt;
}

}  // namespace muster
