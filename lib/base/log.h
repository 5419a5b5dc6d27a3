#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/result.h"
#include "base/time.h"

namespace muster {

// Log with spdlog::info("gateway: listening on {}", port) and friends, from any thread; never on the data path.

/// Logs to standard error, one line a message, UTC. `level`: trace, debug, info, warn, error, off.
[[nodiscard]] Result<void> start_log(std::string_view level);

/// Lets at most one message through an interval and tells how many it swallowed. Any thread.
class LogLimit {
 public:
    explicit LogLimit(Millis interval = Millis(5000)) : interval_ms_(interval.count()) {}

    /// True when the caller may log now; `swallowed` is then the number of refusals since the last time.
    [[nodiscard]] bool allow(Millis monotonic_now, std::uint64_t& swallowed);

 private:
    const std::int64_t interval_ms_;
    std::atomic<std::int64_t> next_ms_{0};
    std::atomic<std::uint64_t> refused_{0};
};

}  // namespace muster
