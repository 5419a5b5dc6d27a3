#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "gateway/session_store.h"

namespace rocksdb {
class WriteBatch;
}

namespace muster {

class RocksDatabase;

// Keys of kept sessions. Numbers are big-endian, so that a session's rows lie together, document first, messages in
// order; neither names nor session keys hold a zero byte.
//   "kept" 0 gateway 0 session 0            its document
//   "kept" 0 gateway 0 session 0 'i' u16    a packet id, without a value
//   "kept" 0 gateway 0 session 0 'm' u64    a message
[[nodiscard]] std::string kept_prefix(std::string_view gateway);
[[nodiscard]] std::string kept_key(std::string_view gateway, const SessionChange& change);

/// The thread that writes kept sessions: joins what all callers handed over into one synced write, at most one in
/// 2 ms; then tells them. What it holds is bounded by its callers. Owned by the store.
class EmbeddedSessionWriter final {
 public:
    /// `in_use` is held alone while the database is opened again after a write that failed.
    EmbeddedSessionWriter(RocksDatabase& database, std::shared_mutex& in_use);
    /// Writes what it was given, then stops.
    ~EmbeddedSessionWriter();
    EmbeddedSessionWriter(const EmbeddedSessionWriter&) = delete;
    EmbeddedSessionWriter& operator=(const EmbeddedSessionWriter&) = delete;

    struct Submission {
        std::string gateway;
        std::vector<SessionChange> changes;
        std::function<void(const Result<void>&)> done;
    };
    /// Any thread.
    void submit(Submission submission);

 private:
    void run();
    [[nodiscard]] Result<void> write(const std::vector<Submission>& taken);
    [[nodiscard]] Result<void> write_once(rocksdb::WriteBatch& batch);
    [[nodiscard]] Result<void> reopen();

    RocksDatabase& database_;
    std::shared_mutex& in_use_;
    LogLimit log_;

    std::mutex mutex_;  ///< guards what follows
    std::condition_variable changed_;
    std::vector<Submission> pending_;
    bool stopping_ = false;

    std::thread thread_;
};

}  // namespace muster
