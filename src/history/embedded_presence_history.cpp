#include "history/embedded_presence_history.h"

#include <algorithm>
#include <charconv>

#include <rocksdb/write_batch.h>

#include "base/log.h"
#include "contract/identity.h"
#include "history/embedded_presence_days.h"
#include "history/storable_time.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

rocksdb::ColumnFamilyOptions day_options() {
    rocksdb::ColumnFamilyOptions options = rocks_family_options();
    options.table_factory = rocks_table(16U << 10U, false);  // reads are ranges
    options.write_buffer_size = 8U << 20U;
    return options;
}

std::optional<std::chrono::sys_days> day_of_family(std::string_view name) {
    if (!name.starts_with(presence_day_prefix)) {
        return std::nullopt;
    }
    name.remove_prefix(presence_day_prefix.size());
    int days = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), days);
    if (error != std::errc() || end != name.data() + name.size()) {
        return std::nullopt;
    }
    return std::chrono::sys_days(std::chrono::days(days));
}

}  // namespace

EmbeddedPresenceHistory::EmbeddedPresenceHistory(EmbeddedPresenceHistoryOptions options, MetricRegistry& metrics)
    : options_(std::move(options)),
      entries_(metrics.counter("muster_presence_history_entries_total", "Transitions and moves appended")),
      late_(metrics.counter("muster_presence_history_late_total",
                            "Entries appended to a day after the baseline of a later one")),
      too_old_(metrics.counter("muster_presence_history_too_old_total", "Entries left out because their day is gone")),
      failures_(metrics.counter("muster_presence_history_write_failures_total", "Writes that the disk refused")),
      damaged_(metrics.counter("muster_presence_history_damaged_rows_total",
                               "Rows, or blocks of rows, left out of answers because they cannot be read")),
      baselines_written_(metrics.counter("muster_presence_history_baselines_total", "Days whose baseline was written")),
      days_gauge_(metrics.gauge("muster_presence_history_days", "Days of presence on disk")),
      refresh_(metrics.on_render([this] {
          const std::shared_lock lock(mutex_);
          days_gauge_.Set(static_cast<double>(days_.size()));
      })) {}

EmbeddedPresenceHistory::~EmbeddedPresenceHistory() = default;

Result<std::unique_ptr<EmbeddedPresenceHistory>> EmbeddedPresenceHistory::open(EmbeddedPresenceHistoryOptions options,
                                                                               MetricRegistry& metrics) {
    if (options.days < 1) {
        return fail(ErrorCode::invalid_argument, "presence history is kept for at least a day");
    }
    std::unique_ptr<EmbeddedPresenceHistory> history(new EmbeddedPresenceHistory(std::move(options), metrics));
    if (const auto opened = history->open_database(); !opened) {
        return tl::unexpected(opened.error());
    }
    return history;
}

Result<void> EmbeddedPresenceHistory::open_database() {
    RocksOptions rocks;
    rocks.directory = options_.directory;
    rocks.what = "presence history";
    rocks.family_options = [](const std::string&) { return day_options(); };
    rocks.env = options_.env;
    auto database = RocksDatabase::open(std::move(rocks));
    if (!database) {
        return tl::unexpected(database.error());
    }
    database_ = std::move(*database);
    return find_days();
}

Result<void> EmbeddedPresenceHistory::find_days() {
    days_.clear();
    baselines_.clear();
    building_.reset();
    std::map<Day, rocksdb::Status> marks;
    for (const std::string& name : database_->family_names()) {
        const auto day = day_of_family(name);
        if (!day) {
            continue;
        }
        Family family = database_->family(name);
        std::string mark;
        const auto status = database_->db().Get(rocksdb::ReadOptions(), family, slice_of(presence_mark_key), &mark);
        if (!status.ok() && !status.IsNotFound() && !status.IsCorruption()) {
            return rocks_result(status, cannot_read_presence);
        }
        days_[*day] = family;
        marks[*day] = status;
        note_newest(*day);
    }
    for (const auto& [day, status] : marks) {
        // A damaged mark: the baseline is made anew. Not that of the first day, behind which there is nothing.
        if (status.ok() || (status.IsCorruption() && day == days_.begin()->first)) {
            baselines_.insert(day);
        }
        if (status.IsCorruption()) {
            spdlog::warn("presence history: the baseline of {} in {} is damaged", presence_family(day),
                         options_.directory);
            damaged_.Increment();
        }
    }
    return {};
}

std::uint64_t EmbeddedPresenceHistory::disk_bytes() const {
    return bytes_of_files(options_.directory);
}

