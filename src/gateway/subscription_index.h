#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <string_view>
#include <vector>

#include "gateway/shared_groups.h"
#include "mqtt/subscription_tree.h"

namespace muster {

/// A session that gets a message, because of one of its subscriptions.
struct Recipient {
    mqtt::Subscriber subscriber;
    std::uint32_t share = 0;  ///< the shared subscription for which it was chosen; 0 = its own subscription
};

/// Every subscription of every session of the gateway, shared by its threads. A publish that nobody can have subscribed
/// to costs two relaxed loads: filters are counted by the kind of their first level. Bounded by subscriptions_max.
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
    /// Appends every subscription that a message of this topic matches to `out`, one member of each shared one; those
    /// of one session stand together.
    void match(std::string_view topic, std::vector<Recipient>& out) const;
    /// Another member of the shared subscription, whose turn it is.
    [[nodiscard]] std::optional<Recipient> other_member(std::uint32_t share, std::uint64_t than,
                                                        bool must_be_connected) const;
    [[nodiscard]] std::size_t subscriptions() const;

 private:
    /// By first level: telemetry, status, begins with '$', a wildcard, anything else.
    enum class FirstLevel : std::uint8_t { telemetry, status, dollar, wildcard, other };
    [[nodiscard]] static FirstLevel first_level_of(std::string_view filter);
    [[nodiscard]] bool can_match(std::string_view topic) const;
    [[nodiscard]] std::atomic<std::uint64_t>& filters(FirstLevel level) {
        return filters_[static_cast<std::size_t>(level)];
    }
    [[nodiscard]] std::uint64_t count_of(FirstLevel level) const {
        return filters_[static_cast<std::size_t>(level)].load(std::memory_order_relaxed);
    }

    mqtt::SubscriptionTree::Outcome join(const mqtt::SharedFilter& shared, std::string_view name,
                                         const mqtt::Subscriber& subscriber, bool is_connected);

    [[nodiscard]] std::size_t count() const { return tree_.subscriptions() + groups_.members() - groups_.groups(); }

    const std::size_t subscriptions_max_;
    mutable std::shared_mutex mutex_;
    mqtt::SubscriptionTree tree_;  ///< under mutex_; a group stands in it as one subscriber
    SharedGroups groups_;          ///< under mutex_
    std::array<std::atomic<std::uint64_t>, 5> filters_{};
};

}  // namespace muster
