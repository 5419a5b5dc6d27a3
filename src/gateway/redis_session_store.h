#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "gateway/redis_session_watch.h"
#include "gateway/session_store.h"
#include "storage/redis_link.h"

namespace muster {

struct RedisSessionStoreOptions {
    RedisOptions redis{};
    std::size_t claims_waiting_max = 100'000;  ///< over it a claim is refused
    std::size_t round_bytes_max = 1U << 20U;   ///< of changes sent before their replies are read
    Millis patience{30'000};                   ///< how long changes wait for a server that is away
    Millis hand_over_max{1000};                ///< how long another gateway may take to give a session up
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
    /// Sends what it was given if Redis is there; what cannot be sent is answered with an error. Nobody watches any
    /// more.
    ~RedisSessionStore() override;

    [[nodiscard]] Result<Incarnation> begin_incarnation(std::string_view gateway) override;
    void claim(std::string_view session, std::string_view gateway,
               std::function<void(Result<SessionClaim>)> done) override;
    [[nodiscard]] Result<std::shared_ptr<void>> watch(std::string_view gateway, OnLost on_lost) override;
    void give_up(std::string_view gateway, const LostSession& lost) override;
    void store(std::string_view gateway, std::vector<SessionChange> changes,
               std::function<void(const Result<void>&)> done) override;
    [[nodiscard]] Result<void> load(std::string_view gateway, FunctionRef<void(StoredSession&&)> visit) override;

 private:
    using Steady = std::chrono::steady_clock;
    using SessionAtGateway = std::pair<std::string, std::string>;
    using Emptied = std::set<SessionAtGateway>;

    struct Claim {
        std::string session;
        std::string gateway;
        std::function<void(Result<SessionClaim>)> done;
    };
    /// Changes, or that a session was given up after them.
    struct Batch {
        std::string gateway;
        std::vector<SessionChange> changes;
        std::optional<LostSession> given_up;
        std::function<void(const Result<void>&)> done;
        std::size_t bytes = 0;
        Steady::time_point handed_over;
    };
    /// Which replies a batch has.
    struct Sent {
        bool has_index = false;               ///< the first is the index's
        std::vector<std::string> sessions{};  ///< one each
    };
    /// A claim that waits for other gateways. Bounded by the claims that wait.
    struct HandOver {
        Claim claim;
        SessionEpoch epoch = 0;
        std::vector<std::string> holders;
        std::set<std::string> waits_for;
        Steady::time_point until;
        std::vector<Claim> behind{};      ///< later claims of the same gateway
        std::vector<LostSession> lost{};  ///< what is to be told after the claim is answered
    };
    struct Watched {
        OnLost on_lost;
        std::unique_ptr<RedisSessionWatch> watch;
    };

    RedisSessionStore(RedisSessionStoreOptions options, MetricRegistry& metrics);
    void submit(Batch batch);
    void unwatch(const std::string& gateway);

    void run();
    /// False when it is time to end.
    [[nodiscard]] bool take_work(std::vector<Claim>& claims, std::vector<RedisSessionNotice>& notices);
    [[nodiscard]] Steady::time_point next_look() const;
    void heed(const RedisSessionNotice& notice);
    void tell(const std::string& gateway, const LostSession& lost);
    void send_claims(RedisConnection& connection, std::vector<Claim>& claims);
    [[nodiscard]] Result<void> ask_holders(RedisConnection& connection, const std::vector<SessionAtGateway>& begun);
    void claim_again(std::vector<Claim>& claims);
    void refuse(const Claim& claim);
    /// Takes over what others gave up, or did not in time.
    void finish_hand_overs(RedisConnection* connection);
    void finish(const SessionAtGateway& at, Result<SessionClaim> answer);
    [[nodiscard]] Result<std::optional<StoredSession>> take_over(RedisConnection& connection,
                                                                 const HandOver& hand_over);
    void send_batches(RedisConnection& connection);
    [[nodiscard]] Sent append(RedisConnection& connection, const Batch& batch);
    [[nodiscard]] Result<void> read_batch(RedisConnection& connection, const Batch& batch, const Sent& sent,
                                          Emptied& emptied, bool& is_fenced);
    [[nodiscard]] Result<void> unindex(RedisConnection& connection, const Emptied& emptied);
    void give_up_batches(Steady::time_point handed_over_before);
    void answer_first(const Result<void>& result);
    [[nodiscard]] Result<void> load_page(RedisConnection& connection, std::string_view gateway, const RedisValue& keys,
                                         FunctionRef<void(StoredSession&&)> visit);

    const RedisSessionStoreOptions options_;
    MetricRegistry& metrics_;
    Counter& claims_total_;
    Counter& claims_refused_;
    Counter& given_;
    Counter& taken_from_dead_;
    Counter& taken_late_;
    Counter& batches_;
    Counter& fenced_;
    Counter& batches_given_up_;
    Gauge& waiting_bytes_;
    Gauge& claims_waiting_;
    Gauge& hand_overs_waiting_;

    std::mutex direct_mutex_;  ///< guards direct_: what callers wait for, at start-up
    RedisLink direct_;

    // The thread's own.
    RedisLink link_;
    std::deque<Batch> unsent_;
    Steady::time_point retry_at_{};  ///< Redis has refused a batch
    std::map<SessionAtGateway, HandOver> hand_overs_;
    SessionEpoch highest_ = 0;  ///< given so far: a server that has lost everything gives none below

    std::mutex watchers_mutex_;  ///< guards watchers_; held while one is called
    std::map<std::string, Watched> watchers_;

    std::mutex mutex_;  ///< guards what follows
    std::condition_variable changed_;
    std::vector<Claim> claims_;
    std::vector<RedisSessionNotice> notices_;
    std::vector<Batch> pending_;
    bool stopping_ = false;

    std::thread thread_;
};

}  // namespace muster
