#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mqtt/subscription_tree.h"

namespace muster {

/// One shared subscription ("group/filter"): its members at this gateway, and how many it has at others. Owned by the
/// SharedGroups, under the lock of the SubscriptionIndex: what is const may be called by many threads at once.
class SharedGroup final {
 public:
    /// Its members at another gateway, as that one has announced them.
    struct Elsewhere {
        std::string_view gateway;  ///< whoever announces it keeps the name
        std::uint32_t members = 0;
        std::uint32_t connected = 0;
        bool is_confirmed = false;  ///< the announcement came while this gateway was there: its gateway is alive
        bool operator==(const Elsewhere&) const = default;
    };

    SharedGroup(std::string_view name, std::uint32_t share) : name_(name), share_(share) {}

    [[nodiscard]] std::string_view name() const { return name_; }
    [[nodiscard]] std::uint32_t share() const { return share_; }
    [[nodiscard]] std::size_t members() const { return members_.size(); }
    [[nodiscard]] std::size_t connected() const { return connected_; }
    [[nodiscard]] bool is_here() const { return !members_.empty(); }
    [[nodiscard]] bool is_empty() const { return members_.empty() && elsewhere_.empty(); }

    // Members at this gateway.
    /// False: it was one already; its options are now the new ones.
    bool join(const mqtt::Subscriber& subscriber, bool is_connected);
    bool leave(std::uint64_t handle);
    /// Whether that is news.
    bool note_connected(std::uint64_t handle, bool is_connected);
    [[nodiscard]] bool has_member(std::uint64_t handle) const { return places_.contains(handle); }
    /// Whose turn it is here. It has a member.
    [[nodiscard]] mqtt::Subscriber next() const;
    /// Whose turn it is among the others here. Nothing when there is none, or none that is connected and must be.
    [[nodiscard]] std::optional<mqtt::Subscriber> other(std::uint64_t than, bool must_be_connected) const;

    // The fleet's gateways.
    /// No members: none there any more.
    void set_elsewhere(const Elsewhere& elsewhere);
    struct Turn {
        bool is_here = false;
        std::string_view gateway;  ///< the other one
    };
    /// Whose turn it is: every gateway's as often as it has connected members; if none has, as it has any. Nothing when
    /// it has members only at gateways that may be gone.
    [[nodiscard]] std::optional<Turn> choose() const;
    /// Whether this gateway is the one on which all of them agree for this message, without `writer`: it comes first by
    /// a hash of both, among those that have connected members, if any has.
    [[nodiscard]] bool is_agreed_here(std::string_view own_name, std::string_view writer, std::uint64_t message) const;

 private:
    void swap(std::size_t a, std::size_t b);
    bool set_connected(std::size_t place, bool is_connected);

    const std::string_view name_;  ///< its key
    const std::uint32_t share_;
    std::vector<mqtt::Subscriber> members_;                  ///< the connected ones first
    std::size_t connected_ = 0;                              ///< so many
    std::unordered_map<std::uint64_t, std::size_t> places_;  ///< of handles in members_
    std::vector<Elsewhere> elsewhere_;                       ///< by gateway
    mutable std::atomic<std::uint32_t> turn_{0};
    mutable std::atomic<std::uint32_t> fleet_turn_{0};
};

}  // namespace muster
