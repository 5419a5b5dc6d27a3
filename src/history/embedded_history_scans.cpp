#include <algorithm>

#include "history/chunk_key.h"
#include "history/embedded_chunk_reader.h"
#include "history/embedded_damage.h"
#include "history/embedded_history_families.h"
#include "history/embedded_history_metrics.h"
#include "history/embedded_history_store.h"
#include "history/embedded_tail.h"
#include "history/history_chunk.h"
#include "storage/embedded_rocksdb.h"

// Everything that is stored, one after the other: export and verification.

namespace muster {
namespace {

using Families = EmbeddedHistoryFamilies;
using Day = std::chrono::sys_days;

constexpr std::string_view cannot_read = "cannot read the history";
constexpr std::size_t damaged_examples_max = 20;
constexpr std::uint64_t chunks_between_questions = 1024;
constexpr Millis hour{3'600'000};

/// A row of a folded table: the metrics that have a sample at one time.
class Rows final {
 public:
    explicit Rows(const SampleTable& table) : table_(table), at_(table.metrics().size(), 0) {}

    /// nullopt: there are no more.
    [[nodiscard]] std::optional<std::int64_t> next() {
        std::optional<std::int64_t> time;
        for (std::size_t m = 0; m < at_.size(); ++m) {
            const MetricSamples& samples = table_.metrics()[m];
            if (at_[m] < samples.times.size()) {
                time = std::min(time.value_or(samples.times[at_[m]]), samples.times[at_[m]]);
            }
        }
        metrics_.clear();
        clamped_ = false;
        for (std::size_t m = 0; time && m < at_.size(); ++m) {
            const MetricSamples& samples = table_.metrics()[m];
            if (at_[m] < samples.times.size() && samples.times[at_[m]] == *time) {
                metrics_.emplace_back(samples.name, samples.values[at_[m]]);
                clamped_ = clamped_ || samples.clamped[at_[m]] != 0;
                ++at_[m];
            }
        }
        return time;
    }
    [[nodiscard]] MetricValues metrics() const { return metrics_; }
    [[nodiscard]] bool clamped() const { return clamped_; }

 private:
    const SampleTable& table_;
    std::vector<std::size_t> at_;
    std::vector<std::pair<std::string_view, double>> metrics_;
    bool clamped_ = false;
};

/// Goes through a family, past what is damaged. False from `visit` ends it.
Result<void> for_each_value(rocksdb::Iterator& iterator, HistoryCheck& found, const std::string& what,
                            FunctionRef<bool(std::string_view, std::string_view)> visit) {
    std::string key;
    iterator.SeekToFirst();
    while (true) {
        if (!iterator.Valid()) {
            if (iterator.status().ok()) {
                return {};
            }
            if (!iterator.status().IsCorruption()) {
                return rocks_result(iterator.status(), cannot_read);
            }
            ++found.damaged;
            if (found.damaged_examples.size() < damaged_examples_max) {
                found.damaged_examples.push_back(what + ": a block behind " + key.substr(0, key.find('\0')) +
                                                 " cannot be read");
            }
            if (!seek_past_damage(iterator, key)) {
                return {};
            }
        }
        key = view_of(iterator.key());
        if (!visit(key, view_of(iterator.value()))) {
            return {};
        }
        iterator.Next();
    }
}

std::string date_of(Day day) {
    const std::chrono::year_month_day date(day);
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()));
}

}  // namespace

std::vector<std::string> EmbeddedHistoryStore::open_devices() const {
    std::vector<std::string> devices;
    for (const OpenLane& lane : *lanes_) {
        const std::lock_guard lock(lane.mutex);
        lane.for_each([&](const OpenDevice& device) {
            if (!device.hours.empty()) {
                devices.push_back(device.id);
            }
        });
    }
    std::ranges::sort(devices);
    return devices;
}

