#include "gateway/shared_groups.h"

namespace muster {

SharedGroup* SharedGroups::find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second.get();
}

SharedGroup& SharedGroups::make(std::string_view name) {
    do {
        ++last_share_;
    } while (last_share_ == 0 || by_share_.contains(last_share_));
    const auto place = by_name_.emplace(name, nullptr).first;
    place->second = std::make_unique<SharedGroup>(place->first, last_share_);
    by_share_.emplace(last_share_, place->second.get());
    return *place->second;
}

bool SharedGroups::erase_if_empty(const SharedGroup& group) {
    if (!group.is_empty()) {
        return false;
    }
    by_share_.erase(group.share());
    by_name_.erase(by_name_.find(group.name()));
    return true;
}

SharedGroups::Joined SharedGroups::join(std::string_view name, const mqtt::Subscriber& subscriber, bool is_connected) {
    SharedGroup* group = find(name);
    const bool is_new_group = group == nullptr;
    if (is_new_group) {
        group = &make(name);
    }
    const bool is_new_member = group->join(subscriber, is_connected);
    members_ += static_cast<std::size_t>(is_new_member);
    return {.share = group->share(), .is_new_group = is_new_group, .is_replaced = !is_new_member};
}

SharedGroups::Left SharedGroups::leave(std::string_view name, std::uint64_t handle) {
    SharedGroup* group = find(name);
    if (group == nullptr || !group->leave(handle)) {
        return {};
    }
    --members_;
    const std::uint32_t share = group->share();
    return {.was_member = true, .share = share, .was_last = erase_if_empty(*group)};
}

bool SharedGroups::note_connected(std::string_view name, std::uint64_t handle, bool is_connected) {
    SharedGroup* group = find(name);
    return group != nullptr && group->note_connected(handle, is_connected);
}

bool SharedGroups::has_member(std::string_view name, std::uint64_t handle) const {
    const SharedGroup* group = find(name);
    return group != nullptr && group->has_member(handle);
}

SharedGroups::Announced SharedGroups::set_elsewhere(std::string_view name, const SharedGroup::Elsewhere& elsewhere) {
    SharedGroup* group = find(name);
    if (group == nullptr && elsewhere.members == 0) {
        return {};
    }
    const bool is_new_group = group == nullptr;
    if (is_new_group) {
        group = &make(name);
    }
    group->set_elsewhere(elsewhere);
    const std::uint32_t share = group->share();
    return {.share = share, .is_new_group = is_new_group, .was_last = erase_if_empty(*group)};
}

std::optional<mqtt::Subscriber> SharedGroups::other(std::uint32_t share, std::uint64_t than,
                                                    bool must_be_connected) const {
    const auto found = by_share_.find(share);
    return found == by_share_.end() ? std::nullopt : found->second->other(than, must_be_connected);
}

void SharedGroups::for_each(FunctionRef<void(const SharedGroup&)> visit) const {
    for (const auto& [name, group] : by_name_) {
        visit(*group);
    }
}

}  // namespace muster
