#include "storage/embedded_rocksdb.h"

#include <algorithm>
#include <filesystem>

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include "base/assert.h"

namespace muster {
namespace {

const std::shared_ptr<rocksdb::Cache>& shared_block_cache() {
    static const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(rocks_block_cache_bytes);
    return cache;
}

const std::shared_ptr<rocksdb::WriteBufferManager>& shared_write_buffers() {
    static const auto buffers = std::make_shared<rocksdb::WriteBufferManager>(rocks_write_buffer_bytes);
    return buffers;
}

/// Keeps RocksDB from resuming by itself after a full disk: that fails, and in builds with assertions ends the process.
/// The owner reopens instead.
class NoAutomaticRecovery final : public rocksdb::EventListener {
 public:
    void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                              bool* auto_recovery) override {
        *auto_recovery = false;
    }
};

rocksdb::DBOptions database_options(const RocksOptions& ours) {
    rocksdb::DBOptions options;
    if (ours.env != nullptr) {
        options.env = ours.env;
    }
    options.create_if_missing = true;
    options.listeners.push_back(std::make_shared<NoAutomaticRecovery>());
    options.max_bgerror_resume_count = 0;
    options.write_buffer_manager = shared_write_buffers();
    options.max_total_wal_size = ours.wal_bytes_max;
    options.max_background_jobs = 2;
    options.bytes_per_sync = 1U << 20U;  // steady write-back instead of a burst at the end of a file
    // A crash loop must not leave a small table behind at each start.
    options.avoid_flush_during_recovery = true;
    options.avoid_flush_during_shutdown = true;
    // RocksDB's own log is for those who repair a database; it must neither grow nor cost a thread.
    options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
    options.keep_log_file_num = 2;
    options.max_log_file_size = 1U << 20U;
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
    return options;
}

bool is_locked_by_another(const rocksdb::Status& status) {
    const std::string words = status.ToString();
    return status.IsIOError() && words.find("lock ") != std::string::npos &&
           (words.find("temporarily unavailable") != std::string::npos ||
            words.find("current process") != std::string::npos);
}

}  // namespace

std::shared_ptr<rocksdb::TableFactory> rocks_table(std::size_t block_bytes, bool bloom_filter) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = shared_block_cache();
    table.block_size = block_bytes;
    table.format_version = 5;
    if (bloom_filter) {
        table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    }
    return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

rocksdb::ColumnFamilyOptions rocks_family_options() {
    rocksdb::ColumnFamilyOptions options;
    options.table_factory = rocks_table(16U << 10U, true);
    options.compression = rocksdb::kLZ4Compression;
    options.write_buffer_size = 32U << 20U;
    options.level_compaction_dynamic_level_bytes = true;
    return options;
}

Result<std::unique_ptr<RocksDatabase>> RocksDatabase::open(RocksOptions options) {
    std::error_code error;
    std::filesystem::create_directories(options.directory, error);
    if (error) {
        return fail(ErrorCode::invalid_argument, "cannot create the data directory",
                    options.directory + ": " + error.message());
    }
    std::unique_ptr<RocksDatabase> database(new RocksDatabase(std::move(options)));
    if (const auto opened = database->open_database(); !opened) {
        return tl::unexpected(opened.error());
    }
    return database;
}

Result<void> RocksDatabase::open_database() {
    std::vector<std::string> names;
    const auto listed = rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), options_.directory, &names);
    const bool is_new = !std::filesystem::exists(options_.directory + "/CURRENT");
    if (!listed.ok() && !is_new) {
        return open_error(listed);
    }
    if (is_new) {
        names = {rocksdb::kDefaultColumnFamilyName};
    }
    if (const auto opened = open_families(names); !opened) {
        return opened;
    }
    for (const std::string& name : options_.families) {
        if (family(name) != nullptr) {
            continue;
        }
        if (const auto created = create_family(name); !created) {
            return tl::unexpected(created.error());
        }
    }
    return {};
}

