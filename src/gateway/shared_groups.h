#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mqtt/subscription_tree.h"

namespace muster {

/// The shared subscriptions of one gateway: groups of sessions of which every message goes to one, in turn, to those
/// that are connected before those that are not. A group is named by its share name and filter ("group/filter") and
/// numbered for as long as it has members. Owned by the SubscriptionIndex, under its lock: next() and other() may be
/// called by many threads at once, the rest by one. Bounded by the index.
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

    Joined join(std::string_view name, const mqtt::Subscriber& subscriber, bool is_connected);
    Left leave(std::string_view name, std::uint64_t handle);
    void note_connected(std::string_view name, std::uint64_t handle, bool is_connected);
    [[nodiscard]] bool has_member(std::string_view name, std::uint64_t handle) const;

    /// Whose turn it is. The group exists.
    [[nodiscard]] mqtt::Subscriber next(std::uint32_t share) const;
    /// Whose turn it is among the others. Nothing when there is none, or none that is connected and must be.
    [[nodiscard]] std::optional<mqtt::Subscriber> other(std::uint32_t share, std::uint64_t than,
                                                        bool must_be_connected) const;
    [[nodiscard]] std::size_t members() const { return members_; }
    [[nodiscard]] std::size_t groups() const { return by_name_.size(); }

 private:
    struct Group {
        std::uint32_t share = 0;
        std::vector<mqtt::Subscriber> members;                  ///< the connected ones first
        std::size_t connected = 0;                              ///< so many
        std::unordered_map<std::uint64_t, std::size_t> places;  ///< of handles in `members`
        mutable std::atomic<std::uint32_t> turn{0};

        void swap(std::size_t a, std::size_t b);
        void set_connected(std::size_t place, bool is_connected);
    };
    struct NameHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
    };
    [[nodiscard]] Group* find(std::string_view name) const;

    std::unordered_map<std::string, std::unique_ptr<Group>, NameHash, std::equal_to<>> by_name_;
    std::unordered_map<std::uint32_t, Group*> by_share_;
    std::uint32_t last_share_ = 0;
    std::size_t members_ = 0;
};

}  // namespace muster
