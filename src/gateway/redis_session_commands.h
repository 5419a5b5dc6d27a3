#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/redis_session_keys.h"
#include "gateway/redis_session_watch.h"
#include "storage/redis_connection.h"

namespace muster {

// The words in which RedisSessionStore speaks to Redis; for its own files.

// Places of the scripts in the store's RedisLink.
inline constexpr std::size_t claim_script = 0;
inline constexpr std::size_t store_script = 1;
inline constexpr std::size_t take_script = 2;

inline void append_claim(RedisConnection& connection, const std::string& sha, const std::string& key,
                         std::string_view holder, std::uint64_t floor) {
    connection.append({"EVALSHA", sha, "1", key, holder, std::to_string(floor)});
}

inline void append_notice(RedisConnection& connection, std::string_view to, std::string_view type,
                          std::string_view session, SessionEpoch epoch, std::string_view from) {
    connection.append({"XADD", redis_notices_key(to), "MAXLEN", "~", RedisSessionWatch::notices_max, "*", "t", type,
                       "s", session, "e", std::to_string(epoch), "g", from});
}

[[nodiscard]] inline StoredSession session_of(std::string_view key, const RedisValue& rows) {
    StoredSession session;
    session.key = key;
    for (std::size_t field = 0; field + 1 < rows.size(); field += 2) {
        add_kept_field(rows[field].text(), rows[field + 1].text(), session);
    }
    std::ranges::sort(session.messages, {}, &StoredSession::Message::number);
    return session;
}

/// Reads so many replies; the first error of them.
[[nodiscard]] inline Result<void> read_replies(RedisConnection& connection, std::size_t replies) {
    Result<void> result;
    for (std::size_t i = 0; i < replies; ++i) {
        const auto reply = connection.read();
        if (!reply && result) {
            result = tl::unexpected(reply.error());
        }
    }
    return result;
}

}  // namespace muster
