#include <algorithm>
#include <cmath>
#include <numeric>

#include <rocksdb/write_batch.h>

#include "base/crc32c.h"
#include "contract/identity.h"
#include "history/chunk_key.h"
#include "history/embedded_history_families.h"
#include "history/embedded_history_metrics.h"
#include "history/embedded_history_store.h"
#include "history/embedded_tail.h"
#include "history/history_chunk.h"
#include "history/storable_time.h"
#include "storage/embedded_rocksdb.h"

// From a sample to a sealed chunk.

namespace muster {
namespace {

using Families = EmbeddedHistoryFamilies;

constexpr std::string_view cannot_write = "cannot write to the history";
constexpr std::string_view cannot_read = "cannot read the history";
/// Of a device: the present one, the one before for late samples, the next for a clock that is ahead.
constexpr std::size_t open_hours_usual = 3;
/// While the disk refuses.
constexpr std::size_t open_hours_max = 8;
/// Sealed before the hour is over: a device that sends this much.
constexpr std::uint32_t open_samples_max = 4096;
constexpr std::size_t open_rows_bytes_max = 64U << 10U;
/// Chunks of one device and hour are made one up to this size, and this many metrics.
constexpr std::uint32_t merged_rows_max = 8192;
constexpr std::size_t merged_metrics_max = 512;
static_assert(merged_rows_max * merged_metrics_max <= chunk_values_max);
static_assert(open_samples_max * row_metrics_max <= chunk_values_max);
constexpr std::size_t seal_batch_max = 256;
/// After its end an hour stays open for late samples, up to so long, by device, so that not all are sealed at once.
constexpr std::int64_t seal_after_ms = 60'000;
constexpr std::int64_t seal_spread_ms = 30 * 60'000;
constexpr HourNumber hours_a_day = 24;
constexpr std::size_t prefetched_metric_bytes = 256;
/// In one write of a checkpoint, whose lanes nobody appends to meanwhile.
constexpr std::size_t lanes_a_write = 16;
constexpr std::size_t write_bytes_usual = 1U << 20U;

bool is_good(const std::pair<std::string_view, double>& metric) {
    return std::isfinite(metric.second) && metric.first.size() <= metric_name_bytes_max;
}

std::chrono::sys_days day_of(HourNumber hour) {
    return std::chrono::sys_days(std::chrono::days(hour / hours_a_day));
}

}  // namespace

OpenLane& EmbeddedHistoryStore::lane_of(std::string_view device) const {
    return (*lanes_)[OpenLane::hash_of(device) % lanes];
}

Result<void> EmbeddedHistoryStore::append(std::span<const Sample> samples) {
    for (const Sample& sample : samples) {
        if (is_storable(sample.time)) {
            note_newest(sample.time);
        }
    }
    static thread_local std::vector<HashedSample> kept;
    kept.clear();
    const std::int64_t oldest_ms = to_epoch_ms(oldest_day());
    std::vector<Day> lacking;
    std::shared_lock lock(mutex_);
    Day checked = Day::min();
    for (const Sample& sample : samples) {
        if (!is_storable(sample.time) || to_epoch_ms(sample.time) < oldest_ms) {
            continue;
        }
        kept.push_back({&sample, OpenLane::hash_of(sample.device)});
        if (const Day day = std::chrono::floor<std::chrono::days>(sample.time); day != checked) {
            checked = day;
            if (!has_families(day)) {
                lacking.push_back(day);
            }
        }
    }
    if (!lacking.empty()) {
        lock.unlock();
        make_families(lacking);
        lock.lock();
    }
    append_by_lane(kept);
    if (kept.size() < samples.size()) {
        metrics_->too_old.Increment(static_cast<double>(samples.size() - kept.size()));
    }
    metrics_->samples.Increment(static_cast<double>(kept.size()));
    return {};
}

/// The samples of a lane together, in their order: its lock is taken once, and what they touch is fetched while others
/// are worked on, as most of the time goes into waiting for memory. mutex_ is held.
void EmbeddedHistoryStore::append_by_lane(std::span<const HashedSample> samples) {
    static thread_local std::vector<HashedSample> sorted;
    std::array<std::size_t, lanes + 1> begins{};
    for (const HashedSample& one : samples) {
        ++begins[one.hash % lanes + 1U];
    }
    std::partial_sum(begins.begin(), begins.end(), begins.begin());
    sorted.resize(samples.size());
    for (const HashedSample& one : samples) {
        sorted[begins[one.hash % lanes]++] = one;
    }
    for (std::size_t at = 0, lane = 0; lane < lanes; ++lane) {
        const std::size_t end = begins[lane];  // where the next one began
        if (at == end) {
            continue;
        }
        OpenLane& open = (*lanes_)[lane];
        const std::lock_guard lock(open.mutex);
        for (; at < end; at += std::min(end - at, append_group)) {
            append_group_to(open, std::span(sorted).subspan(at, std::min(end - at, append_group)));
        }
    }
}

/// `lane` is locked, mutex_ held.
void EmbeddedHistoryStore::append_group_to(OpenLane& lane, std::span<const HashedSample> samples) {
    for (const HashedSample& one : samples) {
        lane.index().prefetch(one.hash);
        __builtin_prefetch(one.sample);
        __builtin_prefetch(reinterpret_cast<const char*>(one.sample) + sizeof(Sample) - 1);
    }
    for (const HashedSample& one : samples) {
        lane.index().prefetch_device(one.hash);
        const auto metrics = std::as_bytes(one.sample->metrics);
        for (std::size_t at = 0; at < std::min(metrics.size(), prefetched_metric_bytes); at += cache_line_bytes) {
            __builtin_prefetch(&metrics[at]);
        }
    }
    std::array<OpenDevice*, append_group> devices{};
    for (std::size_t i = 0; i < samples.size(); ++i) {
        devices[i] = lane.find(samples[i].hash, samples[i].sample->device);
        if (devices[i] != nullptr) {
            devices[i]->prefetch_hours();
        }
    }
    for (std::size_t i = 0; i < samples.size(); ++i) {
        if (devices[i] != nullptr) {
            devices[i]->prefetch_rows();
        }
    }
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const Sample& sample = *samples[i].sample;
        if (devices[i] == nullptr && !is_valid_device_id(sample.device)) {
            continue;
        }
        OpenDevice& device = devices[i] == nullptr ? lane.find_or_add(samples[i].hash, sample.device) : *devices[i];
        if (std::ranges::all_of(sample.metrics, is_good)) {
            append_metrics(lane, device, sample, sample.metrics);
            continue;
        }
        std::vector<std::pair<std::string_view, double>> good;
        std::ranges::copy_if(sample.metrics, std::back_inserter(good), is_good);
        metrics_->refused.Increment(static_cast<double>(sample.metrics.size() - good.size()));
        append_metrics(lane, device, sample, good);
    }
}

