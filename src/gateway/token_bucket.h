#pragma once

#include <algorithm>
#include <cmath>

#include "base/time.h"

namespace muster {

/// A rate with a burst: fills at `per_s` up to `burst`. One thread. A rate of 0 is no limit.
class TokenBucket final {
 public:
    TokenBucket(double per_s, double burst, Millis now) : per_s_(per_s), burst_(burst), level_(burst), filled_(now) {}

    /// One token, if there is one.
    [[nodiscard]] bool take(Millis now) {
        fill(now);
        if (per_s_ > 0 && level_ < 1) {
            return false;
        }
        level_ -= 1;
        return true;
    }
    /// What has happened already: it may go into debt.
    void charge(double tokens, Millis now) {
        fill(now);
        level_ -= tokens;
    }
    [[nodiscard]] bool is_in_debt(Millis now) {
        fill(now);
        return per_s_ > 0 && level_ < 0;
    }
    [[nodiscard]] bool is_full(Millis now) {
        fill(now);
        return level_ >= burst_;
    }

 private:
    void fill(Millis now) {
        const double seconds = std::chrono::duration<double>(now - filled_).count();
        filled_ = now;
        level_ = std::min(burst_, level_ + per_s_ * seconds);
    }

    double per_s_;
    double burst_;
    double level_;
    Millis filled_;
};

}  // namespace muster