Result<void> RocksDatabase::open_families(const std::vector<std::string>& names) {
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    descriptors.reserve(names.size());
    for (const std::string& name : names) {
        descriptors.emplace_back(name, options_of(name));
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(database_options(options_), options_.directory, descriptors, &handles, &db);
    if (!status.ok()) {
        return open_error(status);
    }
    db_.reset(db);
    for (std::size_t i = 0; i < names.size(); ++i) {
        families_[names[i]] = handles[i];
    }
    return {};
}

RocksDatabase::~RocksDatabase() {
    close();
}

void RocksDatabase::close() {
    if (db_ == nullptr) {
        return;
    }
    for (const auto& [name, handle] : families_) {
        (void)db_->DestroyColumnFamilyHandle(handle);
    }
    families_.clear();
    (void)db_->Close();
    db_.reset();
}

Result<void> RocksDatabase::reopen() {
    close();
    return open_database();
}

rocksdb::ColumnFamilyOptions RocksDatabase::options_of(const std::string& family) const {
    return options_.family_options ? options_.family_options(family) : rocks_family_options();
}

rocksdb::ColumnFamilyHandle* RocksDatabase::family(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = families_.find(name);
    return found == families_.end() ? nullptr : found->second;
}

Result<rocksdb::ColumnFamilyHandle*> RocksDatabase::create_family(const std::string& name) {
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    const auto status = db_->CreateColumnFamily(options_of(name), name, &handle);
    if (!status.ok()) {
        return tl::unexpected(rocks_result(status, "cannot create a column family").error());
    }
    const std::lock_guard lock(mutex_);
    families_[name] = handle;
    return handle;
}

Result<void> RocksDatabase::drop_family(const std::string& name) {
    rocksdb::ColumnFamilyHandle* handle = family(name);
    if (handle == nullptr) {
        return {};
    }
    if (const auto dropped = rocks_result(db_->DropColumnFamily(handle), "cannot drop a column family"); !dropped) {
        return dropped;
    }
    const std::lock_guard lock(mutex_);
    families_.erase(name);
    return rocks_result(db_->DestroyColumnFamilyHandle(handle), "cannot close a column family");
}

std::vector<std::string> RocksDatabase::family_names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    names.reserve(families_.size());
    for (const auto& [name, handle] : families_) {
        names.push_back(name);
    }
    return names;
}

tl::unexpected<Error> RocksDatabase::open_error(const rocksdb::Status& status) const {
    const std::string place = "the " + options_.what + " in " + options_.directory;
    if (is_locked_by_another(status)) {
        return fail(ErrorCode::invalid_argument, "another muster is using the data directory",
                    place + " is locked; stop the other process or give this one a directory of its own");
    }
    if (status.IsCorruption() || status.IsInvalidArgument() || status.IsNotFound() || status.IsPathNotFound()) {
        return fail(ErrorCode::corrupt, "stored data is damaged and was left as it is",
                    place + " cannot be opened (" + status.ToString() +
                        "); restore the directory from a backup, or move it away to start empty");
    }
    return fail(ErrorCode::io, "the data directory cannot be opened", place + ": " + status.ToString());
}

std::uint64_t bytes_of_files(const std::string& directory) {
    std::uint64_t sum = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator file(directory, error), end; !error && file != end;
         file.increment(error)) {
        std::error_code gone;
        const auto bytes = file->file_size(gone);
        sum += gone ? 0 : bytes;
    }
    return sum;
}

Result<void> rocks_result(const rocksdb::Status& status, std::string_view text) {
    if (status.ok()) {
        return {};
    }
    ErrorCode code = ErrorCode::io;
    if (status.IsCorruption()) {
        code = ErrorCode::corrupt;
    } else if (status.IsNotFound()) {
        code = ErrorCode::not_found;
    } else if (status.IsBusy() || status.IsTryAgain() || status.IsIncomplete()) {
        code = ErrorCode::unavailable;
    }
    return fail(code, text, status.ToString());
}

}  // namespace muster
