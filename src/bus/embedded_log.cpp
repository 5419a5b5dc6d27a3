#include "bus/embedded_log.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <string_view>
#include <unordered_map>

#include <rocksdb/convenience.h>
#include <rocksdb/write_batch.h>

#include "base/bytes.h"
#include "bus/embedded_log_reader.h"
#include "bus/embedded_topic.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

constexpr std::string_view meta_family = "meta";
constexpr std::string_view bounded_prefix = "bounded:";
constexpr std::string_view compacted_prefix = "compacted:";
constexpr std::size_t bus_wal_bytes_max = 128U << 20U;
/// A commit's memory is kept for the next one, but not that of an unusually large one.
constexpr std::size_t kept_write_bytes_max = 8U << 20U;
constexpr std::size_t memtable_bytes_max = 64U << 20U;
constexpr std::size_t memtable_bytes_min = 128U << 10U;
/// How long a consumer may take to see that a key is gone: Kafka's delete.retention.ms.
constexpr auto tombstone_retention = std::chrono::hours(24);
/// Old tombstones removed by a commit that brings a new one: faster than they come, and never a long commit.
constexpr int tombstones_dropped_max = 64;

std::string family_name(const TopicSpec& spec) {
    return std::string(spec.cleanup == TopicSpec::Cleanup::compacted ? compacted_prefix : bounded_prefix)
        .append(spec.name);
}

/// The oldest table goes when the topic is over its size. Many small tables must not stall writers: nothing merges them
/// but the intra-level compaction of small ones. No compression: what is short-lived is not worth a microsecond a
/// record.
rocksdb::ColumnFamilyOptions bounded_options() {
    rocksdb::ColumnFamilyOptions options;
    options.compaction_style = rocksdb::kCompactionStyleFIFO;
    options.num_levels = 1;
    options.compaction_options_fifo = rocksdb::CompactionOptionsFIFO(1ULL << 50U, true);
    options.level0_slowdown_writes_trigger = 1 << 20;
    options.level0_stop_writes_trigger = 1 << 20;
    options.compression = rocksdb::kNoCompression;
    options.write_buffer_size = memtable_bytes_max;
    options.table_factory = rocks_table(64U << 10U, false);
    return options;
}

rocksdb::ColumnFamilyOptions options_of_family(const std::string& name) {
    return name.starts_with(bounded_prefix) ? bounded_options() : rocks_family_options();
}

template <class T>
void append_big_endian(std::string& out, T value) {
    for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(value >> static_cast<unsigned>(shift)));
    }
}

std::string group_key(const std::string& group, const std::string& topic, Partition partition) {
    std::string key = "group/" + group;
    key.push_back('\0');
    key.append(topic).push_back('\0');
    append_big_endian(key, static_cast<std::uint32_t>(partition));
    return key;
}

std::string next_key(const std::string& topic) {
    return "next/" + topic;
}

/// The value of a 'k' key: i64 offset, i64 time in epoch ms, u8 1 for a tombstone.
struct NewestOfKey {
    Offset offset = 0;
    Timestamp time{};
    bool tombstone = false;
};

std::string encode(const NewestOfKey& newest) {
    std::string out;
    ByteWriter writer(out);
    writer.number(newest.offset);
    writer.number(to_epoch_ms(newest.time));
    writer.number(static_cast<std::uint8_t>(newest.tombstone ? 1 : 0));
    return out;
}

NewestOfKey decode_newest(std::string_view bytes, bool& ok) {
    ByteReader reader(bytes);
    NewestOfKey newest;
    newest.offset = reader.number<Offset>();
    newest.time = from_epoch_ms(reader.number<std::int64_t>());
    newest.tombstone = reader.number<std::uint8_t>() != 0;
    ok = reader.ok();
    return newest;
}

std::string one_record_batch(const ConsumerRecord& record) {
    const ProducerRecord copy{.key = record.key,
                              .value = record.value,
                              .headers = record.headers,
                              .time = record.time,
                              .tombstone = record.tombstone};
    std::string bytes(batch_header_bytes, '\0');
    append_record(bytes, copy, stored_bytes(copy));
    return seal_batch(std::move(bytes), record.offset, 1).bytes;
}

}  // namespace

namespace log_keys {

std::string record(Partition partition, Offset offset) {
    std::string key(1, 'r');
    append_big_endian(key, static_cast<std::uint32_t>(partition));
    append_big_endian(key, static_cast<std::uint64_t>(offset));
    return key;
}

std::string newest(Partition partition, std::string_view key_of_record) {
    std::string key(1, 'k');
    append_big_endian(key, static_cast<std::uint32_t>(partition));
    key.append(key_of_record);
    return key;
}

std::string tombstone(Timestamp time, Partition partition, Offset offset) {
    std::string key(1, 't');
    append_big_endian(key, static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_epoch_ms(time))));
    append_big_endian(key, static_cast<std::uint32_t>(partition));
    append_big_endian(key, static_cast<std::uint64_t>(offset));
    return key;
}

}  // namespace log_keys

