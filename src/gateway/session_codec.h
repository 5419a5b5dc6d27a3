#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"
#include "base/time.h"
#include "contract/presence.h"
#include "gateway/session.h"
#include "mqtt/message_queue.h"
#include "mqtt/server_session.h"

namespace muster {

// The bytes of a kept session in the SessionStore; docs/data-formats.md draws them. Every value ends in a CRC-32C.

/// What a session's document says besides its subscriptions.
struct SessionDocument {
    Role role = Role::device;
    bool is_connected = false;  ///< when it was written; else since `away_since`
    std::uint16_t last_packet_id = 0;
    std::uint32_t session_expiry_s = 0;
    Timestamp away_since{};
    SessionEpoch epoch = 0;
    std::uint64_t sent_through = 0;  ///< messages up to this number have been sent; more may have been if is_connected
    Cause away_cause = Cause::gateway_lost;  ///< why its client is away
    mqtt::PackedWill will{};                 ///< a delayed one that is still to come
};

/// How the monotonic time of this process stands to the wall clock: sessions and messages are stored with the latter.
struct TimeBase {
    Timestamp now{};
    Millis monotonic{0};
};

/// Of this session as it is now. A session with a connection is not away.
void encode_session(const Session& session, const TimeBase& time, std::string& out);
/// Calls `subscribe` with each subscription, in the order in which they were made. corrupt: the checksum or the layout
/// is wrong; unsupported: a later version wrote it. `subscribe` is called only when neither is so.
[[nodiscard]] Result<SessionDocument> decode_session(
    std::string_view bytes, FunctionRef<void(const mqtt::ServerSession::Subscription&)> subscribe);

void encode_message(const mqtt::PendingMessage& pending, const TimeBase& time, std::string& out);
/// Without its number and without was_sent. Errors as decode_session.
[[nodiscard]] Result<mqtt::PendingMessage> decode_message(std::string_view bytes, const TimeBase& time);

}  // namespace muster
