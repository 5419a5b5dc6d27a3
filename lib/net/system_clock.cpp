#include "net/system_clock.h"

#include <chrono>

namespace muster::net {

Timestamp SystemClock::now() const {
    return std::chrono::floor<Millis>(std::chrono::system_clock::now());
}

Millis SystemClock::monotonic() const {
    return std::chrono::floor<Millis>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace muster::net
