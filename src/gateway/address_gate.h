#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/time.h"
#include "gateway/gateway_options.h"
#include "gateway/token_bucket.h"
#include "net/address.h"

namespace muster {

/// What one network address (IPv4, or the /64 of an IPv6 one) may do before its clients have said who they are: so many
/// new connections a second, so many at once without a complete CONNECT. Shared by a gateway's workers; any thread.
/// Bounded by addresses_max: addresses that behave are forgotten first, and one for which there is no room goes
/// unlimited, and is counted.
class AddressGate final {
 public:
    enum class Verdict : std::uint8_t {
        unlimited,  ///< nothing to leave
        admitted,   ///< leave() when its CONNECT is complete or it has gone
        too_fast,
        too_many,
    };

    /// `seed`: secret, so that nobody can choose addresses that fall together.
    AddressGate(const GatewayLimits& limits, std::uint64_t seed);

    [[nodiscard]] Verdict enter(const net::Address& address, Millis now);
    void leave(const net::Address& address);

    [[nodiscard]] std::size_t addresses() const;
    [[nodiscard]] std::uint64_t overlooked() const;

 private:
    using Key = std::uint64_t;
    struct Entry {
        TokenBucket connections;
        std::uint32_t strangers = 0;  ///< connections without a complete CONNECT
    };
    struct HashOfKey {
        std::uint64_t seed;
        std::size_t operator()(Key key) const;
    };

    [[nodiscard]] bool is_limited(const net::Address& address) const;
    [[nodiscard]] static Key key_of(const net::Address& address);
    [[nodiscard]] bool make_room(Millis now);

    const GatewayLimits& limits_;
    mutable std::mutex mutex_;  ///< guards what follows
    boost::unordered_flat_map<Key, Entry, HashOfKey> entries_;
    Millis next_sweep_{0};
    std::uint64_t overlooked_ = 0;
};

}  // namespace muster
