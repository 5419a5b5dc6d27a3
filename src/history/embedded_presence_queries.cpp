#include <algorithm>
#include <deque>

#include <rocksdb/snapshot.h>

#include "contract/identity.h"
#include "history/embedded_damage.h"
#include "history/embedded_presence_days.h"
#include "history/embedded_presence_history.h"
#include "history/storable_time.h"
#include "storage/embedded_rocksdb.h"

// Questions, and the check of every row. What is damaged is passed over and counted.

namespace muster {
namespace {

constexpr std::size_t transitions_limit = 10'000;
constexpr std::uint64_t rows_between_reports = 100'000;
constexpr std::size_t damaged_examples_max = 20;
constexpr std::size_t date_bytes = 10;

std::string utc_text(Timestamp time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<Seconds>(time - day));
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count());
}

/// Adds the transition at which the iterator stands, unless it only moved. False: it is damaged.
bool add_transition(rocksdb::Iterator& rows, std::deque<Transition>& found) {
    auto transition = decode_presence(view_of(rows.key()), view_of(rows.value()));
    if (transition && !transition->moved) {
        found.push_back(std::move(*transition));
    }
    return transition.has_value();
}

/// The transitions of [first, end) from the other side, past blocks that cannot be read: the last `limit`, oldest
/// first. The iterator has no bounds.
std::deque<Transition> read_past_damage(rocksdb::Iterator& rows, const std::string& first, const std::string& end,
                                        std::size_t limit, std::uint64_t& damaged) {
    std::deque<Transition> found;
    std::string key = first;
    rows.Seek(key);
    while (rows.Valid() || rows.status().IsCorruption()) {
        if (!rows.Valid()) {
            ++damaged;
            if (!seek_past_damage(rows, key)) {
                break;
            }
        }
        key = view_of(rows.key());
        if (key >= end) {
            break;
        }
        damaged += add_transition(rows, found) ? 0U : 1U;
        if (found.size() > limit) {
            found.pop_front();
        }
        rows.Next();
    }
    return found;
}

}  // namespace

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

/// Counts what a question had to leave out.
void EmbeddedPresenceHistory::note_damage(std::uint64_t rows) const {
    std::uint64_t swallowed = 0;
    if (rows == 0) {
        return;
    }
    damaged_.Increment(static_cast<double>(rows));
    if (damage_log_.allow(Millis(newest_ms_.load(std::memory_order_relaxed)), swallowed)) {
        spdlog::warn("presence history: {} damaged rows in {} were left out of an answer", rows, options_.directory);
    }
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
    std::uint64_t damaged = 0;
    for (auto day = days_.rbegin(); day != days_.rend() && result.size() < query.limit; ++day) {
        if (day->first > query.to || day->first + std::chrono::days(1) <= kept_from) {
            continue;
        }
        const auto read = read_backward(day->second, first, end, query.limit, result);
        if (!read) {
            return tl::unexpected(read.error());
        }
        damaged += *read;
    }
    note_damage(damaged);
    return result;
}

/// Adds the transitions of a day with keys in [first, end), newest first, until there are `limit`. Gives the damaged
/// rows.
Result<std::uint64_t> EmbeddedPresenceHistory::read_backward(Family day, const std::string& first,
                                                             const std::string& end, std::size_t limit,
                                                             std::vector<Transition>& result) const {
    const rocksdb::Slice lower(first);
    const rocksdb::Slice upper(end);
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower;
    options.iterate_upper_bound = &upper;
    std::unique_ptr<rocksdb::Iterator> rows(database_->db().NewIterator(options, day));
    std::deque<Transition> one;
    std::string given = end;
    std::uint64_t damaged = 0;
    for (rows->SeekToLast(); rows->Valid() && result.size() < limit; rows->Prev()) {
        given = view_of(rows->key());
        damaged += add_transition(*rows, one) ? 0U : 1U;
        std::ranges::move(one, std::back_inserter(result));
        one.clear();
    }
    if (!rows->Valid() && rows->status().IsCorruption()) {
        rows.reset(database_->db().NewIterator({}, day));
        auto others = read_past_damage(*rows, first, given, limit - result.size(), damaged);
        std::move(others.rbegin(), others.rend(), std::back_inserter(result));
    }
    if (!rows->Valid() && !rows->status().ok() && !rows->status().IsCorruption()) {
        return tl::unexpected(rocks_result(rows->status(), cannot_read_presence).error());
    }
    return damaged;
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
    auto there = devices->next(device);
    while (there && *there && visit(device)) {
        there = devices->next(device);
    }
    note_damage(devices->damaged());
    return there ? Result<void>() : tl::unexpected(there.error());
}

Result<EmbeddedPresenceHistory::Checked> EmbeddedPresenceHistory::verify(
    FunctionRef<bool(const Checked&)> report) const {
    const std::shared_lock in_use(in_use_);
    std::vector<std::pair<std::string, std::unique_ptr<rocksdb::Iterator>>> days;
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
            days.emplace_back("presence of " + utc_text(day).substr(0, date_bytes),
                              database_->db().NewIterator(options, family));
        }
    }
    for (const auto& [name, rows] : days) {
        const auto whole = verify_day(name, *rows, checked, report);
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
Result<bool> EmbeddedPresenceHistory::verify_day(const std::string& name, rocksdb::Iterator& rows, Checked& checked,
                                                 FunctionRef<bool(const Checked&)> report) {
    PresenceChunk chunk;
    std::uint64_t rows_read = 0;
    std::string key;
    const auto damage = [&](std::string_view what) {
        ++checked.damaged;
        if (checked.damaged_examples.size() < damaged_examples_max) {
            const std::string_view device = std::string_view(key).substr(key.starts_with('\0') ? 1 : 0);
            checked.damaged_examples.push_back(fmt::format("{}: {} {}", name, what, device_of_presence_key(device)));
        }
    };
    rows.SeekToFirst();
    while (rows.Valid() || rows.status().IsCorruption()) {
        if (!rows.Valid()) {
            damage("a block cannot be read, behind");
            if (!seek_past_damage(rows, key)) {
                break;
            }
        }
        key = view_of(rows.key());
        const std::string_view row = view_of(rows.value());
        if (key == presence_mark_key) {
            if (row.size() != presence_mark_bytes) {
                damage("the mark of its baseline");
            }
        } else if (key.starts_with(presence_mark_key)) {
            if (!chunk.decode(row)) {
                damage("a part of its baseline, from");
            }
            checked.baseline_devices += chunk.size();
        } else if (decode_presence(key, row)) {
            ++checked.entries;
        } else {
            damage("an entry of");
        }
        if (++rows_read % rows_between_reports == 0 && !report(checked)) {
            return false;
        }
        rows.Next();
    }
    if (!rows.status().ok() && !rows.status().IsCorruption()) {
        return tl::unexpected(rocks_result(rows.status(), cannot_read_presence).error());
    }
    return report(checked);
}

}  // namespace muster