/// One row has one shape, and shapes of one hour have a bound.
void EmbeddedHistoryStore::append_metrics(OpenLane& lane, OpenDevice& device, const Sample& sample,
                                          MetricValues metrics) {
    for (; !metrics.empty(); metrics = metrics.subspan(std::min(metrics.size(), row_metrics_max))) {
        append_row(lane, device, sample, metrics.first(std::min(metrics.size(), row_metrics_max)));
    }
}

void EmbeddedHistoryStore::append_row(OpenLane& lane, OpenDevice& device, const Sample& sample, MetricValues metrics) {
    if (!append_to_hour(lane, device, sample, metrics)) {
        metrics_->dropped.Increment();
        return;
    }
    if (sample.time_clamped) {
        metrics_->clamped.Increment();
    }
    lane.mark(device);
}

/// False: there is no room.
bool EmbeddedHistoryStore::append_to_hour(OpenLane& lane, OpenDevice& device, const Sample& sample,
                                          MetricValues metrics) {
    const std::int64_t time = to_epoch_ms(sample.time);
    const HourNumber number = hour_of(time);
    const std::int64_t within = time - begin_of_hour(number);
    const std::uint64_t names = lane.shapes().number_of(metrics);
    for (const bool again : {false, true}) {
        OpenDevice::Hour* const hour = hour_for(lane, device, number);
        if (hour == nullptr) {
            return false;
        }
        const std::size_t before = hour->rows.bytes().size();
        const bool appended = hour->rows.append(within, metrics, sample.time_clamped, names);
        const std::size_t after = hour->rows.bytes().size();
        open_bytes_.fetch_add(after - before, std::memory_order_relaxed);
        const DueHour due{&device, number};
        if (appended) {
            if (hour->rows.samples() >= open_samples_max || after >= open_rows_bytes_max) {
                (void)seal(lane, {&due, 1});  // counted; it stays open, and is tried again
            }
            return true;
        }
        if (again || !seal(lane, {&due, 1})) {
            return false;
        }
    }
    return false;
}

// Families ------------------------------------------------------------------------------------------------------------

