#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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

/// What a CONNECT gets.
struct SessionClaim {
    SessionEpoch epoch = 0;
    /// What another gateway kept of the session; this gateway's from now on. Nothing when it was here, or nowhere.
    std::optional<StoredSession> taken{};
};

/// A session that another gateway has claimed.
struct LostSession {
    std::string session;
    SessionEpoch epoch = 0;  ///< of that claim: whatever is older has ended
    std::string claimed_by;  ///< the other gateway
};

/// The SessionStore port: who holds which device's session, the epochs that order them (G3), and the sessions that
/// outlive their gateway's process. Any thread. Two implementations: embedded_session_store (RocksDB) and
/// redis_session_store.
class SessionStore {
 public:
    virtual ~SessionStore() = default;

    /// A new start of the gateway of this name: larger than every one given before, durable before it returns.
    [[nodiscard]] virtual Result<Incarnation> begin_incarnation(std::string_view gateway) = 0;
    /// A CONNECT of `session` was accepted on `gateway`: `done` gets an epoch larger than any given for the session
    /// before, across gateways and restarts; at once or later, from any thread. Any other gateway that may hold the
    /// session is told (watch()) and waited for until it has given it up; not when it is dead, and not for long when it
    /// does not answer. What it had stored moves to this gateway. Claims of one gateway for one session are answered in
    /// their order. unavailable: the CONNECT must be refused.
    virtual void claim(std::string_view session, std::string_view gateway,
                       std::function<void(Result<SessionClaim>)> done) = 0;
    /// From here on `on_lost` is called with each session that another gateway claims and this one may hold; not before
    /// its own claim of it is answered. From any thread: it must only copy and wake. The gateway ends the session,
    /// hands what is left of it to store(), then calls give_up(). Before load(); dropping the handle stops the calls
    /// and gives everything up.
    using OnLost = std::function<void(const LostSession&)>;
    [[nodiscard]] virtual Result<std::shared_ptr<void>> watch(std::string_view gateway, OnLost on_lost) = 0;
    /// After everything that this gateway stores of it.
    virtual void give_up(std::string_view gateway, const LostSession& lost) = 0;

    /// Stores a batch of changes, of each session all or none, after all batches of this gateway before it. `done` is
    /// called when they are durable, or an error when they could not be stored (conflict: another gateway has taken the
    /// session); in the order of the batches, at once or later, from any thread. Never blocks. The caller bounds what
    /// is on its way.
    virtual void store(std::string_view gateway, std::vector<SessionChange> changes,
                       std::function<void(const Result<void>&)> done) = 0;
    /// Every kept session of this gateway, in any order. Before the first store() of this start.
    [[nodiscard]] virtual Result<void> load(std::string_view gateway, FunctionRef<void(StoredSession&&)> visit) = 0;
};

}  // namespace muster
