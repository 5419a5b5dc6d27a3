#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include "base/result.h"

namespace muster {

// What every embedded store shares: how a RocksDB of ours is opened, and how its words become an Error. Only embedded_*
// files include this header.

/// How to open one store's database.
struct RocksOptions {
    std::string directory;                ///< created with its parents when missing
    std::string what;                     ///< for messages: "message bus", "session store"
    std::vector<std::string> families{};  ///< created when missing; those that are already there are opened too
    /// Options of a family by name; empty: rocks_family_options() for all.
    std::function<rocksdb::ColumnFamilyOptions(const std::string& family)> family_options{};
    std::size_t wal_bytes_max = 256U << 20U;  ///< over it the oldest memtables are flushed so that the log can go
    rocksdb::Env* env = nullptr;              ///< null: the real file system; else one with faults, for tests
};

/// A RocksDB and its column families. Owned by one store; any thread, but for reopen(). Closing it flushes nothing:
/// what the write-ahead log holds is read back at the next start. Its memory is bounded by what all databases of the
/// process share, see rocks_block_cache_bytes and rocks_write_buffer_bytes.
class RocksDatabase final {
 public:
    /// invalid_argument: another process has it open, or the directory cannot be used. corrupt: its files are damaged.
    /// The message names the directory and says what to do.
    [[nodiscard]] static Result<std::unique_ptr<RocksDatabase>> open(RocksOptions options);
    ~RocksDatabase();
    RocksDatabase(const RocksDatabase&) = delete;
    RocksDatabase& operator=(const RocksDatabase&) = delete;

    /// Closes and opens again. The only way back after a write that failed (a full disk): RocksDB 7.8 cannot resume
    /// from an error of its write-ahead log (facebook/rocksdb issue 11643). Nobody may be using the database, a handle
    /// or an iterator. When it fails the database stays closed, and may be tried again.
    [[nodiscard]] Result<void> reopen();
    [[nodiscard]] bool is_open() const { return db_ != nullptr; }

    [[nodiscard]] rocksdb::DB& db() { return *db_; }
    [[nodiscard]] const std::string& directory() const { return options_.directory; }
    /// Null when there is none of this name.
    [[nodiscard]] rocksdb::ColumnFamilyHandle* family(const std::string& name);
    [[nodiscard]] Result<rocksdb::ColumnFamilyHandle*> create_family(const std::string& name);
    /// Removes a family with all that is in it, at once. Its handle must not be in use.
    [[nodiscard]] Result<void> drop_family(const std::string& name);
    [[nodiscard]] std::vector<std::string> family_names() const;

 private:
    explicit RocksDatabase(RocksOptions options) : options_(std::move(options)) {}
    void close();
    Result<void> open_database();
    Result<void> open_families(const std::vector<std::string>& names);
    [[nodiscard]] rocksdb::ColumnFamilyOptions options_of(const std::string& family) const;
    [[nodiscard]] tl::unexpected<Error> open_error(const rocksdb::Status& status) const;

    RocksOptions options_;
    std::unique_ptr<rocksdb::DB> db_;
    mutable std::mutex mutex_;
    std::map<std::string, rocksdb::ColumnFamilyHandle*> families_;
};

/// Of all databases of the process together: blocks read back, and memtables not yet flushed.
inline constexpr std::size_t rocks_block_cache_bytes = 512U << 20U;
inline constexpr std::size_t rocks_write_buffer_bytes = 512U << 20U;

/// Level compaction, LZ4, bloom filter, the shared block cache: what suits small values read by key.
[[nodiscard]] rocksdb::ColumnFamilyOptions rocks_family_options();
/// The table format with the shared cache; `block_bytes` about the size of what is read together.
[[nodiscard]] std::shared_ptr<rocksdb::TableFactory> rocks_table(std::size_t block_bytes, bool bloom_filter);

/// What the files of a directory take, without folders in it; a file that goes meanwhile counts nothing.
[[nodiscard]] std::uint64_t bytes_of_files(const std::string& directory);

/// ok → nothing; else io, corrupt, not_found or unavailable with `text` and RocksDB's words. `text` must be static.
[[nodiscard]] Result<void> rocks_result(const rocksdb::Status& status, std::string_view text);

[[nodiscard]] inline std::string_view view_of(const rocksdb::Slice& slice) {
    return {slice.data(), slice.size()};
}
[[nodiscard]] inline rocksdb::Slice slice_of(std::string_view bytes) {
    return {bytes.data(), bytes.size()};
}

}  // namespace muster