/// What a sealed hour of the day is written to. mutex_ is held.
bool EmbeddedHistoryStore::has_families(Day day) const {
    const bool rolled = is_rolled(day) || is_being_rolled(day);
    return families_->get(Families::Kind::samples, day) != nullptr &&
           (!rolled || (families_->get(Families::Kind::minutes, day) != nullptr &&
                        families_->get(Families::Kind::hours, day) != nullptr));
}

/// Before a lane is locked, as families need mutex_ for themselves alone. A disk that refuses is counted, and met again
/// when the family is needed.
void EmbeddedHistoryStore::make_families(std::span<const Day> days, bool with_rollups) {
    const std::unique_lock lock(mutex_);
    for (const Day day : days) {
        if (!check_open()) {
            return;
        }
        const bool rolled = with_rollups || is_rolled(day) || is_being_rolled(day);
        for (const auto kind : {Families::Kind::samples, Families::Kind::minutes, Families::Kind::hours}) {
            if (kind != Families::Kind::samples && !rolled) {
                continue;
            }
            if (auto made = families_->get_or_create(*database_, kind, day); !made) {
                (void)written(tl::unexpected(made.error()));
                return;
            }
        }
    }
}

/// Null: there is no room, and the disk does not let any be made.
OpenDevice::Hour* EmbeddedHistoryStore::hour_for(OpenLane& lane, OpenDevice& device, HourNumber hour) {
    const bool full = open_bytes_.load(std::memory_order_relaxed) >= options_.open_bytes_max;
    OpenDevice::Hour* found = device.find(hour);
    if (found != nullptr && !full) {
        return found;
    }
    if (!device.hours.empty() && (full || device.hours.size() >= open_hours_usual)) {
        const HourNumber oldest = std::ranges::min(device.hours, {}, &OpenDevice::Hour::hour).hour;
        const DueHour due{&device, oldest};
        if (!seal(lane, {&due, 1}) && (full || device.hours.size() >= open_hours_max)) {
            return nullptr;
        }
        found = device.find(hour);
    }
    if (found == nullptr) {
        found = &device.hours.emplace_back();
        found->hour = hour;
        open_hours_.fetch_add(1, std::memory_order_relaxed);
    }
    return found;
}

// The stored tail -----------------------------------------------------------------------------------------------------

/// Stores what is new in the lanes from `first` on, as many as are worth one write; gives the lane behind them.
Result<std::size_t> EmbeddedHistoryStore::save_lanes(std::size_t first) {
    struct Saved {
        OpenLane* lane;
        std::size_t bytes;
        bool anew;
        std::unique_lock<std::mutex> lock;
    };
    std::vector<Saved> saved;
    rocksdb::WriteBatch batch;
    const std::shared_lock lock(mutex_);
    if (auto open = check_open(); !open) {
        return tl::unexpected(open.error());
    }
    std::size_t number = first;
    for (; number < lanes && number < first + lanes_a_write && batch.GetDataSize() < write_bytes_usual; ++number) {
        OpenLane& lane = (*lanes_)[number];
        std::unique_lock lane_lock(lane.mutex);
        const bool anew = lane.wants_anew();
        TailSegmentWriter segment = lane.unsaved(anew);
        if (segment.empty()) {
            lane.saved(0, false);
            continue;
        }
        const std::string& bytes = segment.finish();
        if (anew && lane.first_segment < lane.next_segment) {
            batch.DeleteRange(families_->tail(), segment_key(number, lane.first_segment),
                              segment_key(number, lane.next_segment));
        }
        batch.Put(families_->tail(), segment_key(number, lane.next_segment), bytes);
        saved.push_back({&lane, bytes.size(), anew, std::move(lane_lock)});
    }
    if (saved.empty()) {
        return number;
    }
    const auto stored = written(rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write));
    for (const Saved& one : saved) {
        if (!stored) {
            one.lane->distrust_tail();
            continue;
        }
        one.lane->first_segment = one.anew ? one.lane->next_segment : one.lane->first_segment;
        ++one.lane->next_segment;
        one.lane->saved(one.bytes, one.anew);
    }
    return stored ? Result<std::size_t>(number) : tl::unexpected(stored.error());
}

// Sealing -------------------------------------------------------------------------------------------------------------

bool EmbeddedHistoryStore::is_due(const OpenDevice& device, HourNumber hour) const {
    const std::int64_t spread = crc32c(device.id, 1) % seal_spread_ms;
    return newest_ms_.load(std::memory_order_relaxed) >= begin_of_hour(hour + 1) + seal_after_ms + spread;
}

