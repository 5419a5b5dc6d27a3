#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

// Keys of chunks sort by device, then time:
//
//   samples   device | 0x00 | u8 hour of the day | u16 part, big-endian
//   rollups   device | 0x00 | u32 day since 1970, big-endian

/// What all keys of a device begin with: no id has a zero byte, so that no device's keys lie among another's.
[[nodiscard]] std::string device_prefix(std::string_view device);

/// What a key of samples says. Views are of the key.
struct ChunkKey {
    std::string_view device;
    std::uint8_t hour = 0;  ///< of the day, under 24
    std::uint16_t part = 0;
};

[[nodiscard]] std::string chunk_key(const ChunkKey& key);
/// nullopt: not a key of samples.
[[nodiscard]] std::optional<ChunkKey> parse_chunk_key(std::string_view bytes);

struct RollupKey {
    std::string_view device;
    std::int32_t day = 0;  ///< since 1970
};

[[nodiscard]] std::string rollup_key(const RollupKey& key);
[[nodiscard]] std::optional<RollupKey> parse_rollup_key(std::string_view bytes);

}  // namespace muster
