#include <algorithm>
#include <filesystem>

#include <rocksdb/write_batch.h>

#include "history/chunk_key.h"
#include "history/disk_budget.h"
#include "history/embedded_chunk_reader.h"
#include "history/embedded_history_families.h"
#include "history/embedded_history_metrics.h"
#include "history/embedded_history_store.h"
#include "history/embedded_presence_history.h"
#include "history/embedded_tail.h"
#include "storage/embedded_rocksdb.h"

// What checkpoints do beside making samples durable: seal hours that are over, roll up days that are over, drop what is
// over its time, keep within the disk.

namespace muster {
namespace {

using Families = EmbeddedHistoryFamilies;
using Day = std::chrono::sys_days;

constexpr std::string_view cannot_write = "cannot write to the history";
/// In one checkpoint: all have their turn in 16 of them.
constexpr std::size_t lanes_a_checkpoint = 4;
/// After the end of a day, until its last hours are sealed and its late samples have come.
constexpr Millis roll_after = std::chrono::hours(2);
/// Over their time, until samples go although they are not rolled up.
constexpr std::chrono::days roll_patience{2};
constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t hour_ms = 3'600'000;

std::int32_t number_of(Day day) {
    return static_cast<std::int32_t>(day.time_since_epoch().count());
}

std::uint64_t property_of(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, const char* name) {
    std::uint64_t value = 0;
    db.GetIntProperty(family, name, &value);
    return value;
}

std::uint64_t bytes_in_memory(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) {
    return property_of(db, family, "rocksdb.cur-size-all-mem-tables");
}

/// Adds them to `sum` as well.
std::uint64_t bytes_of_tables(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, std::uint64_t& sum) {
    const std::uint64_t bytes = property_of(db, family, "rocksdb.total-sst-files-size");
    sum += bytes;
    return bytes;
}

}  // namespace

Result<void> EmbeddedHistoryStore::upkeep(bool all) {
    std::unique_lock turn(upkeep_mutex_, std::defer_lock);
    if (all) {
        turn.lock();
    } else if (!turn.try_lock()) {
        return {};  // another worker's checkpoint is at it
    }
    for (std::size_t i = 0; i < (all ? lanes : lanes_a_checkpoint); ++i) {
        OpenLane& lane = (*lanes_)[next_to_seal_];
        next_to_seal_ = (next_to_seal_ + 1) % lanes;
        if (auto sealed = seal_due(lane, all); !sealed) {
            return sealed;
        }
    }
    if (auto rolled = roll_days(all ? SIZE_MAX : options_.roll_devices); !rolled) {
        return rolled;
    }
    if (auto dropped = drop_old_days(); !dropped) {
        return written(dropped);
    }
    return keep_budget();
}

Result<void> EmbeddedHistoryStore::seal_all() {
    if (auto done = upkeep(true); !done) {
        return done;
    }
    return checkpoint();
}

// Rollups -------------------------------------------------------------------------------------------------------------

bool EmbeddedHistoryStore::is_rolled(Day day) const {
    return number_of(day) <= rolled_until_;
}

bool EmbeddedHistoryStore::is_being_rolled(Day day) const {
    return number_of(day) == rolling_;
}

/// The first day that has samples, is over, and is not rolled up.
std::optional<EmbeddedHistoryStore::Day> EmbeddedHistoryStore::day_to_roll() const {
    for (const auto& [day, family] : families_->of(Families::Kind::samples)) {
        if (!is_rolled(day)) {
            return newest() >= day + std::chrono::days(1) + roll_after ? std::optional(day) : std::nullopt;
        }
    }
    return std::nullopt;
}

Result<void> EmbeddedHistoryStore::roll_days(std::size_t devices_max) {
    while (true) {
        std::optional<Day> day;
        std::vector<std::string> devices;
        bool last = false;
        {
            const std::shared_lock lock(mutex_);
            if (auto open = check_open(); !open) {
                return open;
            }
            day = day_to_roll();
        }
        if (!day) {
            return {};
        }
        make_families({&*day, 1}, true);
        const std::shared_lock lock(mutex_);
        if (auto open = check_open(); !open) {
            return open;
        }
        if (!is_being_rolled(*day)) {
            rolling_ = number_of(*day);
            rolled_to_.clear();
        }
        if (!has_families(*day)) {
            rolling_ = INT32_MIN;
            return fail(ErrorCode::io, "the history cannot begin the rollups of a day");
        }
        EmbeddedChunkReader reader(*database_, *families_, seals_.load());
        constexpr std::size_t batch = 500;
        std::string at = rolled_to_;
        while (devices.size() < std::min(devices_max, batch)) {
            auto next = reader.next_device(Families::Kind::samples, *day, at);
            if (!next) {
                last = true;
                break;
            }
            at = *next;
            devices.push_back(std::move(*next));
        }
        for (const std::string& device : devices) {
            if (auto rolled = roll_device(device, *day); !rolled) {
                return rolled;
            }
            rolled_to_ = device;
        }
        devices_max -= std::min(devices_max, devices.size());
        if (last) {
            if (auto ended = end_roll(*day); !ended) {
                return ended;
            }
        } else if (devices_max == 0) {
            return {};
        }
    }
}

/// Of all its sealed chunks, over what was rolled up before. mutex_ is held, and the families are there.
Result<void> EmbeddedHistoryStore::roll_device(std::string_view device, Day day) {
    // Who reads later writes later: what a late chunk adds is not undone by one who has not seen it.
    const std::lock_guard turn(roll_mutex_);
    EmbeddedChunkReader reader(*database_, *families_, seals_.load());
    static thread_local SampleTable table;
    table.clear();
    if (auto read = reader.read_samples(device, day, 0, 23, table); !read) {
        // So many that no query could read the day either: it stays without rollups.
        return read.error().code == ErrorCode::too_large ? Result<void>() : written(read);
    }
    table.fold();
    if (table.values() == 0) {
        return {};
    }
    const auto minutes = roll_up(table, minute_ms);
    const std::int64_t begin = to_epoch_ms(day);
    const std::string key = rollup_key({device, number_of(day)});
    std::string packed;
    rocksdb::WriteBatch batch;
    encode_rollups(minutes, begin, minute_ms, packed);
    batch.Put(families_->get(Families::Kind::minutes, day), key, packed);
    encode_rollups(roll_up(minutes, hour_ms), begin, hour_ms, packed);
    batch.Put(families_->get(Families::Kind::hours, day), key, packed);
    metrics_->rolled.Increment();
    metrics_->damaged.Increment(static_cast<double>(reader.damaged()));
    return written(rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write));
}

