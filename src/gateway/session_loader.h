#pragma once

#include <cstddef>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "gateway/gateway_context.h"
#include "gateway/session_codec.h"

namespace muster {

/// Brings back what the SessionStore has kept: all sessions of a gateway into the workers' tables and the subscription
/// index, by the thread that starts it and before the workers start; or one that is taken over, by its worker. Used
/// once. Bounded by sessions_kept_max and the limits of sessions; what is beyond, expired or damaged is counted and
/// leaves the store.
class SessionLoader final {
 public:
    SessionLoader(GatewayContext& context, const TimeBase& time, MetricRegistry& metrics);

    /// One that this gateway has taken over with a claim of this epoch, into the table of the worker in whose thread
    /// this is called.
    void take_over(StoredSession&& stored, SessionEpoch epoch);
    /// The store cannot be read: an error for the administrator. Everything else is counted.
    [[nodiscard]] Result<void> load();

 private:
    struct Counts {
        std::size_t restored = 0;
        std::size_t expired = 0;
        std::size_t over_bound = 0;
        std::size_t damaged = 0;    ///< also those of which only parts were left
        std::size_t newer = 0;      ///< of a later version of Muster; they stay in the store
        std::size_t messages = 0;   ///< restored
        std::size_t lost_rows = 0;  ///< messages and subscriptions that were damaged or had no room
    };

    void restore(StoredSession&& stored);
    [[nodiscard]] bool has_expired(const SessionDocument& document) const;
    void restore_messages(const StoredSession& stored, const SessionDocument& document, Worker& worker,
                          Session& session);
    void erase(const StoredSession& stored);
    void erase_message(const StoredSession& stored, std::uint64_t number);
    void store_erasures();
    void show();

    GatewayContext& context_;
    const TimeBase time_;
    MetricRegistry& metrics_;
    Counts counts_;
    std::vector<SessionChange> erasures_;
};

}  // namespace muster
