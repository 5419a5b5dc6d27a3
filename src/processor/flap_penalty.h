#pragma once

#include <cstdint>

namespace muster {

/// BGP route-flap damping (RFC 2439) for a device's disconnects: 1000 a disconnect, half-life 15 min, suppressed at
/// 3000, released at 750, capped so that it is released after at most 60 min. Kept as tenths at a time of the fold's
/// own clock and decayed when it is looked at. A plain value inside the device's state.
struct FlapPenalty {
    std::uint32_t tenths = 0;
    std::int64_t at_ms = 0;

    static constexpr std::uint32_t disconnect_tenths = 10'000;
    static constexpr std::uint32_t suppress_tenths = 30'000;
    static constexpr std::uint32_t release_tenths = 7'500;

    void decay_to(std::int64_t now_ms);
    void add(std::uint32_t more_tenths, std::int64_t now_ms);
    void add_disconnect(std::int64_t now_ms) { add(disconnect_tenths, now_ms); }
    [[nodiscard]] bool is_suppressed() const { return tenths >= suppress_tenths; }
    /// First millisecond at which it has decayed to the release value; at_ms when it is there.
    [[nodiscard]] std::int64_t released_at_ms() const;
    [[nodiscard]] double value_at(std::int64_t now_ms) const;
};

}  // namespace muster