Result<void> EmbeddedHistoryStore::for_each_device(EmbeddedChunkReader& reader, Timestamp from, Timestamp to,
                                                   std::string_view after,
                                                   FunctionRef<Result<bool>(std::string_view device)> visit) const {
    const std::vector<std::string> open = open_devices();
    std::string last(after);
    while (true) {
        std::optional<std::string> next;
        const auto consider = [&](const std::optional<std::string>& device) {
            next = device && (!next || *device < *next) ? device : next;
        };
        if (const auto found = std::ranges::upper_bound(open, last); found != open.end()) {
            consider(*found);
        }
        for (Day day = std::chrono::floor<std::chrono::days>(from); day < to; day += std::chrono::days(1)) {
            for (const auto kind : {Families::Kind::samples, Families::Kind::minutes, Families::Kind::hours}) {
                // The finest that there is of a day names all its devices.
                if (families_->get(kind, day) != nullptr) {
                    consider(reader.next_device(kind, day, last));
                    break;
                }
            }
        }
        if (!next) {
            return {};
        }
        const auto go_on = visit(*next);
        if (!go_on) {
            return tl::unexpected(go_on.error());
        }
        if (!*go_on) {
            return {};
        }
        last = std::move(*next);
    }
}

Result<ScanResult> EmbeddedHistoryStore::scan(const ScanQuery& query, SampleVisitor visit) const {
    const std::shared_lock in_use(in_use_);
    std::shared_lock lock(mutex_);
    if (const auto open = check_open(); !open) {
        return tl::unexpected(open.error());
    }
    ScanResult result;
    const Timestamp from = std::max<Timestamp>(query.from, oldest_day());
    const Timestamp to = std::min<Timestamp>(query.to, newest_day() + std::chrono::days(1));
    EmbeddedChunkReader reader(*database_, *families_, seals_.load());
    bool go_on = from < to;
    const auto scan_device = [&](std::string_view device) -> Result<bool> {
        std::uint64_t samples = 0;
        for (Day day = std::chrono::floor<std::chrono::days>(from); go_on && day < to; day += std::chrono::days(1)) {
            const auto read = scan_day(reader, device, day, query, visit, go_on);
            if (!read) {
                return tl::unexpected(read.error());
            }
            samples += *read;
        }
        result.devices += samples > 0 ? 1U : 0U;
        result.samples += samples;
        // An export takes minutes: days must come and go meanwhile.
        lock.unlock();
        lock.lock();
        if (last_write_failed_) {
            return fail(ErrorCode::unavailable,
                        "broken off, as the history must open again after an error of its disk");
        }
        return go_on;
    };
    Result<void> scanned;
    if (go_on && !query.device.empty()) {
        const auto one = scan_device(query.device);
        scanned = one ? Result<void>() : tl::unexpected(one.error());
    } else if (go_on) {
        scanned = for_each_device(reader, from, to, query.after_device, scan_device);
    }
    if (!scanned) {
        return tl::unexpected(scanned.error());
    }
    result.damaged_chunks = reader.damaged();
    metrics_->damaged.Increment(static_cast<double>(reader.damaged()));
    return result;
}

Result<std::uint64_t> EmbeddedHistoryStore::scan_day(EmbeddedChunkReader& reader, std::string_view device, Day day,
                                                     const ScanQuery& query, SampleVisitor visit, bool& go_on) const {
    const Timestamp from = std::max<Timestamp>(query.from, day);
    const Timestamp to = std::min<Timestamp>(query.to, day + std::chrono::days(1));
    std::uint64_t count = 0;
    static thread_local SampleTable table;
    if (auto read = read_samples(reader, device, from, to, table); !read) {
        return tl::unexpected(read.error());
    }
    Rows rows(table);
    for (auto time = rows.next(); go_on && time; time = rows.next()) {
        const Timestamp at = from_epoch_ms(*time);
        if (at >= from && at < to) {
            ++count;
            go_on = visit({device, at, rows.metrics(), rows.clamped()});
        }
    }
    return count;
}

/// By kind and day. The caller holds in_use_.
Result<EmbeddedHistoryStore::AllIterators> EmbeddedHistoryStore::iterators_of_all() const {
    rocksdb::ReadOptions options = chunk_read_options();
    options.fill_cache = false;
    const std::shared_lock lock(mutex_);
    if (const auto open = check_open(); !open) {
        return tl::unexpected(open.error());
    }
    AllIterators all;
    for (const auto kind : {Families::Kind::samples, Families::Kind::minutes, Families::Kind::hours}) {
        for (const auto& [day, family] : families_->of(kind)) {
            all[static_cast<std::size_t>(kind)].emplace_back(
                day, std::shared_ptr<rocksdb::Iterator>(database_->db().NewIterator(options, family)));
        }
    }
    return all;
}

