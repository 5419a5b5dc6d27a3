#include <algorithm>

#include <rocksdb/write_batch.h>

#include "base/bytes.h"
#include "base/log.h"
#include "history/embedded_presence_days.h"
#include "history/embedded_presence_history.h"
#include "storage/embedded_rocksdb.h"

// What checkpoints do beside making entries durable: write a day's baseline bit by bit, drop what is over its time.

namespace muster {
namespace {

constexpr std::uint8_t mark_version = 1;

std::string mark_of(std::uint64_t devices) {
    std::string mark;
    ByteWriter writer(mark);
    writer.number(mark_version);
    writer.number(devices);
    return mark;
}

std::string chunk_key(std::string_view first_device) {
    return std::string(presence_mark_key).append(first_device);
}

}  // namespace

Result<void> EmbeddedPresenceHistory::checkpoint() {
    if (last_write_failed_) {
        if (auto reopened = reopen(); !reopened) {
            return reopened;
        }
    }
    const std::lock_guard alone(checkpoint_mutex_);
    {
        const std::shared_lock lock(mutex_);
        if (auto synced = written(rocks_result(database_->db().FlushWAL(true), cannot_write_presence)); !synced) {
            return synced;
        }
    }
    // What follows serves questions and retention: that it fails does not make what was appended less durable.
    auto kept_up = begin_baseline();
    kept_up = kept_up ? go_on_with_baseline() : kept_up;
    kept_up = kept_up ? drop_old_days() : kept_up;
    if (!kept_up) {
        failures_.Increment();
        last_write_failed_ = kept_up.error().code == ErrorCode::io;
        std::uint64_t swallowed = 0;
        if (log_.allow(Millis(newest_ms_.load(std::memory_order_relaxed)), swallowed)) {
            spdlog::warn("presence history: cannot keep up its days: {} ({} more such failures)",
                         kept_up.error().message(), swallowed);
        }
    }
    return {};
}

/// The only way back after a write that failed.
Result<void> EmbeddedPresenceHistory::reopen() {
    const std::lock_guard no_checkpoint(checkpoint_mutex_);
    const std::unique_lock nobody_reads(in_use_);
    const std::unique_lock lock(mutex_);
    if (!last_write_failed_) {
        return {};  // another thread has done it
    }
    days_.clear();
    baselines_.clear();
    building_.reset();
    if (auto reopened = database_->reopen(); !reopened) {
        return reopened;
    }
    if (auto found = find_days(); !found) {
        return found;
    }
    last_write_failed_ = false;
    return {};
}

/// Before the first day there is nothing: it needs none.
std::optional<EmbeddedPresenceHistory::Day> EmbeddedPresenceHistory::day_without_baseline() const {
    const Timestamp newest = from_epoch_ms(newest_ms_.load(std::memory_order_relaxed));
    if (days_.empty()) {
        return std::nullopt;
    }
    const auto lacking = std::find_if(std::next(days_.begin()), days_.end(),
                                      [this](const auto& day) { return !baselines_.contains(day.first); });
    if (lacking == days_.end() || newest < lacking->first + options_.baseline_delay) {
        return std::nullopt;
    }
    return lacking->first;
}

Result<void> EmbeddedPresenceHistory::begin_baseline() {
    {
        const std::shared_lock lock(mutex_);
        if (building_ || !day_without_baseline()) {
            return {};
        }
    }
    const std::unique_lock lock(mutex_);
    const auto day = day_without_baseline();
    if (!day) {
        return {};
    }
    rocksdb::WriteBatch batch;  // parts of one that was begun before
    batch.DeleteRange(days_.at(*day), slice_of(presence_mark_key), slice_of(presence_first_entry));
    if (auto cleared = rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write_presence);
        !cleared) {
        return cleared;
    }
    building_ = Building{.day = *day, .after = {}};
    return {};
}

Result<void> EmbeddedPresenceHistory::go_on_with_baseline() {
    const auto whole = write_baseline_part();
    if (!whole) {
        return tl::unexpected(whole.error());
    }
    if (!*whole) {
        return {};
    }
    const std::unique_lock lock(mutex_);
    if (building_) {  // else a late entry has come, and has taken the mark away
        spdlog::info("presence history: {} begins with a baseline of {} devices", presence_family(building_->day),
                     building_->devices);
        baselines_.insert(building_->day);
        baselines_written_.Increment();
        building_.reset();
    }
    return {};
}

/// True when the baseline is whole and marked so.
Result<bool> EmbeddedPresenceHistory::write_baseline_part() {
    // A late entry waits: it must find the part either not begun or written.
    const std::shared_lock lock(mutex_);
    if (!building_) {
        return false;
    }
    Family family = days_.at(building_->day);
    PresenceScan devices = scan(building_->day - std::chrono::days(1), building_->day - Millis(1), building_->after);
    rocksdb::WriteBatch batch;
    PresenceChunkBuilder chunk;
    const auto put_chunk = [&] {
        const std::string key = chunk_key(chunk.first_device());
        batch.Put(family, key, chunk.take());
    };
    PastPresence device;
    bool whole = false;
    std::string last = building_->after;
    std::size_t added = 0;
    for (; added < options_.baseline_devices; ++added) {
        const auto there = devices.next(device);
        if (!there) {
            return tl::unexpected(there.error());
        }
        if (!*there) {
            whole = true;
            break;
        }
        chunk.add(device);
        last = device.device;
        if (chunk.full()) {
            put_chunk();
        }
    }
    if (!chunk.empty()) {
        put_chunk();
    }
    note_damage(devices.damaged());
    if (whole) {
        batch.Put(family, slice_of(presence_mark_key), mark_of(building_->devices + added));
    }
    if (auto put = rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write_presence); !put) {
        return tl::unexpected(put.error());
    }
    building_->after = std::move(last);
    building_->devices += added;
    return whole;
}

/// A day may go when the next one is old enough to be the first, and begins with a baseline of all before it.
Result<void> EmbeddedPresenceHistory::drop_old_days() {
    const auto may_drop = [this] {
        if (days_.size() < 2) {
            return false;
        }
        const Day second = std::next(days_.begin())->first;
        return second <= oldest_day() && baselines_.contains(second);
    };
    {
        const std::shared_lock lock(mutex_);
        if (!may_drop()) {
            return {};
        }
    }
    const std::unique_lock lock(mutex_);
    while (may_drop()) {
        const Day day = days_.begin()->first;
        days_.erase(days_.begin());
        baselines_.erase(day);
        if (auto dropped = database_->drop_family(presence_family(day)); !dropped) {
            return dropped;
        }
        spdlog::info("presence history: dropped a day, {}", presence_family(day));
    }
    return {};
}

}  // namespace muster
