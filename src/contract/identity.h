#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace muster {

inline constexpr std::size_t device_id_bytes_max = 128;

/// Orders the sessions of one device: every CONNECT gets a larger one than any before, across gateways and restarts
/// (G3). 0 means none.
using SessionEpoch = std::uint64_t;

/// A gateway's start number: grows with every start of the process that has this gateway's name.
using Incarnation = std::uint64_t;

/// 1 to 128 of [A-Za-z0-9:_.-]: DESIGN 3.1. Device id = MQTT client id = bus key.
[[nodiscard]] bool is_valid_device_id(std::string_view id);

/// Devices inside Muster whose truth it knows, to measure how well it detects. They count in no region and are listed
/// only when asked for by this prefix; nobody else may connect under it.
inline constexpr std::string_view canary_id_prefix = "muster-canary-";
[[nodiscard]] constexpr bool is_canary(std::string_view device) {
    return device.starts_with(canary_id_prefix);
}

/// A region is a path of 1 to 8 segments of [a-z0-9_-] joined by '/', at most 128 bytes: "in/karnataka/ka-04".
[[nodiscard]] bool is_valid_region(std::string_view region);

}  // namespace muster