EmbeddedLog::EmbeddedLog(std::unique_ptr<RocksDatabase> database, Partition partitions, MetricRegistry& metrics)
    : partitions_(partitions),
      database_(std::move(database)),
      damaged_(metrics.counter("muster_bus_damaged_batches_total",
                               "Stored batches that could not be read and were skipped")) {}

EmbeddedLog::~EmbeddedLog() = default;

Result<std::unique_ptr<EmbeddedLog>> EmbeddedLog::open(const std::string& directory, Partition partitions,
                                                       MetricRegistry& metrics, rocksdb::Env* env) {
    auto database = RocksDatabase::open({.directory = directory,
                                         .what = "message bus",
                                         .families = {std::string(meta_family)},
                                         .family_options = options_of_family,
                                         .wal_bytes_max = bus_wal_bytes_max,
                                         .env = env});
    if (!database) {
        return tl::unexpected(database.error());
    }
    std::unique_ptr<EmbeddedLog> log(new EmbeddedLog(std::move(*database), partitions, metrics));
    if (const auto checked = log->check_partitions(); !checked) {
        return tl::unexpected(checked.error());
    }
    return log;
}

rocksdb::DB& EmbeddedLog::db() {
    return database_->db();
}

rocksdb::ColumnFamilyHandle* EmbeddedLog::meta() {
    return database_->family(std::string(meta_family));
}

Result<void> EmbeddedLog::check_open() const {
    if (!database_->is_open()) {
        return fail(ErrorCode::io, "the message bus is closed after an error of its disk");
    }
    return {};
}

Result<void> EmbeddedLog::check_partitions() {
    std::string stored;
    const auto status = db().Get(rocksdb::ReadOptions(), meta(), "partitions", &stored);
    if (status.IsNotFound()) {
        rocksdb::WriteOptions synced;
        synced.sync = true;
        return rocks_result(db().Put(synced, meta(), "partitions", std::to_string(partitions_)),
                            "cannot write to the message bus");
    }
    if (!status.ok()) {
        return rocks_result(status, "cannot read the message bus");
    }
    if (stored != std::to_string(partitions_)) {
        return fail(ErrorCode::invalid_argument, "the number of partitions cannot be changed",
                    "the message bus in " + database_->directory() + " has " + stored + " partitions, not " +
                        std::to_string(partitions_) + "; start with " + stored + " or use an empty directory");
    }
    return {};
}

Result<std::vector<Offset>> EmbeddedLog::read_next(const std::string& topic) {
    std::vector<Offset> next(static_cast<std::size_t>(partitions_), 0);
    std::string stored;
    const auto status = db().Get(rocksdb::ReadOptions(), meta(), next_key(topic), &stored);
    if (status.IsNotFound()) {
        return next;
    }
    if (!status.ok()) {
        return tl::unexpected(rocks_result(status, "cannot read the message bus").error());
    }
    ByteReader reader(stored);
    for (Offset& offset : next) {
        offset = reader.number<Offset>();
    }
    if (!reader.ok() || !reader.at_end() || std::ranges::any_of(next, [](Offset offset) { return offset < 0; })) {
        return fail(ErrorCode::corrupt, "stored data is damaged and was left as it is",
                    "the message bus in " + database_->directory() + " has no valid offsets for topic " + topic +
                        "; restore the directory from a backup, or move it away to start empty");
    }
    return next;
}

Result<LogTopic> EmbeddedLog::open_topic(const TopicSpec& spec) {
    const auto used = in_use();
    if (const auto open = check_open(); !open) {
        return tl::unexpected(open.error());
    }
    TopicSpec other = spec;
    const bool compacted = spec.cleanup == TopicSpec::Cleanup::compacted;
    other.cleanup = compacted ? TopicSpec::Cleanup::bounded : TopicSpec::Cleanup::compacted;
    if (database_->family(family_name(other)) != nullptr) {
        return fail(ErrorCode::conflict, "a topic cannot change between bounded and compacted", spec.name);
    }
    LogTopic topic{.family = family_name(spec), .next = {}};
    if (database_->family(topic.family) == nullptr) {
        if (const auto created = database_->create_family(topic.family); !created) {
            return tl::unexpected(created.error());
        }
    }
    auto next = read_next(spec.name);
    if (!next) {
        return tl::unexpected(next.error());
    }
    topic.next = std::move(*next);
    if (const auto set = set_retention(spec); !set) {
        return tl::unexpected(set.error());
    }
    const std::lock_guard lock(mutex_);
    open_topics_.push_back(spec);
    return topic;
}