/// mutex_ is held.
Result<void> EmbeddedHistoryStore::end_roll(Day day) {
    if (auto stored = written(write_rolled_until(*database_, families_->state(), number_of(day))); !stored) {
        return stored;
    }
    rolled_until_ = number_of(day);
    rolling_ = INT32_MIN;
    rolled_to_.clear();
    return {};
}

// Time and disk -------------------------------------------------------------------------------------------------------

Result<void> EmbeddedHistoryStore::drop_old_days() {
    const auto kept = [this](Families::Kind kind) {
        return kind == Families::Kind::samples   ? oldest_day()
               : kind == Families::Kind::minutes ? newest_day() - std::chrono::days(options_.minute_days)
                                                 : newest_day() - std::chrono::days(options_.hour_days);
    };
    const auto is_over = [&](Families::Kind kind) {
        const auto end = families_->end_of_oldest(kind);
        if (!end || *end > kept(kind)) {
            return false;
        }
        // Rollups first, unless they cannot be made in time.
        return kind != Families::Kind::samples || is_rolled(*families_->oldest(kind)) ||
               *end + roll_patience <= kept(kind);
    };
    for (const auto kind : {Families::Kind::samples, Families::Kind::minutes, Families::Kind::hours}) {
        {
            const std::shared_lock lock(mutex_);
            if (!is_over(kind)) {
                continue;
            }
        }
        const std::unique_lock lock(mutex_);
        while (is_over(kind)) {
            const Day day = *families_->oldest(kind);
            if (auto dropped = families_->drop_oldest(*database_, kind); !dropped) {
                return dropped;
            }
            spdlog::info("history: dropped what is older than {} days", (newest_day() - day).count() - 1);
        }
    }
    return {};
}

