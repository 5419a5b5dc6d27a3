#include "history/embedded_presence_history.h"

#include <algorithm>
#include <charconv>

#include <rocksdb/snapshot.h>
#include <rocksdb/write_batch.h>

#include "base/bytes.h"
#include "base/log.h"
#include "contract/identity.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

constexpr std::string_view day_prefix = "presence:";
constexpr std::string_view cannot_write = "cannot write to the presence history";
constexpr std::string_view cannot_read = "cannot read the presence history";
constexpr std::size_t transitions_limit = 10'000;
constexpr std::uint64_t rows_between_reports = 100'000;
/// The key that says that a day's baseline is whole: before all of its chunks.
constexpr std::string_view mark_key("\0", 1);
constexpr std::string_view first_entry("\1", 1);
constexpr std::uint8_t mark_version = 1;

rocksdb::ColumnFamilyOptions day_options() {
    rocksdb::ColumnFamilyOptions options = rocks_family_options();
    options.table_factory = rocks_table(16U << 10U, false);  // reads are ranges
    options.write_buffer_size = 8U << 20U;
    return options;
}

/// From 1970 to 9999: beyond it the arithmetic of days would overflow.
bool is_storable(Timestamp time) {
    return time >= Timestamp{} && time < Timestamp(std::chrono::sys_days(std::chrono::year(9999) / 12 / 31));
}

std::string family_of(std::chrono::sys_days day) {
    return std::string(day_prefix).append(std::to_string(day.time_since_epoch().count()));
}

std::optional<std::chrono::sys_days> day_of_family(std::string_view name) {
    if (!name.starts_with(day_prefix)) {
        return std::nullopt;
    }
    name.remove_prefix(day_prefix.size());
    int days = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), days);
    if (error != std::errc() || end != name.data() + name.size()) {
        return std::nullopt;
    }
    return std::chrono::sys_days(std::chrono::days(days));
}

std::string mark_of(std::uint64_t devices) {
    std::string mark;
    ByteWriter writer(mark);
    writer.number(mark_version);
    writer.number(devices);
    return mark;
}

std::string chunk_key(std::string_view first_device) {
    return std::string(mark_key).append(first_device);
}

std::string utc_text(Timestamp time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<Seconds>(time - day));
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count());
}

}  // namespace

EmbeddedPresenceHistory::EmbeddedPresenceHistory(EmbeddedPresenceHistoryOptions options, MetricRegistry& metrics)
    : options_(std::move(options)),
      entries_(metrics.counter("muster_presence_history_entries_total", "Transitions and moves appended")),
      late_(metrics.counter("muster_presence_history_late_total",
                            "Entries appended to a day after the baseline of a later one")),
      too_old_(metrics.counter("muster_presence_history_too_old_total", "Entries left out because their day is gone")),
      failures_(metrics.counter("muster_presence_history_write_failures_total", "Writes that the disk refused")),
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
    for (const std::string& name : database_->family_names()) {
        const auto day = day_of_family(name);
        if (!day) {
            continue;
        }
        Family family = database_->family(name);
        std::string mark;
        const auto status = database_->db().Get(rocksdb::ReadOptions(), family, slice_of(mark_key), &mark);
        if (!status.ok() && !status.IsNotFound()) {
            return rocks_result(status, cannot_read);
        }
        days_[*day] = family;
        if (status.ok()) {
            baselines_.insert(*day);
        }
        note_newest(*day);
    }
    return {};
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
    const auto created = database_->create_family(family_of(day));
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
                return written(
                    rocks_result(database_->db().Put(rocksdb::WriteOptions(), found->second, key, row), cannot_write));
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
        batch.Delete(later->second, slice_of(mark_key));
    }
    entries_.Increment();
    late_.Increment();
    auto result = written(rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write));
    if (result) {
        baselines_.erase(baselines_.upper_bound(day), baselines_.end());
        if (building_ && building_->day > day) {
            building_.reset();
        }
    }
    return result;
}

// Checkpoints ---------------------------------------------------------------------------------------------------------

