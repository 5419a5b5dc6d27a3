#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/session_store.h"

namespace muster {

// Keys of sessions in Redis. What belongs to one session carries its key as the hash tag, so that a script finds all of
// it in one slot of a Redis Cluster; '}' and '%' of a session's key are %-encoded.
//   muster:session:{S}          hash: e = the last epoch, g = the gateway that claimed it, p:G = a gateway that held it
//                               before and has not yet been relieved of what it keeps
//   muster:kept:{S}:G           hash: what gateway G keeps of session S, see redis_kept_field()
//   muster:gateway:{G}          hash: e = the last incarnation
//   muster:gateway:{G}:kept     set: the sessions of which G keeps something, and maybe some of which it does no more
//   muster:gateway:{G}:alive    expires when G has died
//   muster:gateway:{G}:notices  stream: t = "lost" or "given", s = session, e = epoch of the claim, g = the other
//   gateway
[[nodiscard]] std::string redis_session_key(std::string_view session);
[[nodiscard]] std::string redis_kept_key(std::string_view session, std::string_view gateway);
[[nodiscard]] std::string redis_gateway_key(std::string_view gateway);
[[nodiscard]] std::string redis_kept_index_key(std::string_view gateway);
[[nodiscard]] std::string redis_alive_key(std::string_view gateway);
[[nodiscard]] std::string redis_notices_key(std::string_view gateway);

/// "d": its document; 'm' u64: a message; 'i' u16: a packet id, with an empty value. Numbers are big-endian.
[[nodiscard]] std::string redis_kept_field(const SessionChange& change);
/// Adds what a field says to the session; one that is none of ours is passed over.
void add_kept_field(std::string_view field, std::string_view value, StoredSession& session);

/// Raises the number of KEYS[1] for gateway ARGV[1]: over the one before, over ARGV[2], and never below the server's
/// clock in microseconds. Returns the number, then every other gateway that may keep something of it.
inline constexpr std::string_view redis_claim_script = R"lua(
local time = redis.call('TIME')
local before = redis.call('HGETALL', KEYS[1])
local epoch = 0
local holders = {}
for i = 1, #before, 2 do
  if before[i] == 'e' then
    epoch = tonumber(before[i + 1])
  elseif before[i] == 'g' then
    holders[before[i + 1]] = true
  elseif string.sub(before[i], 1, 2) == 'p:' then
    holders[string.sub(before[i], 3)] = true
  end
end
holders[ARGV[1]] = nil
epoch = math.max(epoch + 1, tonumber(ARGV[2]) + 1, time[1] * 1000000 + time[2])
local reply = {string.format('%.0f', epoch)}
redis.call('HSET', KEYS[1], 'e', reply[1], 'g', ARGV[1])
for holder in pairs(holders) do
  redis.call('HSET', KEYS[1], 'p:' .. holder, '')
  reply[#reply + 1] = holder
end
return reply
)lua";

/// Changes KEYS[2], what gateway ARGV[1] keeps of the session whose claim is KEYS[1]: ARGV is then "+" field value or
/// "-" field, again and again. Returns how many fields are left, -1 when another gateway has taken the session over.
inline constexpr std::string_view redis_store_script = R"lua(
local holder = redis.call('HGET', KEYS[1], 'g')
if holder and holder ~= ARGV[1] and redis.call('HEXISTS', KEYS[1], 'p:' .. ARGV[1]) == 0 then
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

/// Moves what gateway ARGV[1] keeps, KEYS[2], to KEYS[3]; KEYS[1] is the claim. From here on that gateway can store no
/// more of it. Returns whether there is anything at KEYS[3], then the fields and values that have moved.
inline constexpr std::string_view redis_take_script = R"lua(
redis.call('HDEL', KEYS[1], 'p:' .. ARGV[1])
local moved = {}
if redis.call('HEXISTS', KEYS[2], 'd') == 1 then
  redis.call('RENAME', KEYS[2], KEYS[3])
  moved = redis.call('HGETALL', KEYS[3])
else
  redis.call('DEL', KEYS[2])
end
return {redis.call('EXISTS', KEYS[3]), moved}
)lua";

}  // namespace muster
