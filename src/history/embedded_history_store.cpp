#include "history/embedded_history_store.h"

#include <algorithm>

#include "history/embedded_history_families.h"
#include "history/embedded_history_metrics.h"
#include "history/embedded_presence_history.h"
#include "history/embedded_tail.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

using Families = EmbeddedHistoryFamilies;

constexpr std::string_view cannot_write = "cannot write to the history";
constexpr std::string_view presence_folder = "/presence";
/// Families of the format before chunks; what is in them cannot be read any more.
constexpr std::string_view former_prefix = "raw:";
constexpr std::string_view former_transitions = "transitions";
constexpr std::size_t damaged_examples_max = 20;
/// Of the write-ahead log, which a start reads: a second of it. Of a small budget a quarter.
constexpr std::uint64_t log_bytes_usual = 64U << 20U;
constexpr std::uint64_t log_bytes_min = 1U << 20U;

std::uint64_t log_bytes_max(std::uint64_t budget) {
    return budget == 0 ? log_bytes_usual : std::clamp(budget / 4, log_bytes_min, log_bytes_usual);
}

}  // namespace

EmbeddedHistoryStore::EmbeddedHistoryStore(EmbeddedHistoryStoreOptions options, MetricRegistry& metrics)
    : options_(std::move(options)),
      families_(std::make_unique<Families>()),
      lanes_(std::make_unique<std::array<OpenLane, lanes>>()),
      metrics_(std::make_unique<Metrics>(metrics)),
      refresh_(metrics.on_render([this] {
          const HistoryDisk disk = measure_disk();
          metrics_->days.Set(static_cast<double>(disk.raw_days));
          metrics_->disk_bytes.Set(static_cast<double>(disk.raw_bytes + disk.rollup_bytes + disk.other_bytes));
          metrics_->budget_bytes.Set(static_cast<double>(disk.budget_bytes));
          metrics_->disk_state.Set(static_cast<double>(disk.state));
          metrics_->open_bytes.Set(static_cast<double>(open_bytes()));
          metrics_->open_hours.Set(static_cast<double>(open_hours_.load(std::memory_order_relaxed)));
      })) {}

EmbeddedHistoryStore::~EmbeddedHistoryStore() {
    refresh_.reset();
}

Result<std::unique_ptr<EmbeddedHistoryStore>> EmbeddedHistoryStore::open(EmbeddedHistoryStoreOptions options,
                                                                         MetricRegistry& metrics) {
    if (options.raw_days < 1 || options.minute_days < 1 || options.hour_days < 1 || options.transition_days < 1) {
        return fail(ErrorCode::invalid_argument, "history is kept for at least a day");
    }
    std::unique_ptr<EmbeddedHistoryStore> store(new EmbeddedHistoryStore(std::move(options), metrics));
    if (const auto opened = store->open_database(); !opened) {
        return tl::unexpected(opened.error());
    }
    auto presence =
        EmbeddedPresenceHistory::open({.directory = store->options_.directory + std::string(presence_folder),
                                       .days = store->options_.transition_days,
                                       .env = store->options_.env},
                                      metrics);
    if (!presence) {
        return tl::unexpected(presence.error());
    }
    store->presence_ = std::move(*presence);
    return store;
}

Result<void> EmbeddedHistoryStore::open_database() {
    const auto options_of = [](const std::string& family) { return Families::options_of(family); };
    auto opened =
        RocksDatabase::open({.directory = options_.directory,
                             .what = "history",
                             .families = {std::string(Families::tail_name), std::string(Families::state_name)},
                             .family_options = options_of,
                             .wal_bytes_max = log_bytes_max(options_.bytes_max),
                             .env = options_.env});
    if (!opened) {
        return tl::unexpected(opened.error());
    }
    database_ = std::move(*opened);
    return after_open().and_then([this] { return restore_tails(); });
}

/// Learns the handles, and how far time has come: at least to the newest day.
Result<void> EmbeddedHistoryStore::after_open() {
    for (const std::string& name : database_->family_names()) {
        if (name == former_transitions || name.starts_with(former_prefix)) {
            spdlog::warn("history: {} in {} is of a former format and is removed", name, options_.directory);
            if (auto dropped = database_->drop_family(name); !dropped) {
                return dropped;
            }
        }
    }
    families_->find(*database_);
    if (const auto day = families_->newest(Families::Kind::samples)) {
        note_newest(*day);
    }
    const auto rolled = read_rolled_until(*database_, families_->state());
    if (!rolled) {
        return tl::unexpected(rolled.error());
    }
    rolled_until_ = rolled->value_or(INT32_MIN);
    return {};
}

/// What was open at the last checkpoint.
Result<void> EmbeddedHistoryStore::restore_tails() {
    std::size_t hours_lost = 0;
    std::size_t segments_lost = 0;
    auto read = for_each_segment(*database_, families_->tail(),
                                 [&](std::size_t number, std::uint64_t segment, std::string_view bytes) {
                                     if (number >= lanes) {
                                         return;
                                     }
                                     OpenLane& lane = (*lanes_)[number];
                                     lane.first_segment = lane.next_segment == 0 ? segment : lane.first_segment;
                                     lane.next_segment = segment + 1;
                                     segments_lost += lane.restore(bytes) ? 0U : 1U;
                                 });
    if (!read) {
        return read;
    }
    for (OpenLane& lane : *lanes_) {
        hours_lost += lane.end_restore();
        lane.for_each([this](const OpenDevice& device) {
            for (const OpenDevice::Hour& hour : device.hours) {
                open_bytes_ += hour.rows.bytes().size();
                ++open_hours_;
                note_newest(from_epoch_ms(begin_of_hour(hour.hour)));
            }
        });
    }
    std::vector<Day> days;
    for (OpenLane& lane : *lanes_) {
        lane.for_each([&](const OpenDevice& device) {
            for (const OpenDevice::Hour& hour : device.hours) {
                const Day day = std::chrono::floor<std::chrono::days>(from_epoch_ms(begin_of_hour(hour.hour)));
                if (std::ranges::find(days, day) == days.end()) {
                    days.push_back(day);
                }
            }
        });
    }
    make_families(days);
    if (hours_lost + segments_lost > 0) {
        metrics_->damaged.Increment(static_cast<double>(hours_lost + segments_lost));
        spdlog::warn("history: {} segments of open samples in {} are damaged, {} hours of devices could not be read",
                     segments_lost, options_.directory, hours_lost);
    }
    return {};
}