Result<void> EmbeddedLog::set_retention(const TopicSpec& spec) {
    if (spec.cleanup == TopicSpec::Cleanup::compacted) {
        return {};
    }
    // Retention goes by whole tables, so a table must be small against the whole.
    const std::uint64_t memtable =
        std::clamp<std::uint64_t>(spec.retention_bytes / 8, memtable_bytes_min, memtable_bytes_max);
    const auto set =
        db().SetOptions(database_->family(family_name(spec)),
                        {{"compaction_options_fifo",
                          "{max_table_files_size=" + std::to_string(spec.retention_bytes) + ";allow_compaction=true;}"},
                         {"ttl", std::to_string(std::max<std::int64_t>(1, spec.retention.count()))},
                         {"write_buffer_size", std::to_string(memtable)},
                         {"arena_block_size", std::to_string(memtable / 8)}});
    return rocks_result(set, "cannot set the topic's retention");
}

Result<void> EmbeddedLog::reopen() {
    const std::unique_lock alone(database_mutex_);
    const std::lock_guard lock(mutex_);
    for (EmbeddedLogReader* reader : readers_) {
        reader->drop_iterator();
    }
    Result<void> opened = database_->reopen();
    for (const TopicSpec& spec : open_topics_) {
        if (opened) {
            opened = set_retention(spec);
        }
    }
    return opened;
}

void EmbeddedLog::add_reader(EmbeddedLogReader& reader) {
    const std::lock_guard lock(mutex_);
    readers_.push_back(&reader);
}

void EmbeddedLog::remove_reader(EmbeddedLogReader& reader) {
    const std::lock_guard lock(mutex_);
    std::erase(readers_, &reader);
}

std::unique_ptr<rocksdb::Iterator> EmbeddedLog::iterator(const rocksdb::ReadOptions& options,
                                                         const EmbeddedTopic& topic) {
    if (!database_->is_open()) {
        return nullptr;
    }
    return std::unique_ptr<rocksdb::Iterator>(db().NewIterator(options, database_->family(topic.family())));
}

Result<void> EmbeddedLog::append(std::span<const LogAppend> appends) {
    const auto used = in_use();
    if (auto open = check_open(); !open) {
        return open;
    }
    if (writes_ == nullptr || writes_->GetDataSize() > kept_write_bytes_max) {
        writes_ = std::make_unique<rocksdb::WriteBatch>();
    }
    writes_->Clear();
    std::vector<EmbeddedTopic*> topics;
    for (const LogAppend& append : appends) {
        if (!append.topic->compacted()) {
            append_bounded(append);
        } else if (auto done = append_compacted(append); !done) {
            return done;
        }
        if (std::ranges::find(topics, append.topic) == topics.end()) {
            topics.push_back(append.topic);
        }
    }
    for (EmbeddedTopic* topic : topics) {
        append_next(*topic);
    }
    rocksdb::WriteOptions synced;
    synced.sync = true;
    return rocks_result(db().Write(synced, writes_.get()), "cannot write to the message bus");
}

void EmbeddedLog::append_next(EmbeddedTopic& topic) {
    std::string next;
    ByteWriter writer(next);
    for (const Offset offset : topic.next()) {
        writer.number(offset);
    }
    writes_->Put(meta(), next_key(topic.name()), next);
}

void EmbeddedLog::append_bounded(const LogAppend& append) {
    auto* const family = database_->family(append.topic->family());
    for (const RecordBatch& batch : append.batches) {
        writes_->Put(family, log_keys::record(append.partition, batch.base), batch.bytes);
    }
}

Result<void> EmbeddedLog::append_compacted(const LogAppend& append) {
    auto* const family = database_->family(append.topic->family());
    // Of several records of one key in one commit only the last is ever stored.
    std::unordered_map<std::string_view, Offset> last_of_key;
    const auto each_record = [&append](auto visit) {
        for (const RecordBatch& batch : append.batches) {
            RecordCursor cursor(batch);
            for (ConsumerRecord record; cursor.next(record);) {
                visit(record);
            }
        }
    };
    each_record([&](const ConsumerRecord& record) { last_of_key[record.key] = record.offset; });

    Result<void> result;
    Timestamp newest_tombstone{};
    each_record([&](const ConsumerRecord& record) {
        if (!result || last_of_key[record.key] != record.offset) {
            return;
        }
        result = supersede(append, record.key);
        const NewestOfKey newest{record.offset, record.time, record.tombstone};
        writes_->Put(family, log_keys::newest(append.partition, record.key), encode(newest));
        writes_->Put(family, log_keys::record(append.partition, record.offset), one_record_batch(record));
        if (record.tombstone) {
            newest_tombstone = std::max(newest_tombstone, record.time);
            writes_->Put(family, log_keys::tombstone(record.time, append.partition, record.offset),
                         slice_of(record.key));
        }
    });
    if (result && newest_tombstone != Timestamp{}) {
        drop_old_tombstones(*append.topic, newest_tombstone);
    }
    return result;
}

