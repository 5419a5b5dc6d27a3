#include "status/redis_status_codec.h"

namespace muster {

const std::string_view redis_status_apply_script = R"lua(
local batch = ARGV[1]
local at = 1
local deltas = {}
local applied, known, left_out, unknown = 0, 0, 0, 0

local function add(region, fields, sign)
  local delta = deltas[region]
  if not delta then
    delta = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
    deltas[region] = delta
  end
  for i = 1, 12 do
    delta[i] = delta[i] + sign * fields[i + 2]
  end
end

local function count(document, sign)
  local fields = {struct.unpack('<i8Bc0BBBBBBBBBBi4i4', document)}
  local region = fields[2]
  add('', fields, sign)
  if region ~= '' then
    local slash = string.find(region, '/', 1, true)
    while slash do
      add(string.sub(region, 1, slash - 1), fields, sign)
      slash = string.find(region, '/', slash + 1, true)
    end
    add(region, fields, sign)
  end
end

local function parse(metrics, names, values)
  if #metrics < 2 then
    return
  end
  local first_value = struct.unpack('<H', metrics) + 3
  local place = 3
  local name
  while place < first_value do
    name, place = struct.unpack('Bc0', metrics, place)
    names[#names + 1] = name
  end
  for i = 1, #names do
    values[i] = string.sub(metrics, first_value + (i - 1) * 8, first_value + i * 8 - 1)
  end
end

local function merge(old, new)
  if #new < 2 then
    return old
  end
  local first_value = struct.unpack('<H', new) + 3
  if #old == #new and string.sub(old, 1, first_value - 1) == string.sub(new, 1, first_value - 1) then
    return new
  end
  local names, values, new_names, new_values, place_of = {}, {}, {}, {}, {}
  parse(old, names, values)
  parse(new, new_names, new_values)
  for i = 1, #names do
    place_of[names[i]] = i
  end
  for i = 1, #new_names do
    local place = place_of[new_names[i]]
    if not place and #names < 32 then
      place = #names + 1
      names[place] = new_names[i]
      place_of[new_names[i]] = place
    end
    if place then
      values[place] = new_values[i]
    end
  end
  for i = 1, #names do
    names[i] = struct.pack('B', #names[i]) .. names[i]
  end
  local texts = table.concat(names)
  return struct.pack('<H', #texts) .. texts .. table.concat(values)
end

local time = redis.call('TIME')
redis.call('HSETNX', KEYS[4], 'life', time[1] .. '.' .. time[2])
local size = redis.call('HLEN', KEYS[1])
local devices_max = tonumber(ARGV[4])
local documents, touches
documents, touches, at = struct.unpack('<I4I4', batch)

for _ = 1, documents do
  local id, last_seen, document
  id, last_seen, document, at = struct.unpack('<Bc0i8I4c0', batch, at)
  local old = redis.call('HGET', KEYS[1], id)
  if old and struct.unpack('<i8', document) <= struct.unpack('<i8', old) then
    known = known + 1
  elseif not old and size >= devices_max then
    left_out = left_out + 1
  else
    if old then
      count(old, -1)
    else
      size = size + 1
    end
    count(document, 1)
    redis.call('HSET', KEYS[1], id, document)
    local contact = redis.call('HGET', KEYS[2], id)
    if not contact then
      redis.call('HSET', KEYS[2], id, struct.pack('<i8i8i8i8', last_seen, 0, 0, 0))
    elseif struct.unpack('<i8', contact) < last_seen then
      redis.call('HSET', KEYS[2], id, struct.pack('<i8', last_seen) .. string.sub(contact, 9))
    end
    applied = applied + 1
  end
end

for _ = 1, touches do
  local id, last_seen, time, kind, metrics
  id, last_seen, time, kind, metrics, at = struct.unpack('<Bc0i8i8BI4c0', batch, at)
  local contact = redis.call('HGET', KEYS[2], id)
  if not contact then
    unknown = unknown + 1
  else
    local seen, told, ping, published = struct.unpack('<i8i8i8i8', contact)
    local kept = string.sub(contact, 33)
    seen = math.max(seen, last_seen)
    if kind == 1 then
      ping = math.max(ping, last_seen)
    elseif kind == 0 then
      published = math.max(published, last_seen)
    end
    if time ~= 0 and time >= told then
      told = time
      kept = merge(kept, metrics)
    end
    redis.call('HSET', KEYS[2], id, struct.pack('<i8i8i8i8', seen, told, ping, published) .. kept)
  end
end

for region, delta in pairs(deltas) do
  local old = redis.call('HGET', KEYS[3], region)
  if old then
    local counts = {struct.unpack('<i8i8i8i8i8i8i8i8i8i8i8i8', old)}
    for i = 1, 12 do
      delta[i] = delta[i] + counts[i]
    end
  end
  redis.call('HSET', KEYS[3], region, struct.pack('<i8i8i8i8i8i8i8i8i8i8i8i8', unpack(delta)))
end

local sequence = redis.call('HINCRBY', KEYS[4], 'sequence', 1)
redis.call('PUBLISH', ARGV[2], struct.pack('<BI8', tonumber(ARGV[3]), sequence) .. batch)
return {redis.call('HGET', KEYS[4], 'life'), applied, known, left_out, unknown}
)lua";

const std::string_view redis_status_life_script = R"lua(
local time = redis.call('TIME')
redis.call('HSETNX', KEYS[1], 'life', time[1] .. '.' .. time[2])
return redis.call('HGET', KEYS[1], 'life')
)lua";

}  // namespace muster
