#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "storage/redis_connection.h"

namespace muster {

/// A connection that comes back: opened when it is asked for, again after it broke, but no sooner than a back-off of 50
/// ms to 2 s after the last try, so that a server that is away is not stormed. Loads the scripts of its owner each
/// time. One thread.
class RedisLink final {
 public:
    struct Setup {
        RedisOptions options;
        std::string purpose;                 ///< for logs and metric labels: "status", "sessions"
        std::vector<std::string> scripts{};  ///< loaded on each connection
        /// Called with each new connection that has its scripts; an error closes it.
        std::function<Result<void>(RedisConnection&)> on_connected{};
    };

    RedisLink(Setup setup, MetricRegistry& metrics);

    /// The connection, opened if need be. unavailable: at once while it waits for its next try.
    [[nodiscard]] Result<RedisConnection*> get();
    /// Closes it if it is broken or `error` says that a script is gone; the next get() opens it again.
    void note(const Error& error);
    /// How long until get() would try.
    [[nodiscard]] Millis until_next_try() const;
    /// For EVALSHA; known once connected.
    [[nodiscard]] const std::string& script(std::size_t index) const { return shas_[index]; }

 private:
    using Steady = std::chrono::steady_clock;
    [[nodiscard]] Result<void> open();
    void wait_longer();

    const Setup setup_;
    std::unique_ptr<RedisConnection> connection_;
    std::vector<std::string> shas_;
    Millis back_off_{0};
    Steady::time_point next_try_{};
    bool was_connected_ = false;
    LogLimit log_;
    Counter& connects_;
    Counter& failures_;
    Gauge& connected_;
};

}  // namespace muster
