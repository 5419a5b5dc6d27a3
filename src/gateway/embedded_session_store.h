#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "gateway/session_store.h"

namespace muster {

class RocksDatabase;

/// The SessionStore port on RocksDB, for one process: a few bytes on disk, in a database of its own. A claim writes
/// nothing: an epoch is the store's start number and a counter, and the start number has grown durably before the first
/// claim. Any thread.
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

 private:
    explicit EmbeddedSessionStore(std::unique_ptr<RocksDatabase> database);
    [[nodiscard]] Result<std::uint64_t> raise(const std::string& key);
    [[nodiscard]] Result<SessionEpoch> next_epoch();

    std::unique_ptr<RocksDatabase> database_;
    std::mutex mutex_;
    std::uint64_t start_ = 0;   ///< under mutex_
    std::uint32_t claims_ = 0;  ///< of this start, under mutex_
};

}  // namespace muster
