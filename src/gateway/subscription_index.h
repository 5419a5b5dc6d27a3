#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <shared_mutex>
#include <string_view>
#include <vector>

#include "mqtt/subscription_tree.h"

namespace muster {

/// Every subscription of every session of the gateway, shared by its threads. A publish that nobody can have subscribed
/// to costs two relaxed loads: filters are counted by the kind of their first level. Bounded by subscriptions_max.
class SubscriptionIndex final {
 public:
    SubscriptionIndex(std::uint64_t seed, std::size_t subscriptions_max);

    /// As SubscriptionTree.
    mqtt::SubscriptionTree::Outcome subscribe(std::string_view filter, const mqtt::Subscriber& subscriber);
    bool unsubscribe(std::string_view filter, std::uint64_t handle);
    /// Appends every subscription that a message of this topic matches to `out`; those of one session stand together.
    void match(std::string_view topic, std::vector<mqtt::Subscriber>& out) const;
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

    mutable std::shared_mutex mutex_;
    mqtt::SubscriptionTree tree_;  ///< under mutex_
    std::array<std::atomic<std::uint64_t>, 5> filters_{};
};

}  // namespace muster
