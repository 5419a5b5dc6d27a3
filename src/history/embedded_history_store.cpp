#include "history/embedded_history_store.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <rocksdb/merge_operator.h>
#include <rocksdb/write_batch.h>

#include "contract/identity.h"
#include "history/embedded_presence_history.h"
#include "history/history_codec.h"
#include "history/series_builder.h"
#include "storage/embedded_rocksdb.h"

namespace muster {
namespace {

constexpr std::string_view presence_folder = "/presence";
constexpr std::string_view day_prefix = "raw:";
constexpr std::string_view cannot_write = "cannot write to the history";
constexpr std::string_view cannot_read = "cannot read the history";
constexpr std::size_t points_limit = 10'000;
/// Of one query: a week of three samples a second.
constexpr std::size_t samples_read_max = 2'000'000;
constexpr std::size_t metrics_read_max = 1'000;

/// Folds the rows of one device and time into one when they are read or compacted, so that appending need not read.
class FoldSamples final : public rocksdb::AssociativeMergeOperator {
 public:
    [[nodiscard]] const char* Name() const override { return "muster.FoldSamples.1"; }
    bool Merge(const rocksdb::Slice& /*key*/, const rocksdb::Slice* older, const rocksdb::Slice& newer,
               std::string* folded, rocksdb::Logger* /*log*/) const override {
        if (older == nullptr) {
            folded->assign(newer.data(), newer.size());
            return true;
        }
        auto both = fold_metrics(view_of(*older), view_of(newer));
        // A row that cannot be read gives way to one that can.
        *folded = both ? std::move(*both) : newer.ToString();
        return true;
    }
};

rocksdb::ColumnFamilyOptions day_options() {
    static const auto fold = std::make_shared<FoldSamples>();
    rocksdb::ColumnFamilyOptions options = rocks_family_options();
    options.merge_operator = fold;
    options.table_factory = rocks_table(16U << 10U, false);  // reads are ranges
    return options;
}

/// From 1970 to 9999: beyond it the arithmetic of days would overflow.
bool is_storable(Timestamp time) {
    return time >= Timestamp{} && time < Timestamp(std::chrono::sys_days(std::chrono::year(9999) / 12 / 31));
}

/// A time that cannot be stored belongs to a day that is never kept.
std::chrono::sys_days day_of(Timestamp time) {
    return is_storable(time) ? std::chrono::floor<std::chrono::days>(time) : std::chrono::sys_days::min();
}

template <class Day>
std::string family_of(Day day) {
    return std::string(day_prefix).append(std::to_string(day.time_since_epoch().count()));
}

std::span<const std::pair<std::string_view, double>> finite_of(
    std::span<const std::pair<std::string_view, double>> metrics,
    std::vector<std::pair<std::string_view, double>>& kept) {
    const auto is_good = [](const auto& metric) {
        return std::isfinite(metric.second) && metric.first.size() <= metric_name_bytes_max;
    };
    if (std::ranges::all_of(metrics, is_good)) {
        return metrics;
    }
    kept.clear();
    std::ranges::copy_if(metrics, std::back_inserter(kept), is_good);
    return kept;
}

}  // namespace

EmbeddedHistoryStore::EmbeddedHistoryStore(EmbeddedHistoryStoreOptions options, MetricRegistry& metrics)
    : options_(std::move(options)),
      samples_(metrics.counter("muster_history_samples_total", "Samples appended")),
      too_old_(metrics.counter("muster_history_too_old_total", "Samples left out because their day is gone")),
      refused_metrics_(metrics.counter("muster_history_refused_metrics_total",
                                       "Values left out: not finite, or a name over 255 bytes")),
      failures_(metrics.counter("muster_history_write_failures_total", "Writes that the disk refused")),
      days_gauge_(metrics.gauge("muster_history_raw_days", "Days of raw samples on disk")),
      refresh_(metrics.on_render([this] {
          const std::shared_lock lock(mutex_);
          days_gauge_.Set(static_cast<double>(days_.size()));
      })) {}

EmbeddedHistoryStore::~EmbeddedHistoryStore() = default;

Result<std::unique_ptr<EmbeddedHistoryStore>> EmbeddedHistoryStore::open(EmbeddedHistoryStoreOptions options,
                                                                         MetricRegistry& metrics) {
    if (options.raw_days < 1 || options.transition_days < 1) {
        return fail(ErrorCode::invalid_argument, "history is kept for at least a day");
    }
    std::unique_ptr<EmbeddedHistoryStore> store(new EmbeddedHistoryStore(std::move(options), metrics));
    if (const auto opened = store->open_database(); !opened) {
        return tl::unexpected(opened.error());
    }
    auto presence =
        EmbeddedPresenceHistory::open({.directory = store->options_.directory + std::string(presence_folder),
                                       .days = store->options_.transition_days},
                                      metrics);
    if (!presence) {
        return tl::unexpected(presence.error());
    }
    store->presence_ = std::move(*presence);
    return store;
}

Result<void> EmbeddedHistoryStore::open_database() {
    const auto options_of = [](const std::string& family) {
        return family.starts_with(day_prefix) ? day_options() : rocks_family_options();
    };
    auto opened =
        RocksDatabase::open({.directory = options_.directory, .what = "history", .family_options = options_of});
    if (!opened) {
        return tl::unexpected(opened.error());
    }
    database_ = std::move(*opened);
    find_days();
    return {};
}

/// Learns the handles anew after the database was opened, and how far time has come: at least to the newest day.
void EmbeddedHistoryStore::find_days() {
    days_.clear();
    for (const std::string& name : database_->family_names()) {
        int day = 0;
        if (!name.starts_with(day_prefix) ||
            std::from_chars(name.data() + day_prefix.size(), name.data() + name.size(), day).ec != std::errc{}) {
            continue;
        }
        const Day when{std::chrono::days(day)};
        days_[when] = database_->family(name);
        note_newest(when);
    }
}

void EmbeddedHistoryStore::note_newest(Timestamp time) {
    std::int64_t newest = newest_ms_.load(std::memory_order_relaxed);
    while (to_epoch_ms(time) > newest && !newest_ms_.compare_exchange_weak(newest, to_epoch_ms(time))) {
    }
}

EmbeddedHistoryStore::Day EmbeddedHistoryStore::newest_day() const {
    return std::chrono::floor<std::chrono::days>(from_epoch_ms(newest_ms_.load(std::memory_order_relaxed)));
}

/// The first day that is kept.
EmbeddedHistoryStore::Day EmbeddedHistoryStore::oldest_day() const {
    return newest_day() - std::chrono::days(options_.raw_days);
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

Result<void> EmbeddedHistoryStore::make_days(std::span<const Sample> samples) {
    for (const Sample& sample : samples) {
        if (is_storable(sample.time)) {
            note_newest(sample.time);
        }
    }
    std::vector<Day> missing;
    {
        const std::shared_lock lock(mutex_);
        for (const Sample& sample : samples) {
            const Day day = day_of(sample.time);
            if (day >= oldest_day() && !days_.contains(day)) {
                missing.push_back(day);
            }
        }
    }
    if (missing.empty()) {
        return {};
    }
    const std::unique_lock lock(mutex_);
    if (auto open = check_open(); !open) {
        return open;
    }
    for (const Day day : missing) {
        if (days_.contains(day)) {
            continue;
        }
        const auto created = database_->create_family(family_of(day));
        if (!created) {
            return written(tl::unexpected(created.error()));
        }
        days_[day] = *created;
    }
    return {};
}

/// Remembers a failure until checkpoint(), which reopens.
Result<void> EmbeddedHistoryStore::written(Result<void> result) {
    if (!result) {
        failures_.Increment();
        last_write_failed_ = true;
    }
    return result;
}

Result<void> EmbeddedHistoryStore::append(std::span<const Sample> samples) {
    if (auto made = make_days(samples); !made) {
        return made;
    }
    const std::shared_lock lock(mutex_);
    if (auto open = check_open(); !open) {
        return open;
    }
    rocksdb::WriteBatch batch;
    std::vector<std::pair<std::string_view, double>> kept;
    std::string packed;
    std::size_t appended = 0;
    for (const Sample& sample : samples) {
        const auto day = days_.find(day_of(sample.time));
        if (day == days_.end() || day->first < oldest_day()) {
            too_old_.Increment();
            continue;
        }
        const auto metrics = finite_of(sample.metrics, kept);
        refused_metrics_.Increment(static_cast<double>(sample.metrics.size() - metrics.size()));
        if (metrics.empty() || !is_valid_device_id(sample.device)) {
            continue;
        }
        packed.clear();
        encode_metrics(metrics, packed);
        batch.Merge(day->second, sample_key(sample.device, sample.time), packed);
        ++appended;
    }
    samples_.Increment(static_cast<double>(appended));
    return written(rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write));
}

Result<void> EmbeddedHistoryStore::append_transition(std::string_view device, const Transition& transition) {
    return presence_->append(device, transition);
}

Result<void> EmbeddedHistoryStore::checkpoint() {
    if (auto kept = presence_->checkpoint(); !kept) {
        return kept;
    }
    if (last_write_failed_) {
        const std::unique_lock lock(mutex_);
        days_.clear();
        if (auto reopened = database_->reopen(); !reopened) {
            return reopened;
        }
        find_days();
        last_write_failed_ = false;
    }
    if (auto dropped = drop_old_days(); !dropped) {
        return written(dropped);
    }
    const std::shared_lock lock(mutex_);
    return written(rocks_result(database_->db().FlushWAL(true), cannot_write));
}

Result<void> EmbeddedHistoryStore::drop_old_days() {
    {
        const std::shared_lock lock(mutex_);
        if (days_.empty() || days_.begin()->first >= oldest_day()) {
            return {};
        }
    }
    const std::unique_lock lock(mutex_);
    while (!days_.empty() && days_.begin()->first < oldest_day()) {
        const std::string name = family_of(days_.begin()->first);
        days_.erase(days_.begin());
        if (auto dropped = database_->drop_family(name); !dropped) {
            return dropped;
        }
        spdlog::info("history: dropped a day of raw samples, {}", name);
    }
    return {};
}

Result<HistoryResult> EmbeddedHistoryStore::query(const HistoryQuery& query) const {
    if (query.points_max == 0 || query.points_max > points_limit) {
        return fail(ErrorCode::invalid_argument, "points must be 1 to 10,000");
    }
    if (query.from > query.to) {
        return fail(ErrorCode::invalid_argument, "the range ends before it begins");
    }
    const std::shared_lock lock(mutex_);
    if (const auto open = check_open(); !open) {
        return tl::unexpected(open.error());
    }
    // Points are spread over what there can be, not over an empty past or future.
    HistoryQuery within = query;
    within.from = std::max<Timestamp>(query.from, oldest_day());
    within.to = std::min<Timestamp>(query.to, newest_day() + std::chrono::days(1));
    HistoryResult result{.resolution = "raw", .series = {}};
    if (within.from >= within.to || !is_valid_device_id(query.device)) {
        return result;
    }
    SeriesBuilder series(within.from, within.to, query.points_max);
    std::size_t samples_left = samples_read_max;
    const Day first = std::chrono::floor<std::chrono::days>(within.from);
    for (auto day = days_.lower_bound(first); day != days_.end() && day->first < within.to; ++day) {
        if (const auto read = read_day(day->second, within, series, samples_left); !read) {
            return tl::unexpected(read.error());
        }
    }
    result.series = series.take();
    return result;
}

Result<void> EmbeddedHistoryStore::read_day(rocksdb::ColumnFamilyHandle* family, const HistoryQuery& query,
                                            SeriesBuilder& series, std::size_t& samples_left) const {
    const std::string first = sample_key(query.device, query.from);
    const std::string end = sample_key(query.device, query.to);
    const std::size_t prefix_bytes = device_prefix(query.device).size();
    const rocksdb::Slice upper(end);
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> iterator(database_->db().NewIterator(options, family));
    for (iterator->Seek(first); iterator->Valid(); iterator->Next()) {
        if (samples_left == 0 || series.metrics() > metrics_read_max) {
            return fail(ErrorCode::too_large,
                        "too many samples in the range: ask for a shorter one, or for fewer metrics");
        }
        --samples_left;
        const auto time = time_of_key(view_of(iterator->key()), prefix_bytes);
        const auto read =
            !time ? Result<void>(fail(ErrorCode::malformed, "history key does not follow its format"))
                  : decode_metrics(view_of(iterator->value()), [&](std::string_view name, double value) {
                        if (query.metrics.empty() || std::ranges::find(query.metrics, name) != query.metrics.end()) {
                            series.add(name, *time, value);
                        }
                    });
        if (!read) {
            return damaged(query.device);
        }
    }
    return rocks_result(iterator->status(), cannot_read);
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

Result<HistoryCheck> EmbeddedHistoryStore::verify(FunctionRef<bool(std::uint64_t)> go_on) const {
    HistoryCheck check;
    if (auto verified = verify_presence(check, go_on); !verified) {
        return tl::unexpected(verified.error());
    }
    return check;
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
    if (checked->damaged > 0) {
        check.damaged_examples.push_back(fmt::format("{} rows of the presence history", checked->damaged));
    }
    return {};
}

}  // namespace muster