/// On failure a part is sealed, the rest stays open.
Result<void> EmbeddedHistoryStore::seal_due(OpenLane& lane, bool all) {
    std::vector<DueHour> due;
    for (const bool again : {false, true}) {
        std::vector<Day> lacking;
        {
            const std::shared_lock lock(mutex_);
            const std::lock_guard lane_lock(lane.mutex);
            due.clear();
            lane.for_each([&](OpenDevice& device) {
                for (const OpenDevice::Hour& hour : device.hours) {
                    if (all || is_due(device, hour.hour)) {
                        due.push_back({&device, hour.hour});
                    }
                }
            });
            for (const DueHour& one : due) {
                const Day day = day_of(one.hour);
                if (!has_families(day) && std::ranges::find(lacking, day) == lacking.end()) {
                    lacking.push_back(day);
                }
            }
            if (lacking.empty() || again) {
                return seal_in_parts(lane, due);
            }
        }
        make_families(lacking);  // of a day that has gone while its last samples were open, for one
    }
    return {};
}

/// `lane` is locked, mutex_ held.
Result<void> EmbeddedHistoryStore::seal_in_parts(OpenLane& lane, std::span<const DueHour> due) {
    for (std::size_t at = 0; at < due.size(); at += seal_batch_max) {
        const std::size_t count = std::min(seal_batch_max, due.size() - at);
        if (auto sealed = seal(lane, due.subspan(at, count)); !sealed) {
            return sealed;
        }
    }
    return {};
}

/// The key and the chunk of an open hour, one with what was sealed of it before while that is small. Gives the samples.
Result<std::uint32_t> EmbeddedHistoryStore::encode_hour(const DueHour& due, std::string& key,
                                                        std::string& chunk) const {
    static thread_local SampleTable table;
    const std::int64_t begin = begin_of_hour(due.hour);
    const OpenRows& rows = due.device->find(due.hour)->rows;
    auto* const family = families_->get(Families::Kind::samples, day_of(due.hour));
    ChunkKey at{due.device->id, static_cast<std::uint8_t>(due.hour % hours_a_day), 0};
    table.clear();
    for (bool merged = false; !merged && at.part < UINT16_MAX; ++at.part) {
        key = chunk_key(at);
        rocksdb::PinnableSlice stored;
        const auto status = database_->db().Get(rocksdb::ReadOptions(), family, key, &stored);
        if (status.IsNotFound()) {
            break;
        }
        if (!status.ok() && !status.IsCorruption()) {
            return tl::unexpected(rocks_result(status, cannot_read).error());
        }
        // One that is large, or cannot be read, is left alone.
        if (status.ok() && rows_of_chunk(view_of(stored)) + rows.samples() <= merged_rows_max) {
            const auto decoded = decode_chunk(view_of(stored), begin, table);
            merged = decoded && table.metrics().size() <= merged_metrics_max;
            if (merged) {
                break;
            }
            table.clear();
        }
    }
    const auto samples = read_rows(rows.bytes(), begin, table);
    table.fold();
    encode_chunk(table, begin, chunk);
    return samples;
}

/// `lane` is locked, mutex_ held. What cannot be stored or rolled up stays open.
Result<void> EmbeddedHistoryStore::seal(OpenLane& lane, std::span<const DueHour> due) {
    if (auto open = check_open(); !open) {
        return written(open);
    }
    rocksdb::WriteBatch batch;
    std::string key;
    std::string chunk;
    for (const DueHour& one : due) {
        if (!has_families(day_of(one.hour))) {
            return fail(ErrorCode::unavailable, "the history has no place yet for a day of its open samples");
        }
        if (auto encoded = encode_hour(one, key, chunk); !encoded) {
            return written(tl::unexpected(encoded.error()));
        }
        batch.Put(families_->get(Families::Kind::samples, day_of(one.hour)), key, chunk);
    }
    if (auto stored = written(rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write));
        !stored) {
        return stored;
    }
    seals_.fetch_add(1);
    metrics_->sealed.Increment(static_cast<double>(due.size()));
    for (const DueHour& one : due) {
        if (is_rolled(day_of(one.hour)) || is_being_rolled(day_of(one.hour))) {
            if (auto rolled = roll_device(one.device->id, day_of(one.hour)); !rolled) {
                return rolled;
            }
        }
        open_bytes_.fetch_sub(one.device->find(one.hour)->rows.bytes().size(), std::memory_order_relaxed);
        open_hours_.fetch_sub(1, std::memory_order_relaxed);
        one.device->remove(one.hour);
        lane.mark(*one.device);
    }
    return {};
}

}  // namespace muster
