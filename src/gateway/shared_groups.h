#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/function_ref.h"
#include "gateway/shared_group.h"

namespace muster {

/// The shared subscriptions of the fleet as one gateway knows them: groups of sessions of which every message goes to
/// one, in turn, to those that are connected before those that are not. A group is named by its share name and filter
/// ("group/filter") and numbered for as long as it has members anywhere. Owned by the SubscriptionIndex, under its
/// lock: what is const may be called by many threads at once, the rest by one. Bounded by the index.
class SharedGroups final {
 public:
    struct Joined {
        std::uint32_t share = 0;
        bool is_new_group = false;
        bool is_replaced = false;  ///< it was a member already; its options are now the new ones
    };
    struct Left {
        bool was_member = false;
        std::uint32_t share = 0;
        bool was_last = false;  ///< the group is no more
    };
    /// What an announcement of another gateway did.
    struct Announced {
        std::uint32_t share = 0;
        bool is_new_group = false;
        bool was_last = false;  ///< the group is no more
    };

    Joined join(std::string_view name, const mqtt::Subscriber& subscriber, bool is_connected);
    Left leave(std::string_view name, std::uint64_t handle);
    /// Whether that is news.
    bool note_connected(std::string_view name, std::uint64_t handle, bool is_connected);
    [[nodiscard]] bool has_member(std::string_view name, std::uint64_t handle) const;
    Announced set_elsewhere(std::string_view name, const SharedGroup::Elsewhere& elsewhere);

    /// The group exists.
    [[nodiscard]] const SharedGroup& at(std::uint32_t share) const { return *by_share_.at(share); }
    /// Whose turn it is among the others. Nothing when there is none, or none that is connected and must be.
    [[nodiscard]] std::optional<mqtt::Subscriber> other(std::uint32_t share, std::uint64_t than,
                                                        bool must_be_connected) const;
    void for_each(FunctionRef<void(const SharedGroup&)> visit) const;
    [[nodiscard]] std::size_t members() const { return members_; }  ///< here
    [[nodiscard]] std::size_t groups() const { return by_name_.size(); }

 private:
    struct NameHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
    };
    [[nodiscard]] SharedGroup* find(std::string_view name) const;
    [[nodiscard]] SharedGroup& make(std::string_view name);
    bool erase_if_empty(const SharedGroup& group);

    std::unordered_map<std::string, std::unique_ptr<SharedGroup>, NameHash, std::equal_to<>> by_name_;
    std::unordered_map<std::uint32_t, SharedGroup*> by_share_;
    std::uint32_t last_share_ = 0;
    std::size_t members_ = 0;
};

}  // namespace muster
