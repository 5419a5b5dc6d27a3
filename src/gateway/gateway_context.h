#pragma once

#include <atomic>
#include <cstddef>
#include <string_view>
#include <vector>

#include "base/murmur2.h"
#include "contract/identity.h"
#include "gateway/address_gate.h"
#include "gateway/fleet_routes.h"
#include "gateway/gateway_options.h"
#include "gateway/mailbox.h"
#include "gateway/retained_table.h"
#include "gateway/session_store.h"
#include "gateway/subscription_index.h"
#include "gateway/uplink.h"

namespace muster {

class Listener;
class Worker;

/// What the threads of one gateway share; outlives them. Each member is safe from any thread, or fixed before they
/// start.
struct GatewayContext {
    const GatewayOptions& options;
    SessionStore& sessions;
    SubscriptionIndex& subscriptions;
    RetainedTable& retained;
    FleetRoutes& routes;
    AddressGate& addresses;
    UplinkTopics topics{};
    Incarnation incarnation = 0;
    std::vector<Listener*> listeners{};
    std::vector<Worker*> workers{};
    std::vector<Mailbox*> mailboxes{};  ///< of the workers, by number
    std::atomic<std::size_t> connections{0};
    std::atomic<std::size_t> sessions_kept{0};
    std::atomic<bool> draining{false};

    /// All connections and the session of one client live on one worker: a take-over needs no lock and no message, and
    /// everything about a device passes through one producer, in order (G1).
    [[nodiscard]] std::size_t worker_for(std::string_view session_key) const {
        return murmur2(session_key) % mailboxes.size();  // as many as workers, and there before them
    }
};

}  // namespace muster
