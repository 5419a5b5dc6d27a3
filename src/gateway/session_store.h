#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "contract/identity.h"

namespace muster {

/// One change of what is stored of a kept session. Values are the gateway's own bytes (session_codec.h).
struct SessionChange {
    enum class Kind : std::uint8_t {
        put_session,    ///< `value`: its document
        erase_session,  ///< the document alone; who erases it erases the rest in the same batch
        put_message,    ///< `number` names it within the session and orders it
        erase_message,  ///< one that is not there is no error, as with every erasure
        put_packet_id,  ///< `number`: of a QoS 2 message from the client, taken and not yet released
        erase_packet_id,
    };
    Kind kind = Kind::put_session;
    std::string session{};  ///< its key: 1 to session_key_bytes_max bytes, no zero byte
    std::uint64_t number = 0;
    std::string value{};

    [[nodiscard]] std::size_t bytes() const { return sizeof(SessionChange) + session.size() + value.size(); }
};

inline constexpr std::size_t session_key_bytes_max = 512;

/// A kept session as it is stored. Messages ascend by number.
struct StoredSession {
    struct Message {
        std::uint64_t number = 0;
        std::string value;
    };
    std::string key;
    std::string document;  ///< empty: there is none, the rest was left behind
    std::vector<Message> messages;
    std::vector<std::uint16_t> packet_ids;
};

/// The SessionStore port: who holds which device's session, the epochs that order them (G3), and the sessions that
/// outlive their gateway's process. Any thread. Two implementations: embedded_session_store (RocksDB) and
/// redis_session_store.
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

    /// Stores a batch of changes, all or none, after all batches of this gateway before it. `done` is called when they
    /// are durable, or an error when they could not be stored; in the order of the batches, at once or later, from any
    /// thread. Never blocks. The caller bounds what is on its way.
    virtual void store(std::string_view gateway, std::vector<SessionChange> changes,
                       std::function<void(const Result<void>&)> done) = 0;
    /// Every kept session of this gateway, in any order. Before the first store() of this start.
    [[nodiscard]] virtual Result<void> load(std::string_view gateway, FunctionRef<void(StoredSession&&)> visit) = 0;
};

}  // namespace muster
