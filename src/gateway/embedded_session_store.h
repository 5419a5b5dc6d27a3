#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

#include "gateway/session_store.h"

namespace muster {

class EmbeddedSessionWriter;
class RocksDatabase;

/// The SessionStore port on RocksDB, for one process, in a database of its own. A claim writes nothing: an epoch is the
/// store's start number and a counter, and the start number has grown durably before the first claim. Kept sessions are
/// written by one thread, in groups. Where a second gateway is, or was under another name, a claim also asks it and
/// takes over what it stored. Any thread.
class EmbeddedSessionStore final : public SessionStore {
 public:
    /// `directory` is created when missing. invalid_argument: it cannot be used, or another process uses it. corrupt:
    /// it is damaged. The message is for the administrator.
    [[nodiscard]] static Result<std::unique_ptr<EmbeddedSessionStore>> open(const std::string& directory);
    ~EmbeddedSessionStore() override;

    [[nodiscard]] Result<Incarnation> begin_incarnation(std::string_view gateway) override;
    /// `done` is called before this returns, unless there is another gateway that may have something of the session.
    void claim(std::string_view session, std::string_view gateway,
               std::function<void(Result<SessionClaim>)> done) override;
    [[nodiscard]] Result<std::shared_ptr<void>> watch(std::string_view gateway, OnLost on_lost) override;
    void give_up(std::string_view gateway, const LostSession& lost) override;
    /// `done` is called by the writer's thread.
    void store(std::string_view gateway, std::vector<SessionChange> changes,
               std::function<void(const Result<void>&)> done) override;
    [[nodiscard]] Result<void> load(std::string_view gateway, FunctionRef<void(StoredSession&&)> visit) override;

 private:
    using Done = std::function<void(Result<SessionClaim>)>;
    using SessionAtGateway = std::pair<std::string, std::string>;
    struct Watcher {
        std::mutex mutex;
        OnLost on_lost;  ///< under mutex; empty: it has let go
    };
    /// A claim that waits for other gateways. Bounded by the connections of the process.
    struct HandOver {
        SessionEpoch epoch = 0;
        Done done;
        std::set<std::string> waits_for{};
        std::vector<Done> behind{};       ///< later claims of the same gateway: made when this one is answered
        std::vector<LostSession> lost{};  ///< what is to be told after `done`
    };

    explicit EmbeddedSessionStore(std::unique_ptr<RocksDatabase> database);
    [[nodiscard]] Result<std::uint64_t> raise(const std::string& key);
    [[nodiscard]] Result<SessionEpoch> next_epoch();
    [[nodiscard]] Result<void> look_for_gateways();
    void answered(const std::string& gateway, const SessionAtGateway& claimed, SessionEpoch epoch);
    void let_go(const std::string& gateway);
    void tell(const std::string& gateway, const LostSession& lost);
    /// Everybody has given it up: when what they stored is written, it moves.
    void finish(const SessionAtGateway& claimed);
    void move_and_answer(const SessionAtGateway& claimed);
    [[nodiscard]] Result<std::optional<StoredSession>> move(const SessionAtGateway& claimed);

    std::unique_ptr<RocksDatabase> database_;
    std::shared_mutex in_use_;  ///< shared: the database is used; alone: it is opened again
    std::mutex mutex_;
    std::uint64_t start_ = 0;   ///< under mutex_
    std::uint32_t claims_ = 0;  ///< of this start, under mutex_

    std::mutex hand_over_mutex_;                                ///< guards what follows; taken before mutex_
    std::map<std::string, std::shared_ptr<Watcher>> watchers_;  ///< by gateway
    std::set<std::string> gateways_;                            ///< that may have stored something and do not watch
    std::map<SessionAtGateway, HandOver> hand_overs_;

    std::unique_ptr<EmbeddedSessionWriter> writer_;  ///< its thread uses all of the above
};

}  // namespace muster