Result<void> EmbeddedHistoryStore::reopen() {
    {
        const std::unique_lock nobody_reads(in_use_);
        const std::unique_lock lock(mutex_);
        families_->forget();
        if (auto reopened = database_->reopen(); !reopened) {
            return reopened;
        }
        if (auto learnt = after_open(); !learnt) {
            return learnt;
        }
        last_write_failed_ = false;
    }
    for (OpenLane& lane : *lanes_) {
        const std::lock_guard lock(lane.mutex);
        lane.distrust_tail();
    }
    return {};
}

void EmbeddedHistoryStore::note_newest(Timestamp time) {
    std::int64_t newest = newest_ms_.load(std::memory_order_relaxed);
    while (to_epoch_ms(time) > newest && !newest_ms_.compare_exchange_weak(newest, to_epoch_ms(time))) {
    }
}

Timestamp EmbeddedHistoryStore::newest() const {
    return from_epoch_ms(newest_ms_.load(std::memory_order_relaxed));
}

EmbeddedHistoryStore::Day EmbeddedHistoryStore::newest_day() const {
    return std::chrono::floor<std::chrono::days>(newest());
}

/// The first day of which raw samples are kept.
EmbeddedHistoryStore::Day EmbeddedHistoryStore::oldest_day() const {
    return std::max(newest_day() - std::chrono::days(options_.raw_days),
                    Day(std::chrono::days(std::max(dropped_before_.load(), 0))));
}

Result<void> EmbeddedHistoryStore::check_open() const {
    if (!database_->is_open()) {
        return fail(ErrorCode::io, "the history is closed after an error of its disk");
    }
    return {};
}

/// Remembers a failure until checkpoint(), which reopens.
Result<void> EmbeddedHistoryStore::written(Result<void> result) {
    if (!result) {
        metrics_->failures.Increment();
        last_write_failed_ = true;
    }
    return result;
}

Result<void> EmbeddedHistoryStore::checkpoint() {
    // On a full disk it cannot be kept before the samples have made room: what is below goes on in any case.
    const auto presence = presence_->checkpoint();
    if (last_write_failed_) {
        if (auto reopened = reopen(); !reopened) {
            return reopened;
        }
        // If the disk is full there must be room before anything is written.
        const std::lock_guard turn(upkeep_mutex_);
        if (auto kept = keep_budget(); !kept) {
            return kept;
        }
    }
    for (std::size_t lane = 0; lane < lanes;) {
        const auto next = save_lanes(lane);
        if (!next) {
            return tl::unexpected(next.error());
        }
        lane = *next;
    }
    if (auto kept = upkeep(false); !kept) {
        return kept;
    }
    const std::shared_lock lock(mutex_);
    if (auto open = check_open(); !open) {
        return open;
    }
    const auto synced = written(rocks_result(database_->db().FlushWAL(true), cannot_write));
    return synced ? presence : synced;
}

// Presence ------------------------------------------------------------------------------------------------------------

/// Who appends repeats it until it is done, and no checkpoint comes before: raw days go for it here.
Result<void> EmbeddedHistoryStore::append_transition(std::string_view device, const Transition& transition) {
    auto appended = presence_->append(device, transition);
    while (!appended && appended.error().code != ErrorCode::invalid_argument && make_room()) {
        appended = presence_->append(device, transition);
    }
    return appended;
}

Result<std::vector<Transition>> EmbeddedHistoryStore::transitions(const TransitionQuery& query) const {
    return presence_->transitions(query);
}

Result<void> EmbeddedHistoryStore::presence_at(Timestamp at, std::string_view after, PastPresenceVisitor visit) const {
    return presence_->presence_at(at, after, visit);
}

std::optional<Timestamp> EmbeddedHistoryStore::presence_since() const {
    return presence_->since();
}

/// Adds what the presence history finds in itself.
Result<void> EmbeddedHistoryStore::verify_presence(HistoryCheck& check, FunctionRef<bool(std::uint64_t)> go_on) const {
    const auto checked = presence_->verify(
        [&](const EmbeddedPresenceHistory::Checked& so_far) { return go_on(check.chunks + so_far.entries); });
    if (!checked) {
        return tl::unexpected(checked.error());
    }
    check.transitions = checked->entries;
    check.baseline_devices = checked->baseline_devices;
    check.damaged += checked->damaged;
    const std::size_t room = damaged_examples_max - std::min(damaged_examples_max, check.damaged_examples.size());
    std::ranges::copy_n(checked->damaged_examples.begin(),
                        static_cast<std::ptrdiff_t>(std::min(room, checked->damaged_examples.size())),
                        std::back_inserter(check.damaged_examples));
    return {};
}

}  // namespace muster
