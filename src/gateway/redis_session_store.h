#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "gateway/session_store.h"
#include "storage/redis_link.h"

namespace muster {

/// The commands of one batch of changes: which replies it has.
struct RedisBatchCommands {
    std::string gateway;
    bool has_index = false;               ///< the first reply is the index's
    std::vector<std::string> sessions{};  ///< one reply each
};

struct RedisSessionStoreOptions {
    RedisOptions redis{};
    std::size_t claims_waiting_max = 100'000;       ///< over it a claim is refused
    std::size_t round_bytes_max = 1U << 20U;        ///< of changes sent before their replies are read
    Millis patience{30'000};                        ///< how long changes wait for a server that is away
};

/// The SessionStore port on Redis, for any number of gateways. One thread sends what all callers handed over, claims
/// first, many in one round trip. Claims are refused while Redis is away; changes wait for it, as long as the caller
/// bounds them and patience lasts. "Durable" is what Redis is configured for: with appendfsync always it is on its
/// disk; with everysec up to a second of it can be lost with the server. Any thread.
class RedisSessionStore final : public SessionStore {
 public:
    /// unavailable: Redis cannot be reached; the message is for the administrator. `metrics` outlives the store.
    [[nodiscard]] static Result<std::unique_ptr<RedisSessionStore>> open(RedisSessionStoreOptions options,
                                                                         MetricRegistry& metrics);
    /// Sends what it was given if Redis is there; what cannot be sent is answered with an error.
    ~RedisSessionStore() override;

    [[nodiscard]] Result<Incarnation> begin_incarnation(std::string_view gateway) override;
    void claim(std::string_view device, std::string_view gateway,
               std::function<void(Result<SessionEpoch>)> done) override;
    void store(std::string_view gateway, std::vector<SessionChange> changes,
               std::function<void(const Result<void>&)> done) override;
    [[nodiscard]] Result<void> load(std::string_view gateway, FunctionRef<void(StoredSession&&)> visit) override;

 private:
    using Steady = std::chrono::steady_clock;

    struct Claim {
        std::string device;
        std::string gateway;
        std::function<void(Result<SessionEpoch>)> done;
    };
    struct Batch {
        std::string gateway;
        std::vector<SessionChange> changes;
        std::function<void(const Result<void>&)> done;
        std::size_t bytes = 0;
        Steady::time_point handed_over;
    };

    using Emptied = std::set<std::pair<std::string, std::string>>;  ///< gateway, session

    RedisSessionStore(RedisSessionStoreOptions options, MetricRegistry& metrics);

    void run();
    /// False when it is time to end.
    [[nodiscard]] bool take(std::vector<Claim>& claims);
    void send_claims(RedisConnection& connection, std::vector<Claim>& claims);
    /// Sends the first batches of unsent_; those that are stored are answered and leave it.
    void send_batches(RedisConnection& connection);
    [[nodiscard]] Result<void> read_batch(RedisConnection& connection, const RedisBatchCommands& commands,
                                          Emptied& emptied);
    void unindex(RedisConnection& connection, const Emptied& emptied);
    void give_up(Steady::time_point handed_over_before);
    void answer_first(const Result<void>& result);
    [[nodiscard]] Result<void> load_page(RedisConnection& connection, std::string_view gateway, const RedisValue& keys,
                                         FunctionRef<void(StoredSession&&)> visit);

    const RedisSessionStoreOptions options_;
    Counter& claims_total_;
    Counter& claims_refused_;
    Counter& batches_;
    Counter& fenced_;
    Counter& given_up_;
    Gauge& waiting_bytes_;

    std::mutex direct_mutex_;  ///< guards direct_: what callers wait for, at start-up
    RedisLink direct_;

    // The thread's own.
    RedisLink link_;
    std::deque<Batch> unsent_;
    Steady::time_point retry_at_{};  ///< Redis has refused a batch
    SessionEpoch highest_ = 0;  ///< given so far: a server that has lost everything gives none below

    std::mutex mutex_;  ///< guards what follows
    std::condition_variable changed_;
    std::vector<Claim> claims_;
    std::vector<Batch> pending_;
    bool stopping_ = false;

    std::thread thread_;
};

}  // namespace muster