Result<void> EmbeddedPresenceHistory::checkpoint() {
    if (last_write_failed_) {
        if (auto reopened = reopen(); !reopened) {
            return reopened;
        }
    }
    const std::lock_guard alone(checkpoint_mutex_);
    {
        const std::shared_lock lock(mutex_);
        if (auto synced = written(rocks_result(database_->db().FlushWAL(true), cannot_write)); !synced) {
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
    batch.DeleteRange(days_.at(*day), slice_of(mark_key), slice_of(first_entry));
    if (auto cleared = rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write); !cleared) {
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
        spdlog::info("presence history: {} begins with a baseline of {} devices", family_of(building_->day),
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
    if (whole) {
        batch.Put(family, slice_of(mark_key), mark_of(building_->devices + added));
    }
    if (auto put = rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write); !put) {
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
        if (auto dropped = database_->drop_family(family_of(day)); !dropped) {
            return dropped;
        }
        spdlog::info("presence history: dropped a day, {}", family_of(day));
    }
    return {};
}

// Reading -------------------------------------------------------------------------------------------------------------

/// Of the newest baseline there is, and the entries since. The caller holds mutex_.
PresenceScan EmbeddedPresenceHistory::scan(Day last_day, Timestamp at, std::string_view after) const {
    rocksdb::DB& db = database_->db();
    const auto snapshot = std::make_shared<rocksdb::ManagedSnapshot>(&db);
    PresenceScan::Sources sources{
        .db = db, .days = {}, .snapshot = std::shared_ptr<const rocksdb::Snapshot>(snapshot, snapshot->snapshot())};
    auto first = days_.begin();
    const auto newest_baseline = baselines_.upper_bound(last_day);
    if (newest_baseline != baselines_.begin()) {
        first = days_.find(*std::prev(newest_baseline));
        sources.baseline = first->second;
    }
    std::vector<Family> families;
    for (auto day = first; day != days_.end() && day->first <= last_day; ++day) {
        families.push_back(day->second);
    }
    sources.days = families;
    return {sources, at, after};
}

Result<std::vector<Transition>> EmbeddedPresenceHistory::transitions(const TransitionQuery& query) const {
    if (query.limit == 0 || query.limit > transitions_limit) {
        return fail(ErrorCode::invalid_argument, "limit must be 1 to 10,000");
    }
    std::vector<Transition> result;
    if (!is_valid_device_id(query.device) || query.from > query.to) {
        return result;
    }
    const std::shared_lock in_use(in_use_);
    const std::shared_lock lock(mutex_);
    if (const auto open = check_open(); !open) {
        return tl::unexpected(open.error());
    }
    const Timestamp kept_from = std::max<Timestamp>(query.from, oldest_day());
    const std::string first = presence_key(query.device, kept_from, INT64_MIN);
    const std::string end = presence_key(query.device, query.to, query.to_offset);
    const rocksdb::Slice lower(first);
    const rocksdb::Slice upper(end);
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower;
    options.iterate_upper_bound = &upper;
    for (auto day = days_.rbegin(); day != days_.rend() && result.size() < query.limit; ++day) {
        if (day->first > query.to || day->first + std::chrono::days(1) <= kept_from) {
            continue;
        }
        const std::unique_ptr<rocksdb::Iterator> iterator(database_->db().NewIterator(options, day->second));
        for (iterator->SeekToLast(); iterator->Valid() && result.size() < query.limit; iterator->Prev()) {
            auto transition = decode_presence(view_of(iterator->key()), view_of(iterator->value()));
            if (!transition) {
                return fail(ErrorCode::corrupt, "the presence history of a device is damaged",
                            fmt::format("{}, in {}", query.device, options_.directory));
            }
            if (!transition->moved) {
                result.push_back(std::move(*transition));
            }
        }
        if (const auto read = rocks_result(iterator->status(), cannot_read); !read) {
            return tl::unexpected(read.error());
        }
    }
    return result;
}

std::optional<Timestamp> EmbeddedPresenceHistory::since() const {
    const std::shared_lock lock(mutex_);
    if (days_.empty()) {
        return std::nullopt;
    }
    return std::max<Timestamp>(days_.begin()->first, oldest_day());
}

Result<void> EmbeddedPresenceHistory::presence_at(Timestamp at, std::string_view after,
                                                  PastPresenceVisitor visit) const {
    const auto known_since = since();
    if (!known_since || at < *known_since) {
        return fail(ErrorCode::not_found, "the presence history does not reach back so far",
                    known_since ? "it begins at " + utc_text(*known_since) : "there is none yet");
    }
    const Timestamp within = is_storable(at) ? at : from_epoch_ms(newest_ms_.load(std::memory_order_relaxed));
    const std::shared_lock in_use(in_use_);
    std::optional<PresenceScan> devices;
    {
        const std::shared_lock lock(mutex_);
        if (auto open = check_open(); !open) {
            return open;
        }
        devices.emplace(scan(std::chrono::floor<std::chrono::days>(within), within, after));
    }
    PastPresence device;
    while (true) {
        const auto there = devices->next(device);
        if (!there) {
            return tl::unexpected(there.error());
        }
        if (!*there || !visit(device)) {
            return {};
        }
    }
}

Result<EmbeddedPresenceHistory::Checked> EmbeddedPresenceHistory::verify(
    FunctionRef<bool(const Checked&)> report) const {
    const std::shared_lock in_use(in_use_);
    std::vector<std::unique_ptr<rocksdb::Iterator>> days;
    Checked checked;
    {
        const std::shared_lock lock(mutex_);
        if (auto open = check_open(); !open) {
            return tl::unexpected(open.error());
        }
        rocksdb::ReadOptions options;
        options.fill_cache = false;
        options.readahead_size = 1U << 20U;
        for (const auto& [day, family] : days_) {
            days.emplace_back(database_->db().NewIterator(options, family));
        }
    }
    for (const auto& day : days) {
        const auto whole = verify_day(*day, checked, report);
        if (!whole) {
            return tl::unexpected(whole.error());
        }
        if (!*whole) {
            break;
        }
    }
    return checked;
}

/// False when `report` wants no more.
Result<bool> EmbeddedPresenceHistory::verify_day(rocksdb::Iterator& rows, Checked& checked,
                                                 FunctionRef<bool(const Checked&)> report) {
    PresenceChunk chunk;
    std::uint64_t rows_read = 0;
    for (rows.SeekToFirst(); rows.Valid(); rows.Next()) {
        const std::string_view key = view_of(rows.key());
        if (key.starts_with(mark_key)) {
            const bool is_mark = key.size() == mark_key.size();
            const bool good =
                is_mark ? rows.value().size() == mark_of(0).size() : chunk.decode(view_of(rows.value())).has_value();
            checked.baseline_devices += is_mark ? 0 : chunk.size();
            checked.damaged += good ? 0 : 1;
        } else {
            const bool good = decode_presence(key, view_of(rows.value())).has_value();
            ++(good ? checked.entries : checked.damaged);
        }
        if (++rows_read % rows_between_reports == 0 && !report(checked)) {
            return false;
        }
    }
    if (!rows.status().ok()) {
        // A block whose checksum is wrong ends the day's iterator: what lies behind it cannot be told apart.
        ++checked.damaged;
    }
    return report(checked);
}

}  // namespace muster