Result<void> EmbeddedPresenceHistory::check_open() const {
    if (!database_->is_open()) {
        return fail(ErrorCode::unavailable,
                    "the presence history is closed after a failed write, until it opens again");
    }
    return {};
}

/// Remembers a failure until the next append or checkpoint, which reopens.
Result<void> EmbeddedPresenceHistory::written(Result<void> result) {
    if (!result) {
        failures_.Increment();
        last_write_failed_ = true;
    }
    return result;
}

void EmbeddedPresenceHistory::note_newest(Timestamp time) {
    std::int64_t newest = newest_ms_.load(std::memory_order_relaxed);
    while (newest < to_epoch_ms(time) && !newest_ms_.compare_exchange_weak(newest, to_epoch_ms(time))) {
    }
}

EmbeddedPresenceHistory::Day EmbeddedPresenceHistory::newest_day() const {
    return std::chrono::floor<std::chrono::days>(from_epoch_ms(newest_ms_.load(std::memory_order_relaxed)));
}

EmbeddedPresenceHistory::Day EmbeddedPresenceHistory::oldest_day() const {
    return newest_day() - std::chrono::days(options_.days - 1);
}

// Appending -----------------------------------------------------------------------------------------------------------

/// Under the first day that has a baseline lie days that are gone.
bool EmbeddedPresenceHistory::is_too_old(Day day) const {
    return day < oldest_day() ||
           (!days_.empty() && day < days_.begin()->first && baselines_.contains(days_.begin()->first));
}

bool EmbeddedPresenceHistory::is_under_a_baseline(Day day) const {
    return (!baselines_.empty() && day < *baselines_.rbegin()) || (building_ && day < building_->day);
}

Result<void> EmbeddedPresenceHistory::make_day(Day day) {
    const std::unique_lock lock(mutex_);
    if (auto open = check_open(); !open) {
        return open;
    }
    if (days_.contains(day)) {
        return {};
    }
    const auto created = database_->create_family(presence_family(day));
    if (!created) {
        return written(tl::unexpected(created.error()));
    }
    days_[day] = *created;
    return {};
}

Result<void> EmbeddedPresenceHistory::append(std::string_view device, const Transition& transition) {
    if (!is_valid_device_id(device) || !is_storable(transition.time)) {
        return fail(ErrorCode::invalid_argument, "a transition without a valid device or time", std::string(device));
    }
    if (last_write_failed_) {
        // The one who appends repeats until it is done: no checkpoint comes before that.
        if (auto reopened = reopen(); !reopened) {
            return reopened;
        }
    }
    note_newest(transition.time);
    const Day day = std::chrono::floor<std::chrono::days>(transition.time);
    const std::string key = presence_key(device, transition.time, transition.offset);
    const std::string row = encode_presence(transition);
    while (true) {
        {
            const std::shared_lock lock(mutex_);
            if (auto open = check_open(); !open) {
                return open;
            }
            if (is_too_old(day)) {
                too_old_.Increment();
                return {};
            }
            const auto found = days_.find(day);
            if (found != days_.end()) {
                if (is_under_a_baseline(day)) {
                    break;
                }
                entries_.Increment();
                return written(rocks_result(database_->db().Put(rocksdb::WriteOptions(), found->second, key, row),
                                            cannot_write_presence));
            }
        }
        if (auto made = make_day(day); !made) {
            return made;
        }
    }
    return append_late(day, key, row);
}

/// The baselines of all later days are wrong from now on, unless the entry was there before: a replay.
Result<void> EmbeddedPresenceHistory::append_late(Day day, const std::string& key, const std::string& row) {
    const std::unique_lock lock(mutex_);
    if (auto open = check_open(); !open) {
        return open;
    }
    const auto found = days_.find(day);
    if (found == days_.end()) {
        too_old_.Increment();  // dropped in between
        return {};
    }
    std::string stored;
    const auto status = database_->db().Get(rocksdb::ReadOptions(), found->second, key, &stored);
    if (status.ok() && stored == row) {
        return {};
    }
    rocksdb::WriteBatch batch;
    batch.Put(found->second, key, row);
    for (auto later = std::next(found); later != days_.end(); ++later) {
        batch.Delete(later->second, slice_of(presence_mark_key));
    }
    entries_.Increment();
    late_.Increment();
    auto result = written(rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write_presence));
    if (result) {
        baselines_.erase(baselines_.upper_bound(day), baselines_.end());
        if (building_ && building_->day > day) {
            building_.reset();
        }
    }
    return result;
}

}  // namespace muster
