#include "history/embedded_history_store.h"

#include <algorithm>

#include <rocksdb/compaction_filter.h>

#include "contract/identity.h"
#include "history/embedded_history_families.h"
#include "history/embedded_history_metrics.h"
#include "history/embedded_tail.h"
#include "history/history_codec.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

using Families = EmbeddedHistoryFamilies;

constexpr std::string_view cannot_write = "cannot write to the history";
constexpr std::string_view cannot_read = "cannot read the history";
constexpr std::size_t transitions_limit = 10'000;
/// Families of the format before chunks; what is in them cannot be read any more.
constexpr std::string_view former_prefix = "raw:";

/// From 1970 to 9999: beyond it the arithmetic of days would overflow.
bool is_storable(Timestamp time) {
    return time >= Timestamp{} && time < Timestamp(std::chrono::sys_days(std::chrono::year(9999) / 12 / 31));
}

}  // namespace

/// Drops transitions that are over their days when RocksDB rewrites them anyway.
class EmbeddedHistoryStore::OldTransitions final : public rocksdb::CompactionFilter {
 public:
    OldTransitions(const std::atomic<std::int64_t>& newest_ms, std::chrono::days kept)
        : newest_ms_(newest_ms), kept_(kept) {}

    [[nodiscard]] const char* Name() const override { return "muster.OldTransitions"; }
    [[nodiscard]] bool Filter(int /*level*/, const rocksdb::Slice& key, const rocksdb::Slice& /*value*/,
                              std::string* /*new_value*/, bool* /*changed*/) const override {
        const std::string_view bytes = view_of(key);
        const auto time = time_of_key(bytes, bytes.find('\0') + 1);
        return time && *time < from_epoch_ms(newest_ms_.load(std::memory_order_relaxed)) - kept_;
    }

 private:
    const std::atomic<std::int64_t>& newest_ms_;
    const std::chrono::days kept_;
};

EmbeddedHistoryStore::EmbeddedHistoryStore(EmbeddedHistoryStoreOptions options, MetricRegistry& metrics)
    : options_(std::move(options)),
      old_transitions_(std::make_unique<OldTransitions>(newest_ms_, std::chrono::days(options_.transition_days))),
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
    return store;
}

Result<void> EmbeddedHistoryStore::open_database() {
    const auto options_of = [this](const std::string& family) {
        auto options = Families::options_of(family);
        options.compaction_filter = family == Families::transitions_name ? old_transitions_.get() : nullptr;
        return options;
    };
    auto opened =
        RocksDatabase::open({.directory = options_.directory,
                             .what = "history",
                             .families = {std::string(Families::tail_name), std::string(Families::transitions_name),
                                          std::string(Families::state_name)},
                             .family_options = options_of,
                             .env = options_.env,
                             .read_only = options_.read_only});
    if (!opened) {
        return tl::unexpected(opened.error());
    }
    database_ = std::move(*opened);
    return after_open().and_then([this] { return restore_tails(); });
}

/// Learns the handles, and how far time has come: at least to the newest day.
Result<void> EmbeddedHistoryStore::after_open() {
    for (const std::string& name : database_->family_names()) {
        if (!options_.read_only && name.starts_with(former_prefix)) {
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
    const auto read = for_each_segment(*database_, families_->tail(),
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
    if (hours_lost + segments_lost > 0) {
        metrics_->damaged.Increment(static_cast<double>(hours_lost + segments_lost));
        spdlog::warn("history: {} segments of open samples in {} are damaged, {} hours of devices could not be read",
                     segments_lost, options_.directory, hours_lost);
    }
    return {};
}

Result<void> EmbeddedHistoryStore::reopen() {
    {
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

tl::unexpected<Error> EmbeddedHistoryStore::damaged(std::string_view device) const {
    return fail(ErrorCode::corrupt, "the history is damaged",
                "in " + options_.directory + ", device " + std::string(device));
}

Result<void> EmbeddedHistoryStore::check_open() const {
    if (!database_->is_open()) {
        return fail(ErrorCode::io, "the history is closed after an error of its disk");
    }
    return {};
}

Result<void> EmbeddedHistoryStore::check_writable() const {
    if (options_.read_only) {
        return fail(ErrorCode::unsupported, "the history is open for reading only");
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
    if (auto writable = check_writable(); !writable) {
        return writable;
    }
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
    for (std::size_t number = 0; number < lanes; ++number) {
        if (auto saved = save_lane(number); !saved) {
            return saved;
        }
    }
    if (auto kept = upkeep(false); !kept) {
        return kept;
    }
    const std::shared_lock lock(mutex_);
    if (auto open = check_open(); !open) {
        return open;
    }
    return written(rocks_result(database_->db().FlushWAL(true), cannot_write));
}

// Transitions ---------------------------------------------------------------------------------------------------------

Result<void> EmbeddedHistoryStore::append_transition(std::string_view device, const Transition& transition) {
    if (!is_valid_device_id(device) || !is_storable(transition.time)) {
        return fail(ErrorCode::invalid_argument, "a transition without a valid device or time", std::string(device));
    }
    if (auto writable = check_writable(); !writable) {
        return writable;
    }
    note_newest(transition.time);
    const std::shared_lock lock(mutex_);
    if (auto open = check_open(); !open) {
        return open;
    }
    metrics_->transitions.Increment();
    return written(rocks_result(
        database_->db().Put(rocksdb::WriteOptions(), families_->transitions(),
                            transition_key(device, transition.time, transition.offset), encode_transition(transition)),
        cannot_write));
}

Result<std::vector<Transition>> EmbeddedHistoryStore::transitions(std::string_view device, Timestamp from, Timestamp to,
                                                                  std::size_t limit) const {
    if (limit == 0 || limit > transitions_limit) {
        return fail(ErrorCode::invalid_argument, "limit must be 1 to 10,000");
    }
    std::vector<Transition> result;
    if (!is_valid_device_id(device) || from >= to) {
        return result;
    }
    const std::shared_lock lock(mutex_);
    if (const auto open = check_open(); !open) {
        return tl::unexpected(open.error());
    }
    const std::string first = time_key(device, from);
    const std::string end = time_key(device, to);
    const std::size_t prefix_bytes = device_prefix(device).size();
    const rocksdb::Slice lower(first);
    const rocksdb::Slice upper(end);
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &lower;
    options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> iterator(database_->db().NewIterator(options, families_->transitions()));
    for (iterator->SeekToLast(); iterator->Valid() && result.size() < limit; iterator->Prev()) {
        auto transition = decode_transition(view_of(iterator->key()), prefix_bytes, view_of(iterator->value()));
        if (!transition) {
            return damaged(device);
        }
        result.push_back(std::move(*transition));
    }
    if (const auto read = rocks_result(iterator->status(), cannot_read); !read) {
        return tl::unexpected(read.error());
    }
    return result;
}

}  // namespace muster
