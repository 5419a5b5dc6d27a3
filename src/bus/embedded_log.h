#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "bus/bus.h"
#include "bus/record_batch.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
class Iterator;
struct ReadOptions;
class WriteBatch;
}  // namespace rocksdb

namespace muster {

class EmbeddedLogReader;
class EmbeddedTopic;
class RocksDatabase;

/// Sealed batches of one partition, to be written in one commit.
struct LogAppend {
    EmbeddedTopic* topic = nullptr;
    Partition partition = 0;
    std::vector<RecordBatch> batches;
};

/// Where a topic is in the store, and the offset that follows the last record of each of its partitions.
struct LogTopic {
    std::string family;
    std::vector<Offset> next;
};

/// What the embedded bus keeps on disk, in one RocksDB (docs/data-formats.md, "Bus"): a column family a topic, and
/// "meta" with the offsets. append() belongs to the commit thread, the rest to any.
class EmbeddedLog final {
 public:
    [[nodiscard]] static Result<std::unique_ptr<EmbeddedLog>> open(const std::string& directory, Partition partitions,
                                                                   MetricRegistry& metrics, rocksdb::Env* env);
    ~EmbeddedLog();

    [[nodiscard]] Result<LogTopic> open_topic(const TopicSpec& spec);
    /// Writes everything and the topics' next() in one synced write: all of it or nothing.
    [[nodiscard]] Result<void> append(std::span<const LogAppend> appends);
    /// Makes durable against a power cut what commit_offset() wrote before.
    [[nodiscard]] Result<void> sync();
    /// After a write that failed: closes the database and opens it again, so that the next one can succeed.
    [[nodiscard]] Result<void> reopen();

    /// Survives the end of the process when it returns, and a power cut after the next append() or sync().
    [[nodiscard]] Result<void> commit_offset(const std::string& group, const std::string& topic, Partition partition,
                                             Offset next);
    [[nodiscard]] Result<std::optional<Offset>> committed_offset(const std::string& group, const std::string& topic,
                                                                 Partition partition);
    /// Bytes of a topic's files.
    [[nodiscard]] std::uint64_t stored_bytes(const EmbeddedTopic& topic);

    /// A reader is known from its first to its last breath, because reopen() must take its iterator away.
    void add_reader(EmbeddedLogReader& reader);
    void remove_reader(EmbeddedLogReader& reader);
    /// Held by a reader while it uses its iterator; no one reopens meanwhile.
    [[nodiscard]] std::shared_lock<std::shared_mutex> in_use() { return std::shared_lock(database_mutex_); }
    /// Under in_use(). Null while the database is closed after a failed reopen().
    [[nodiscard]] std::unique_ptr<rocksdb::Iterator> iterator(const rocksdb::ReadOptions& options,
                                                              const EmbeddedTopic& topic);

    /// Counts and logs a batch that a reader had to skip.
    void report_damage(const EmbeddedTopic& topic, Partition partition, Offset offset, const Error& error);

 private:
    EmbeddedLog(std::unique_ptr<RocksDatabase> database, Partition partitions, MetricRegistry& metrics);
    [[nodiscard]] rocksdb::DB& db();
    [[nodiscard]] rocksdb::ColumnFamilyHandle* meta();
    [[nodiscard]] Result<void> check_open() const;
    Result<void> set_retention(const TopicSpec& spec);
    Result<void> check_partitions();
    Result<std::vector<Offset>> read_next(const std::string& topic);
    void append_bounded(const LogAppend& append);
    Result<void> append_compacted(const LogAppend& append);
    Result<void> supersede(const LogAppend& append, std::string_view key);
    void drop_old_tombstones(const EmbeddedTopic& topic, Timestamp now);
    void append_next(EmbeddedTopic& topic);

    const Partition partitions_;
    std::shared_mutex database_mutex_;  ///< shared: the database is in use; exclusive: it is being reopened
    std::unique_ptr<RocksDatabase> database_;
    std::mutex mutex_;  ///< guards what follows
    std::vector<EmbeddedLogReader*> readers_;
    std::vector<TopicSpec> open_topics_;

    std::unique_ptr<rocksdb::WriteBatch> writes_;           ///< commit thread; kept for its memory
    std::map<TopicId, std::string> tombstones_dropped_to_;  ///< commit thread; spares reading over what was deleted
    Counter& damaged_;
    LogLimit damage_log_;
};

/// Keys of a topic's column family; numbers big-endian so that they sort.
namespace log_keys {
/// 'r' u32 partition, u64 offset → batch (of one record in a compacted topic). Key of the batch's first record.
[[nodiscard]] std::string record(Partition partition, Offset offset);
/// 'k' u32 partition, key → (compacted) where the newest record of this key is.
[[nodiscard]] std::string newest(Partition partition, std::string_view key);
/// 't' u64 time, u32 partition, u64 offset → (compacted) the key of a tombstone, in the order in which they may go.
[[nodiscard]] std::string tombstone(Timestamp time, Partition partition, Offset offset);
}  // namespace log_keys

}  // namespace muster