/// When there is too little disk the oldest raw days go, but never the newest; one a checkpoint, as the disk tells a
/// little later that it has room again.
Result<void> EmbeddedHistoryStore::keep_budget() {
    const HistoryDisk disk = measure_disk();
    if (disk.state == HistoryDisk::State::warning) {
        std::uint64_t swallowed = 0;
        if (disk_log_.allow(Millis(to_epoch_ms(newest())), swallowed)) {
            spdlog::warn(
                "history: {} MiB a day will fill the {} MiB that it may take in {:.1f} days; then raw days go before "
                "their time. More disk, a larger limit or fewer raw days avoid that",
                disk.bytes_a_day >> 20U, disk.budget_bytes >> 20U, disk.days_until_full.value_or(0));
        }
    }
    if (disk.state != HistoryDisk::State::full || disk.raw_days <= 1) {
        return {};
    }
    const std::unique_lock lock(mutex_);
    const auto end = families_->end_of_oldest(Families::Kind::samples);
    if (auto open = check_open(); !open || !end) {
        return open;
    }
    dropped_before_ = number_of(*end);
    if (auto dropped = families_->drop_oldest(*database_, Families::Kind::samples); !dropped) {
        return written(dropped);
    }
    ++days_dropped_early_;
    metrics_->dropped_days.Increment();
    spdlog::warn("history: the disk is full, {} MiB of {} MiB; dropped the raw samples of a day, {} days are left",
                 (disk.raw_bytes + disk.rollup_bytes + disk.other_bytes) >> 20U, disk.budget_bytes >> 20U,
                 disk.raw_days - 1);
    return {};
}

/// For a disk that refuses what must not be lost: lets a raw day go when there are several and there is too little
/// disk. False: none has gone.
bool EmbeddedHistoryStore::make_room() {
    const std::lock_guard turn(upkeep_mutex_);
    const std::uint64_t before = days_dropped_early_;
    return keep_budget() && days_dropped_early_ != before;
}

HistoryDisk EmbeddedHistoryStore::measure_disk() const {
    const std::shared_lock lock(mutex_);
    DiskUse use;
    if (!database_ || !database_->is_open()) {
        return {};
    }
    rocksdb::DB& db = database_->db();
    std::uint64_t tables = 0;
    for (const auto& [day, family] : families_->of(Families::Kind::samples)) {
        use.raw_days.push_back(bytes_in_memory(db, family));
        use.raw_days.back() += bytes_of_tables(db, family, tables);
    }
    for (const auto kind : {Families::Kind::minutes, Families::Kind::hours}) {
        for (const auto& [day, family] : families_->of(kind)) {
            use.rollup_bytes += bytes_in_memory(db, family);
            use.rollup_bytes += bytes_of_tables(db, family, tables);
        }
    }
    // The stored tail, write-ahead logs, presence: all other files.
    const std::uint64_t files = bytes_of_files(options_.directory);
    use.other_bytes = files - std::min(files, tables) + (presence_ == nullptr ? 0 : presence_->disk_bytes());
    std::error_code error;
    const auto space = std::filesystem::space(options_.directory, error);
    use.free_bytes = error ? UINT64_MAX : space.available;
    use.share_of_newest_day = static_cast<double>((newest() - newest_day()).count()) / 86'400'000.0;
    const std::uint64_t left_free = error ? 0 : std::min<std::uint64_t>(options_.free_bytes_min, space.capacity / 20);
    HistoryDisk disk = judge_disk(use, {.bytes_max = options_.bytes_max,
                                        .free_bytes_min = left_free,
                                        .raw_days = static_cast<std::uint32_t>(options_.raw_days)});
    disk.days_dropped_early = days_dropped_early_;
    return disk;
}

Result<HistoryDisk> EmbeddedHistoryStore::disk() const {
    return measure_disk();
}

}  // namespace muster
