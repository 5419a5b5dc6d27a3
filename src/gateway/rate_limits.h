#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "gateway/gateway_options.h"
#include "gateway/token_bucket.h"
#include "net/address.h"

namespace muster {

/// How fast one client publishes, against client_messages_per_s and client_bytes_per_s with a burst of one second. Over
/// them it is not read until it has paid: slowed, nothing dropped. Owned by its connection; there is none without a
/// limit.
class ClientRate final {
 public:
    ClientRate(const GatewayLimits& limits, Millis now)
        : messages_(limits.client_messages_per_s, limits.client_messages_per_s, now),
          bytes_(limits.client_bytes_per_s, limits.client_bytes_per_s, now) {}

    [[nodiscard]] static bool is_limited(const GatewayLimits& limits) {
        return limits.client_messages_per_s > 0 || limits.client_bytes_per_s > 0;
    }
    /// A publish of so many bytes has come.
    void charge(std::size_t bytes, Millis now) {
        messages_.charge(1, now);
        bytes_.charge(static_cast<double>(bytes), now);
    }
    [[nodiscard]] bool must_wait(Millis now) { return messages_.is_in_debt(now) || bytes_.is_in_debt(now); }

 private:
    TokenBucket messages_;
    TokenBucket bytes_;
};

/// What holds one client beyond the limits of all. Owned by its connection, which has none when none does.
struct ClientLimits {
    std::optional<net::Address> stranger_of;  ///< until its CONNECT is complete: the address that counts it
    std::optional<ClientRate> rate;
};

/// How many CONNECTs one worker answers with success: its share of connects_per_s_max. Those over it are refused and
/// told when to come back, each a little later than the one before, so that a storm comes back as a queue. One thread.
class ConnectRate final {
 public:
    ConnectRate(double per_s, Millis now) : per_s_(per_s), bucket_(per_s, per_s, now), queue_since_(now) {}

    [[nodiscard]] bool admit(Millis now) { return bucket_.take(now); }
    /// For one that was just refused.
    [[nodiscard]] Seconds come_back_in(Millis now) {
        queue_ = std::max(0.0, queue_ - per_s_ * std::chrono::duration<double>(now - queue_since_).count()) + 1;
        queue_since_ = now;
        return std::min(Seconds(1 + static_cast<std::int64_t>(queue_ / per_s_)), longest);
    }

 private:
    static constexpr Seconds longest{300};

    double per_s_;
    TokenBucket bucket_;
    double queue_ = 0;  ///< refused, and not yet due to come back
    Millis queue_since_;
};

}  // namespace muster
