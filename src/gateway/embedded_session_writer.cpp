#include "gateway/embedded_session_writer.h"

#include <rocksdb/write_batch.h>

#include "base/assert.h"
#include "base/thread.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

constexpr std::chrono::milliseconds commit_interval{2};

void append_big_endian(std::uint64_t number, unsigned bytes, std::string& out) {
    for (unsigned i = bytes; i-- > 0;) {
        out += static_cast<char>(number >> (8 * i) & 0xFFU);
    }
}

bool is_erasure(SessionChange::Kind kind) {
    using Kind = SessionChange::Kind;
    return kind == Kind::erase_session || kind == Kind::erase_message || kind == Kind::erase_packet_id;
}

}  // namespace

std::string kept_prefix(std::string_view gateway) {
    std::string key("kept\0", 5);
    key.append(gateway).push_back('\0');
    return key;
}

std::string kept_key(std::string_view gateway, const SessionChange& change) {
    using Kind = SessionChange::Kind;
    MUSTER_ASSERT(!change.session.empty() && change.session.size() <= session_key_bytes_max);
    std::string key = kept_prefix(gateway);
    key.append(change.session).push_back('\0');
    if (change.kind == Kind::put_message || change.kind == Kind::erase_message) {
        key += 'm';
        append_big_endian(change.number, 8, key);
    } else if (change.kind == Kind::put_packet_id || change.kind == Kind::erase_packet_id) {
        key += 'i';
        append_big_endian(change.number, 2, key);
    }
    return key;
}

EmbeddedSessionWriter::EmbeddedSessionWriter(RocksDatabase& database, std::shared_mutex& in_use)
    : database_(database), in_use_(in_use), thread_(start_thread("sessions", [this] { run(); })) {}

EmbeddedSessionWriter::~EmbeddedSessionWriter() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void EmbeddedSessionWriter::submit(Submission submission) {
    {
        const std::lock_guard lock(mutex_);
        pending_.push_back(std::move(submission));
    }
    changed_.notify_one();
}

void EmbeddedSessionWriter::run() {
    std::vector<Submission> taken;
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !pending_.empty(); });
        if (pending_.empty()) {
            return;
        }
        taken.swap(pending_);
        lock.unlock();
        const auto begin = std::chrono::steady_clock::now();
        const Result<void> written = write(taken);
        for (const Submission& submission : taken) {
            submission.done(written);
        }
        taken.clear();
        lock.lock();
        changed_.wait_until(lock, begin + commit_interval, [this] { return stopping_; });
    }
}

Result<void> EmbeddedSessionWriter::write(const std::vector<Submission>& taken) {
    rocksdb::WriteBatch batch;
    for (const Submission& submission : taken) {
        for (const SessionChange& change : submission.changes) {
            const std::string key = kept_key(submission.gateway, change);
            const rocksdb::Status added = is_erasure(change.kind) ? batch.Delete(key) : batch.Put(key, change.value);
            MUSTER_ASSERT(added.ok());
        }
    }
    if (batch.Count() == 0) {
        return {};
    }
    if (Result<void> written = write_once(batch); written) {
        return written;
    }
    Result<void> written = reopen();
    if (written) {
        written = write_once(batch);
    }
    std::uint64_t swallowed = 0;
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    if (!written && log_.allow(std::chrono::duration_cast<Millis>(now), swallowed)) {
        spdlog::error("sessions: {} ({} more since the last time)", written.error().message(), swallowed);
    }
    return written;
}

Result<void> EmbeddedSessionWriter::write_once(rocksdb::WriteBatch& batch) {
    const std::shared_lock in_use(in_use_);
    if (!database_.is_open()) {
        return fail(ErrorCode::unavailable, "the session store is closed after an error");
    }
    rocksdb::WriteOptions durably;
    durably.sync = true;
    return rocks_result(database_.db().Write(durably, &batch), "cannot write kept sessions");
}

Result<void> EmbeddedSessionWriter::reopen() {
    const std::lock_guard alone(in_use_);
    return database_.reopen();
}

}  // namespace muster
