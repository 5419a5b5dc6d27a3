#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "history/history_store.h"

namespace muster {

// The transitions of the embedded history store (docs/data-formats.md, "History"). Keys sort by device, then time:
//
//   key     device | 0x00 | u64 time | u64 offset          numbers big-endian, with the sign bit flipped
//
// Values are little-endian; text is u8 length, bytes:
//
//   value   0 u8 version = 1 | 1 u8 state | 2 u8 cause | 3 u8 overlays | 4 u64 epoch | 12 i64 detected_in_ms | 20
//   text gateway

/// What the keys of a device's transitions at a time begin with.
[[nodiscard]] std::string time_key(std::string_view device, Timestamp time);
[[nodiscard]] std::string transition_key(std::string_view device, Timestamp time, std::int64_t offset);
/// What all keys of a device begin with.
[[nodiscard]] std::string device_prefix(std::string_view device);
/// The time in a key whose device prefix has this length; nullopt when the key is too short.
[[nodiscard]] std::optional<Timestamp> time_of_key(std::string_view key, std::size_t prefix_bytes);

[[nodiscard]] std::string encode_transition(const Transition& transition);
/// `key` as transition_key made it for a device with this prefix length.
[[nodiscard]] Result<Transition> decode_transition(std::string_view key, std::size_t prefix_bytes,
                                                   std::string_view bytes);

}  // namespace muster
