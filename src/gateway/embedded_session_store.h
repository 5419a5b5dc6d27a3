#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "gateway/session_store.h"

namespace muster {

class EmbeddedSessionWriter;
class RocksDatabase;

/// The SessionStore port on RocksDB, for one process, in a database of its own. A claim writes nothing: an epoch is the
/// store's start number and a counter, and the start number has grown durably before the first claim. Kept sessions are
/// written by one thread, in groups. Any thread.
class EmbeddedSessionStore final : public SessionStore {
 public:
    /// `directory` is created when missing. invalid_argument: it cannot be used, or another process uses it. corrupt:
    /// it is damaged. The message is for the administrator.
    [[nodiscard]] static Result<std::unique_ptr<EmbeddedSessionStore>> open(const std::string& directory);
    ~EmbeddedSessionStore() override;

    [[nodiscard]] Result<Incarnation> begin_incarnation(std::string_view gateway) override;
    /// `done` is called before this returns.
    void claim(std::string_view device, std::string_view gateway,
               std::function<void(Result<SessionEpoch>)> done) override;
    /// `done` is called by the writer's thread.
    void store(std::string_view gateway, std::vector<SessionChange> changes,
               std::function<void(const Result<void>&)> done) override;
    [[nodiscard]] Result<void> load(std::string_view gateway, FunctionRef<void(StoredSession&&)> visit) override;

 private:
    explicit EmbeddedSessionStore(std::unique_ptr<RocksDatabase> database);
    [[nodiscard]] Result<std::uint64_t> raise(const std::string& key);
    [[nodiscard]] Result<SessionEpoch> next_epoch();

    std::unique_ptr<RocksDatabase> database_;
    std::shared_mutex in_use_;  ///< shared: the database is used; alone: it is opened again
    std::mutex mutex_;
    std::uint64_t start_ = 0;   ///< under mutex_
    std::uint32_t claims_ = 0;  ///< of this start, under mutex_
    std::unique_ptr<EmbeddedSessionWriter> writer_;
};

}  // namespace muster
