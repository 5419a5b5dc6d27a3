#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "contract/gateway_routes.h"
#include "contract/mqtt_topics.h"
#include "gateway/gateway_options.h"
#include "gateway/subscription_index.h"

namespace muster {

/// What the other gateways of the cluster have subscribers for, as each has announced it on muster.routes. Its shared
/// subscriptions are in the SubscriptionIndex. A gateway from which nothing came for routes_silent_max has gone; what
/// was announced before this gateway was there is not believed to be alive until it is announced again, so that the
/// leftover of a killed gateway is given no messages. The downlink reader's thread writes; what is const is for any.
/// Bounded by routes_gateways_max and routes_groups_max.
class FleetRoutes final {
 public:
    FleetRoutes(SubscriptionIndex& index, const GatewayOptions& options) : index_(index), options_(options) {}

    /// A record of muster.routes; of this gateway itself: passed over. `is_confirmed`: it was written while this
    /// gateway was there. malformed: passed over, what the gateway announced before stays until it is silent.
    [[nodiscard]] Result<void> read(std::string_view gateway, std::string_view json, bool is_confirmed, Millis now);
    /// The gateway has stopped.
    void forget(std::string_view gateway);
    /// Forgets the gateways that have gone.
    void forget_silent(Millis now);

    /// Whether some other gateway has subscribers for telemetry or status of any device that are not shared, or may
    /// have. One relaxed load.
    [[nodiscard]] bool is_wanted(TopicClass topic_class) const {
        return wanted_[topic_class == TopicClass::status ? 1 : 0].load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::size_t gateways() const { return gateways_shown_.load(std::memory_order_relaxed); }
    /// Of all other gateways: a shared subscription counts once for each.
    [[nodiscard]] std::size_t groups() const { return groups_shown_.load(std::memory_order_relaxed); }
    /// Gateways and groups that were announced and for which there is no room, since the start.
    [[nodiscard]] std::uint64_t overlooked() const { return overlooked_.load(std::memory_order_relaxed); }

 private:
    using Groups = std::map<std::string, SharedGroup::Elsewhere>;
    struct Gateway {
        Millis heard{0};
        bool is_confirmed = false;
        bool wants_telemetry = false;
        bool wants_status = false;
        Groups groups;
    };
    using Gateways = std::map<std::string, Gateway, std::less<>>;

    [[nodiscard]] Groups groups_of(std::string_view gateway, const GatewayRoutes& routes, bool is_confirmed) const;
    void replace(Groups& before, Groups now);
    Gateways::iterator erase(Gateways::iterator gateway);
    void show();

    SubscriptionIndex& index_;
    const GatewayOptions& options_;
    Gateways gateways_;
    std::size_t groups_ = 0;
    std::array<std::atomic<bool>, 2> wanted_{};  ///< telemetry, status
    std::atomic<std::size_t> gateways_shown_{0};
    std::atomic<std::size_t> groups_shown_{0};
    std::atomic<std::uint64_t> overlooked_{0};
};

}  // namespace muster
