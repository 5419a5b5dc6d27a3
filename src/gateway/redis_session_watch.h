#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/metrics.h"
#include "gateway/session_store.h"
#include "storage/redis_link.h"

namespace muster {

/// What one gateway tells another about a session.
struct RedisSessionNotice {
    std::string at;         ///< the gateway that is told
    bool is_given = false;  ///< the other has given it up; else the other has claimed it
    std::string session;
    SessionEpoch epoch = 0;  ///< of the claim
    std::string other;
};

/// Says that a gateway is alive, and reads what the others tell it, by a thread and a connection of its own. What is
/// told while Redis is away is not lost: it is a stream, of the last 10,000. Owned by the session store.
class RedisSessionWatch final {
 public:
    static constexpr std::string_view notices_max = "10000";

    RedisSessionWatch(const RedisOptions& redis, std::string gateway,
                      std::function<void(RedisSessionNotice&&)> on_notice, MetricRegistry& metrics);
    /// The gateway is no longer alive.
    ~RedisSessionWatch();
    RedisSessionWatch(const RedisSessionWatch&) = delete;
    RedisSessionWatch& operator=(const RedisSessionWatch&) = delete;

    /// From here on nothing is missed. Once, before anything else.
    [[nodiscard]] Result<void> start();

 private:
    [[nodiscard]] Result<void> say_alive(RedisConnection& connection);
    [[nodiscard]] Result<void> find_place(RedisConnection& connection);
    void run();
    [[nodiscard]] Result<void> read_notices(RedisConnection& connection);
    [[nodiscard]] bool wait(Millis time);

    const std::string gateway_;
    const std::string alive_key_;
    const std::string notices_key_;
    const std::function<void(RedisSessionNotice&&)> on_notice_;
    RedisLink link_;     ///< of the thread, once it runs
    std::string place_;  ///< the id of the last notice read
    std::chrono::steady_clock::time_point said_alive_at_{};

    std::mutex mutex_;  ///< guards stopping_
    std::condition_variable changed_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace muster
