#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/time.h"
#include "contract/identity.h"
#include "gateway/access.h"
#include "gateway/ack_queue.h"
#include "gateway/away_timer.h"
#include "gateway/session_key.h"
#include "mqtt/packed_will.h"
#include "mqtt/server_session.h"

namespace muster {

class Connection;

/// Names a session across threads: stored (1 bit), worker (7), slot (32), generation (24). What subscriptions carry.
using SessionHandle = std::uint64_t;

/// What a retained message remembers of who published it (mqtt::Message::publisher), for No Local; never 0.
[[nodiscard]] inline std::uint64_t publisher_number(std::string_view session_key) {
    return std::hash<std::string_view>{}(session_key) | 1U;
}

/// One client's session, with or without a connection. Owned by the SessionTable of the worker that its key hashes to
/// and touched by that worker's thread only.
struct Session {
    Session(std::string_view session_key, const mqtt::SessionLimits& limits, Role client_role)
        : key(session_key), mqtt(limits), role(client_role) {}

    /// The device id; empty for other roles.
    [[nodiscard]] std::string_view device() const { return role == Role::device ? *key : std::string_view{}; }

    const SessionKey key;
    mqtt::ServerSession mqtt;
    Connection* connection = nullptr;
    std::unique_ptr<AckQueue> answers;  ///< made by the first QoS 1 or 2 publish
    std::unique_ptr<AwayTimer> away;    ///< while the client is
    mqtt::PackedWill will;
    SessionEpoch epoch = 0;
    std::uint64_t sequence = 0;  ///< of the last record
    Millis last_record{0};       ///< monotonic time of the last record of muster.events
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    std::uint32_t attachment = 0;  ///< tells the connections of this session apart
    Role role;
    bool is_stored = false;  ///< it began as one to be kept: something of it may be in the session store
    bool is_noted = false;   ///< its document is written at the end of this turn
};

}  // namespace muster
