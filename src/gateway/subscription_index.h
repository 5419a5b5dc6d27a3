#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "contract/gateway_routes.h"
#include "gateway/shared_groups.h"
#include "mqtt/subscription_tree.h"

namespace muster {

/// A session that gets a message, because of one of its subscriptions.
struct Recipient {
    mqtt::Subscriber subscriber;
    std::uint32_t share = 0;  ///< the shared subscription for which it was chosen; 0 = its own subscription
};

/// Every subscription of every session of the gateway, and the shared ones of the fleet; shared by the gateway's
/// threads. A publish that nobody can have subscribed to costs two relaxed loads: filters are counted by the kind of
/// their first level. Bounded by subscriptions_max and by what the fleet's routes take in.
class SubscriptionIndex final {
 public:
    SubscriptionIndex(std::uint64_t seed, std::size_t subscriptions_max);

    /// As SubscriptionTree. `filter` may be a (well-formed) shared one; then a client that is away gets a message only
    /// if nobody of its group is there.
    mqtt::SubscriptionTree::Outcome subscribe(std::string_view filter, const mqtt::Subscriber& subscriber,
                                              bool is_connected = true);
    bool unsubscribe(std::string_view filter, std::uint64_t handle);
    /// The client with this shared subscription has come or gone.
    void note_connected(std::string_view shared_filter, std::uint64_t handle, bool is_connected);
    /// Settles whether a message for a shared subscription goes to a member here (there is one). Under the lock.
    using IsHere = FunctionRef<bool(const SharedGroup&)>;
    /// Appends every subscription of this gateway that a message of this topic matches to `out`, one member of each
    /// shared one that `is_here`; those of one session stand together.
    void match(std::string_view topic, std::vector<Recipient>& out, IsHere is_here) const;
    /// The same, for the shared ones that have members here.
    void match(std::string_view topic, std::vector<Recipient>& out) const {
        match(topic, out, [](const SharedGroup& group) { return group.is_here(); });
    }
    /// Another member of the shared subscription, whose turn it is.
    [[nodiscard]] std::optional<Recipient> other_member(std::uint32_t share, std::uint64_t than,
                                                        bool must_be_connected) const;
    [[nodiscard]] std::size_t subscriptions() const;

    /// Another gateway's members of the shared subscription "group/filter"; 0: none any more. False: there are too many
    /// filters.
    bool set_elsewhere(std::string_view name, const SharedGroup::Elsewhere& elsewhere);
    /// What this gateway has to announce; its groups in no order.
    [[nodiscard]] GatewayRoutes routes() const;
    /// Grows when that changes.
    [[nodiscard]] std::uint64_t changes() const { return changes_.load(std::memory_order_relaxed); }

 private:
    /// By first level: telemetry, status, begins with '$', a wildcard, anything else.
    enum class FirstLevel : std::uint8_t { telemetry, status, dollar, wildcard, other };
    [[nodiscard]] static FirstLevel first_level_of(std::string_view filter);
    [[nodiscard]] bool can_match(std::string_view topic) const;
    [[nodiscard]] std::uint64_t count_of(FirstLevel level) const {
        return filters_[static_cast<std::size_t>(level)].load(std::memory_order_relaxed);
    }

    /// Those that are not shared. Under mutex_.
    [[nodiscard]] bool is_wanted(FirstLevel level) const;
    // A filter comes into the tree, or leaves it.
    void count(FirstLevel level, bool is_added);
    void count_plain(std::string_view filter, bool is_added);
    void count_shared(std::string_view filter, bool is_added);
    [[nodiscard]] mqtt::SubscriptionTree::Outcome stand(std::string_view filter, std::uint32_t share);
    void take_away(std::string_view filter, std::uint32_t share);
    void note_change() { changes_.fetch_add(1, std::memory_order_relaxed); }

    mqtt::SubscriptionTree::Outcome join(const mqtt::SharedFilter& shared, std::string_view name,
                                         const mqtt::Subscriber& subscriber, bool is_connected);

    [[nodiscard]] std::size_t count() const { return tree_.subscriptions() + groups_.members() - groups_.groups(); }

    const std::size_t subscriptions_max_;
    mutable std::shared_mutex mutex_;
    mqtt::SubscriptionTree tree_;  ///< under mutex_; a group stands in it as one subscriber
    SharedGroups groups_;          ///< under mutex_
    std::array<std::atomic<std::uint64_t>, 5> filters_{};
    std::array<std::uint64_t, 5> shared_filters_{};  ///< of them; under mutex_
    std::atomic<std::uint64_t> changes_{0};
};

}  // namespace muster