Result<void> EmbeddedLog::supersede(const LogAppend& append, std::string_view key) {
    auto* const family = database_->family(append.topic->family());
    std::string stored;
    const auto status = db().Get(rocksdb::ReadOptions(), family, log_keys::newest(append.partition, key), &stored);
    if (status.IsNotFound()) {
        return {};
    }
    if (!status.ok() && !status.IsCorruption()) {
        return rocks_result(status, "cannot read the message bus");
    }
    bool ok = false;
    const NewestOfKey newest = decode_newest(stored, ok);
    if (!ok) {
        // The older record stays, which costs its bytes; a reader still sees the newer one after it.
        damaged_.Increment();
        return {};
    }
    writes_->Delete(family, log_keys::record(append.partition, newest.offset));
    if (newest.tombstone) {
        writes_->Delete(family, log_keys::tombstone(newest.time, append.partition, newest.offset));
    }
    return {};
}

void EmbeddedLog::drop_old_tombstones(const EmbeddedTopic& topic, Timestamp now) {
    auto* const family = database_->family(topic.family());
    std::string& done = tombstones_dropped_to_[topic.id()];
    if (done.empty()) {
        done = "t";
    }
    const std::string end = log_keys::tombstone(now - tombstone_retention, 0, 0);
    const rocksdb::Slice upper(end);
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> iterator(db().NewIterator(options, family));
    int dropped = 0;
    for (iterator->Seek(done); iterator->Valid() && dropped < tombstones_dropped_max; iterator->Next(), ++dropped) {
        const std::string_view key = view_of(iterator->key());
        const std::string place(key.substr(key.size() - sizeof(std::uint32_t) - sizeof(std::uint64_t)));
        const auto partition_bytes = place.substr(0, sizeof(std::uint32_t));
        writes_->Delete(family, iterator->key());
        writes_->Delete(family, "r" + place);
        writes_->Delete(family, "k" + partition_bytes + iterator->value().ToString());
        done = key;
    }
}

Result<void> EmbeddedLog::sync() {
    const auto used = in_use();
    if (auto open = check_open(); !open) {
        return open;
    }
    return rocks_result(db().SyncWAL(), "cannot write to the message bus");
}

Result<void> EmbeddedLog::commit_offset(const std::string& group, const std::string& topic, Partition partition,
                                        Offset next) {
    const auto used = in_use();
    if (auto open = check_open(); !open) {
        return open;
    }
    std::string value;
    ByteWriter(value).number(next);
    return rocks_result(db().Put(rocksdb::WriteOptions(), meta(), group_key(group, topic, partition), value),
                        "cannot commit an offset");
}

Result<std::optional<Offset>> EmbeddedLog::committed_offset(const std::string& group, const std::string& topic,
                                                            Partition partition) {
    const auto used = in_use();
    if (const auto open = check_open(); !open) {
        return tl::unexpected(open.error());
    }
    std::string stored;
    const auto status = db().Get(rocksdb::ReadOptions(), meta(), group_key(group, topic, partition), &stored);
    if (status.IsNotFound()) {
        return std::nullopt;
    }
    if (!status.ok()) {
        return tl::unexpected(rocks_result(status, "cannot read a committed offset").error());
    }
    ByteReader reader(stored);
    const auto next = reader.number<Offset>();
    if (!reader.ok()) {
        return fail(ErrorCode::corrupt, "a committed offset is damaged", group + ", " + topic);
    }
    return next;
}

std::uint64_t EmbeddedLog::stored_bytes(const EmbeddedTopic& topic) {
    const auto used = in_use();
    std::uint64_t bytes = 0;
    if (database_->is_open()) {
        (void)db().GetIntProperty(database_->family(topic.family()), rocksdb::DB::Properties::kLiveSstFilesSize,
                                  &bytes);
    }
    return bytes;
}

void EmbeddedLog::report_damage(const EmbeddedTopic& topic, Partition partition, Offset offset, const Error& error) {
    damaged_.Increment();
    std::uint64_t swallowed = 0;
    const auto now = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch());
    if (damage_log_.allow(now, swallowed)) {
        spdlog::error("bus: skipped damaged records of {} partition {} from offset {} in {}: {} ({} more like this)",
                      topic.name(), partition, offset, database_->directory(), error.message(), swallowed);
    }
}

}  // namespace muster