Result<HistoryCheck> EmbeddedHistoryStore::verify(FunctionRef<bool(std::uint64_t)> go_on) const {
    // Takes minutes: days must come and go meanwhile, and what was there at the beginning is checked.
    const std::shared_lock in_use(in_use_);
    const auto families = iterators_of_all();
    if (!families) {
        return tl::unexpected(families.error());
    }
    HistoryCheck found;
    const auto damage = [&](std::string what) {
        ++found.damaged;
        if (found.damaged_examples.size() < damaged_examples_max) {
            found.damaged_examples.push_back(std::move(what));
        }
    };
    std::uint64_t looked_at = 0;
    bool wanted = true;
    const auto ask = [&] {
        ++looked_at;
        if (wanted && looked_at % chunks_between_questions == 0) {
            wanted = !last_write_failed_ && go_on(looked_at);
        }
        return wanted;
    };
    SampleTable table;
    for (const auto& [day, iterator] : (*families)[static_cast<std::size_t>(Families::Kind::samples)]) {
        const std::string what = "samples of " + date_of(day);
        const auto check = [&, first = day](std::string_view key, std::string_view value) {
            const auto parsed = parse_chunk_key(key);
            table.clear();
            const std::int64_t begin = to_epoch_ms(first) + (parsed ? parsed->hour * hour.count() : 0);
            const auto rows = decode_chunk(value, begin, table);
            if (!parsed || !rows) {
                damage(fmt::format("{}: {} {}", what, key.substr(0, key.find('\0')),
                                   parsed ? fmt::format("hour {}: {}", parsed->hour, rows.error().text) : "bad key"));
            } else {
                ++found.chunks;
                found.samples += *rows;
            }
            found.bytes += value.size();
            return ask();
        };
        if (auto read = wanted ? for_each_value(*iterator, found, what, check) : Result<void>(); !read) {
            return tl::unexpected(read.error());
        }
    }
    for (const auto& [kind, slot_ms] :
         {std::pair{Families::Kind::minutes, std::int64_t{60'000}}, std::pair{Families::Kind::hours, hour.count()}}) {
        for (const auto& [day, iterator] : (*families)[static_cast<std::size_t>(kind)]) {
            const std::string what = "rollups from " + date_of(day);
            const auto check = [&, slot = slot_ms](std::string_view key, std::string_view value) {
                const auto parsed = parse_rollup_key(key);
                const auto rollups =
                    decode_rollups(value, parsed ? parsed->day * std::int64_t{86'400'000} : 0, slot, {});
                if (!parsed || !rollups) {
                    damage(fmt::format("{}: {} {}", what, key.substr(0, key.find('\0')),
                                       parsed ? rollups.error().text : "bad key"));
                } else {
                    ++found.rollups;
                }
                found.bytes += value.size();
                return ask();
            };
            if (auto read = wanted ? for_each_value(*iterator, found, what, check) : Result<void>(); !read) {
                return tl::unexpected(read.error());
            }
        }
    }
    const auto check_segment = [&](std::size_t number, std::uint64_t segment, std::string_view bytes) {
        const auto read = read_tail_segment(bytes, [](bool) {}, [](const TailEntry&) {});
        if (!read) {
            damage(fmt::format("open samples: segment {} of lane {}: {}", segment, number, read.error().text));
        }
        found.bytes += bytes.size();
    };
    if (auto read = for_each_segment(*database_, families_->tail(), check_segment); !read) {
        damage("open samples: " + read.error().message());
    }
    if (last_write_failed_) {
        return fail(ErrorCode::unavailable, "broken off, as the history must open again after an error of its disk");
    }
    if (wanted) {
        if (auto presence = verify_presence(found, go_on); !presence) {
            return tl::unexpected(presence.error());
        }
    }
    return found;
}

}  // namespace muster
