#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace muster {

inline constexpr std::uint32_t drain_rate_per_s_max = 1'000'000;
inline constexpr std::size_t server_reference_bytes_max = 256;

/// What an administrator asks of a gateway: to send its clients elsewhere, so many connections a second, and to take no
/// new ones; or to end that.
struct DrainOrder {
    bool undo = false;
    bool moved = false;              ///< for good (MQTT 5.0 0x9D), not only for now (0x9C)
    std::uint32_t rate_per_s = 500;  ///< 1 to drain_rate_per_s_max
    std::string server_reference{};  ///< for 5.0 clients: "mqtt2.example.com:8883"; may be empty
};

/// {"rate_per_s":500,"server_reference":"…","moved":false}, each member optional; {"undo":true}. invalid_argument says
/// what is wrong.
[[nodiscard]] Result<DrainOrder> parse_drain_order(std::string_view text);
[[nodiscard]] std::string to_json(const DrainOrder& order);

}  // namespace muster
