#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rocksdb/db.h>

#include "base/result.h"
#include "history/history_store.h"
#include "history/presence_codec.h"

namespace muster {

/// Walks the devices of one baseline in id order, past chunks that are damaged. One thread; one chunk in memory.
class PresenceBaselineCursor final {
 public:
    /// Begins with the first device after `after`.
    PresenceBaselineCursor(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, const rocksdb::Snapshot* snapshot,
                           std::string_view after);

    /// Empty at the end.
    [[nodiscard]] std::string_view device() const;
    [[nodiscard]] PastPresence presence() const { return chunk_.device(index_); }
    [[nodiscard]] Result<void> next();
    /// To call once before the first use.
    [[nodiscard]] Result<void> start();
    /// Chunks, or blocks of them, that could not be read.
    [[nodiscard]] std::uint64_t damaged() const { return damaged_; }

 private:
    [[nodiscard]] bool is_chunk() const;
    [[nodiscard]] Result<void> read_chunk();

    const std::string after_;
    std::unique_ptr<rocksdb::Iterator> iterator_;
    PresenceChunk chunk_;
    std::string key_;  ///< of the chunk read last
    std::size_t index_ = 0;
    std::uint64_t damaged_ = 0;
};

/// Walks the devices that have an entry of one day at or before a time, in id order, past entries that are damaged.
/// Skips the rest of a device's entries by a seek once it has stepped over a few, so that one that flaps all day costs
/// no more than a seek.
class PresenceDayCursor final {
 public:
    PresenceDayCursor(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, const rocksdb::Snapshot* snapshot,
                      Timestamp at, std::string_view after);

    /// Empty at the end.
    [[nodiscard]] std::string_view device() const { return device_; }
    [[nodiscard]] PastPresence presence() const { return presence_; }
    [[nodiscard]] Result<void> next();
    /// Entries, or blocks of them, that could not be read.
    [[nodiscard]] std::uint64_t damaged() const { return damaged_; }

 private:
    enum class Entry : std::uint8_t { kept, later, damaged };

    [[nodiscard]] bool stands();
    [[nodiscard]] bool read_device();
    [[nodiscard]] bool is_of_device() const;
    [[nodiscard]] Entry read_entry();
    void seek_past_device();

    const Timestamp at_;
    const std::string begin_;
    std::unique_ptr<rocksdb::Iterator> iterator_;
    std::string device_;
    Timestamp passed_{};  ///< of the device: the entry at which the iterator stood last
    std::string row_;
    PastPresence presence_;
    std::uint64_t damaged_ = 0;
};

/// Every device as it was at a time: the baseline of a day laid under the entries of that day and of those after it up
/// to the time. Reads one consistent state of the database. One thread; memory does not grow with the fleet.
class PresenceScan final {
 public:
    struct Sources {
        rocksdb::DB& db;
        rocksdb::ColumnFamilyHandle* baseline = nullptr;     ///< null: nothing was before `days`
        std::span<rocksdb::ColumnFamilyHandle* const> days;  ///< ascending
        std::shared_ptr<const rocksdb::Snapshot> snapshot;
    };
    PresenceScan(const Sources& sources, Timestamp at, std::string_view after);

    /// The next device; false at the end. Damaged rows are left out and counted. io: a file cannot be read.
    [[nodiscard]] Result<bool> next(PastPresence& into);
    /// Rows, or blocks of them, that were left out so far.
    [[nodiscard]] std::uint64_t damaged() const;

 private:
    [[nodiscard]] Result<void> start();
    [[nodiscard]] Result<void> step();

    std::shared_ptr<const rocksdb::Snapshot> snapshot_;
    std::unique_ptr<PresenceBaselineCursor> baseline_;
    std::vector<PresenceDayCursor> days_;
    std::string current_;  ///< given last
    bool started_ = false;
};

}  // namespace muster
