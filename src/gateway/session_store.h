#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "contract/identity.h"

namespace muster {

/// The SessionStore port: who holds which device's session, and the epochs that order them (G3). Any thread.
/// Two implementations: embedded_session_store (RocksDB) and redis_session_store. Kept sessions join it with the
/// gateway issue.
class SessionStore {
 public:
    virtual ~SessionStore() = default;

    /// A new start of the gateway of this name: larger than every one given before, durable before it returns.
    [[nodiscard]] virtual Result<Incarnation> begin_incarnation(std::string_view gateway) = 0;
    /// A CONNECT of `device` was accepted on `gateway`: `done` gets an epoch larger than any given for the device
    /// before, across gateways and restarts; at once or later, from any thread. unavailable: the CONNECT must be
    /// refused.
    virtual void claim(std::string_view device, std::string_view gateway,
                       std::function<void(Result<SessionEpoch>)> done) = 0;
};

}  // namespace muster
