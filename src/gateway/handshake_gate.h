#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>

#include "base/function_ref.h"
#include "base/time.h"
#include "gateway/connection.h"

namespace muster {

/// Paces the TLS handshakes of one worker, so that those who are already on are served while a fleet comes back: a
/// handshake costs as much as hundreds of messages. A token bucket, filled `per_second` and never fuller than a tenth
/// of that, of which one turn takes at most `per_turn`; who finds it empty waits in line. One thread, one entry a
/// connection.
class HandshakeGate final {
 public:
    HandshakeGate(std::size_t per_second, std::size_t per_turn, Millis now)
        : per_second_(per_second),
          per_turn_(per_turn),
          full_(std::max(per_second * milli_tokens / 10, per_turn * milli_tokens)),
          tokens_(full_),
          filled_at_(now) {}

    /// Whether a handshake may begin now; it must not overtake those who wait.
    [[nodiscard]] bool try_begin(Millis now) { return waiting_.empty() && take(now); }
    void wait_in_line(ConnectionRef ref) { waiting_.push_back(ref); }
    /// The next in line, when it may begin now. Those who `still_waits` does not know any more take no token.
    [[nodiscard]] std::optional<ConnectionRef> next(Millis now, FunctionRef<bool(ConnectionRef)> still_waits) {
        while (!waiting_.empty() && !still_waits(waiting_.front())) {
            waiting_.pop_front();
        }
        if (waiting_.empty() || !take(now)) {
            return std::nullopt;
        }
        const ConnectionRef ref = waiting_.front();
        waiting_.pop_front();
        return ref;
    }
    /// Those who wait need only another turn.
    [[nodiscard]] bool has_tokens() const { return tokens_ >= milli_tokens; }
    void end_turn() { begun_this_turn_ = 0; }
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
    static constexpr std::size_t milli_tokens = 1000;

    [[nodiscard]] bool take(Millis now) {
        const auto passed = static_cast<std::size_t>(std::max(now - filled_at_, Millis(0)).count());
        tokens_ = std::min(full_, tokens_ + passed * per_second_);
        filled_at_ = now;
        if (begun_this_turn_ >= per_turn_ || tokens_ < milli_tokens) {
            return false;
        }
        tokens_ -= milli_tokens;
        ++begun_this_turn_;
        return true;
    }

    const std::size_t per_second_;
    const std::size_t per_turn_;
    const std::size_t full_;  ///< in thousandths, as tokens_
    std::size_t tokens_;
    std::size_t begun_this_turn_ = 0;
    Millis filled_at_;
    std::deque<ConnectionRef> waiting_;
};

}  // namespace muster
