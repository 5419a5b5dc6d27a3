#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/session_store.h"

namespace muster {

// Keys of sessions in Redis. What belongs to one session carries its key as the hash tag, so that a script finds all of
// it in one slot of a Redis Cluster; '}' and '%' of a session's key are %-encoded.
//   muster:session:{S}        hash: e = the last epoch, g = the gateway that claimed it
//   muster:kept:{S}:G         hash: what gateway G keeps of session S, see kept_field()
//   muster:gateway:{G}        hash: e = the last incarnation
//   muster:gateway:{G}:kept   set: the sessions of which G keeps something, and maybe some of which it does no more
[[nodiscard]] std::string redis_session_key(std::string_view session);
[[nodiscard]] std::string redis_kept_key(std::string_view session, std::string_view gateway);
[[nodiscard]] std::string redis_gateway_key(std::string_view gateway);
[[nodiscard]] std::string redis_kept_index_key(std::string_view gateway);

/// "d": its document; 'm' u64: a message; 'i' u16: a packet id, with an empty value. Numbers are big-endian.
[[nodiscard]] std::string redis_kept_field(const SessionChange& change);
/// Adds what a field says to the session; one that is none of ours is passed over.
void add_kept_field(std::string_view field, std::string_view value, StoredSession& session);

/// Raises the number of KEYS[1] for ARGV[1]: over the one before, over ARGV[2], and never below the server's clock in
/// microseconds. Returns the number and who held KEYS[1] before.
inline constexpr std::string_view claim_script = R"lua(
local time = redis.call('TIME')
local before = redis.call('HMGET', KEYS[1], 'e', 'g')
local epoch = math.max(tonumber(before[1] or '0') + 1, tonumber(ARGV[2]) + 1, time[1] * 1000000 + time[2])
local text = string.format('%.0f', epoch)
redis.call('HSET', KEYS[1], 'e', text, 'g', ARGV[1])
return {text, before[2] or ''}
)lua";

/// Changes KEYS[2], what gateway ARGV[1] keeps of the session whose claim is KEYS[1]: ARGV is then "+" field value or
/// "-" field, again and again. Returns how many fields are left, -1 when another gateway has claimed the session.
inline constexpr std::string_view store_script = R"lua(
local holder = redis.call('HGET', KEYS[1], 'g')
if holder and holder ~= ARGV[1] then
  return -1
end
local i = 2
while i <= #ARGV do
  if ARGV[i] == '+' then
    redis.call('HSET', KEYS[2], ARGV[i + 1], ARGV[i + 2])
    i = i + 3
  else
    redis.call('HDEL', KEYS[2], ARGV[i + 1])
    i = i + 2
  end
end
return redis.call('HLEN', KEYS[2])
)lua";

}  // namespace muster
