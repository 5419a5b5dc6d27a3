#include <algorithm>
#include <cmath>

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

bool is_good(const std::pair<std::string_view, double>& metric) {
    return std::isfinite(metric.second) && metric.first.size() <= metric_name_bytes_max;
}

std::chrono::sys_days day_of(HourNumber hour) {
    return std::chrono::sys_days(std::chrono::days(hour / hours_a_day));
}

}  // namespace

OpenLane& EmbeddedHistoryStore::lane_of(std::string_view device) const {
    return (*lanes_)[crc32c(device) % lanes];
}

Result<void> EmbeddedHistoryStore::append(std::span<const Sample> samples) {
    for (const Sample& sample : samples) {
        if (is_storable(sample.time)) {
            note_newest(sample.time);
        }
    }
    std::vector<std::pair<std::string_view, double>> kept;
    const std::int64_t oldest_ms = to_epoch_ms(oldest_day());
    std::size_t refused = 0;
    std::size_t too_old = 0;
    for (const Sample& sample : samples) {
        if (!is_storable(sample.time) || to_epoch_ms(sample.time) < oldest_ms) {
            ++too_old;
            continue;
        }
        MetricValues metrics = sample.metrics;
        if (!std::ranges::all_of(metrics, is_good)) {
            kept.clear();
            std::ranges::copy_if(metrics, std::back_inserter(kept), is_good);
            refused += metrics.size() - kept.size();
            metrics = kept;
        }
        // One row has one shape, and shapes of one hour have a bound.
        for (; !metrics.empty(); metrics = metrics.subspan(std::min(metrics.size(), row_metrics_max))) {
            append_one(sample, metrics.first(std::min(metrics.size(), row_metrics_max)));
        }
    }
    if (refused > 0) {
        metrics_->refused.Increment(static_cast<double>(refused));
    }
    if (too_old > 0) {
        metrics_->too_old.Increment(static_cast<double>(too_old));
    }
    metrics_->samples.Increment(static_cast<double>(samples.size() - too_old));
    return {};
}

void EmbeddedHistoryStore::append_one(const Sample& sample, MetricValues metrics) {
    OpenLane& lane = lane_of(sample.device);
    const std::lock_guard lock(lane.mutex);
    OpenDevice* device = lane.find(sample.device);
    if (device == nullptr) {
        if (!is_valid_device_id(sample.device)) {
            return;
        }
        device = &lane.find_or_add(sample.device);
    }
    const std::int64_t time = to_epoch_ms(sample.time);
    const HourNumber number = hour_of(time);
    OpenDevice::Hour* hour = hour_for(lane, *device, number);
    const std::int64_t within = time - begin_of_hour(number);
    std::size_t before = hour == nullptr ? 0 : hour->rows.bytes().size();
    bool appended = hour != nullptr && hour->rows.append(within, metrics, sample.time_clamped);
    if (hour != nullptr && !appended) {
        const DueHour due{device, number};
        if (seal(lane, {&due, 1})) {
            hour = hour_for(lane, *device, number);
            before = 0;
            appended = hour != nullptr && hour->rows.append(within, metrics, sample.time_clamped);
        }
    }
    if (!appended) {
        metrics_->dropped.Increment();
        return;
    }
    const std::size_t after = hour->rows.bytes().size();
    open_bytes_.fetch_add(after - before, std::memory_order_relaxed);
    if (sample.time_clamped) {
        metrics_->clamped.Increment();
    }
    lane.mark(*device);
    if (hour->rows.samples() >= open_samples_max || after >= open_rows_bytes_max) {
        const DueHour due{device, number};
        (void)seal(lane, {&due, 1});  // counted; it stays open, and is tried again
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

Result<void> EmbeddedHistoryStore::save_lane(std::size_t number) {
    OpenLane& lane = (*lanes_)[number];
    const std::lock_guard lane_lock(lane.mutex);
    const bool anew = lane.wants_anew();
    TailSegmentWriter segment = lane.unsaved(anew);
    if (segment.empty()) {
        lane.saved(0, false);
        return {};
    }
    const std::string& bytes = segment.finish();
    rocksdb::WriteBatch batch;
    const std::shared_lock lock(mutex_);
    if (auto open = check_open(); !open) {
        lane.distrust_tail();
        return open;
    }
    if (anew) {
        for (std::uint64_t old = lane.first_segment; old < lane.next_segment; ++old) {
            batch.Delete(families_->tail(), segment_key(number, old));
        }
    }
    batch.Put(families_->tail(), segment_key(number, lane.next_segment), bytes);
    if (auto stored = written(rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write));
        !stored) {
        lane.distrust_tail();
        return stored;
    }
    lane.first_segment = anew ? lane.next_segment : lane.first_segment;
    ++lane.next_segment;
    lane.saved(bytes.size(), anew);
    return {};
}

// Sealing -------------------------------------------------------------------------------------------------------------

bool EmbeddedHistoryStore::is_due(const OpenDevice& device, HourNumber hour) const {
    const std::int64_t spread = crc32c(device.id, 1) % seal_spread_ms;
    return newest_ms_.load(std::memory_order_relaxed) >= begin_of_hour(hour + 1) + seal_after_ms + spread;
}

/// `lane` is locked. On failure a part is sealed, the rest stays open.
Result<void> EmbeddedHistoryStore::seal_due(OpenLane& lane, bool all) {
    std::vector<DueHour> due;
    lane.for_each([&](OpenDevice& device) {
        for (const OpenDevice::Hour& hour : device.hours) {
            if (all || is_due(device, hour.hour)) {
                due.push_back({&device, hour.hour});
            }
        }
    });
    for (std::size_t at = 0; at < due.size(); at += seal_batch_max) {
        const std::size_t count = std::min(seal_batch_max, due.size() - at);
        if (auto sealed = seal(lane, std::span(due).subspan(at, count)); !sealed) {
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

/// `lane` is locked.
Result<void> EmbeddedHistoryStore::seal(OpenLane& lane, std::span<const DueHour> due) {
    std::vector<Day> missing;
    {
        const std::shared_lock lock(mutex_);
        if (auto open = check_open(); !open) {
            return written(open);
        }
        for (const DueHour& one : due) {
            if (families_->get(Families::Kind::samples, day_of(one.hour)) == nullptr) {
                missing.push_back(day_of(one.hour));
            }
        }
    }
    if (!missing.empty()) {
        const std::unique_lock lock(mutex_);
        for (const Day day : missing) {
            // A day that has gone while its last samples were open: they go with it, as the family will.
            const auto family = families_->get_or_create(*database_, Families::Kind::samples, day);
            if (!family) {
                return written(tl::unexpected(family.error()));
            }
        }
    }
    rocksdb::WriteBatch batch;
    std::string key;
    std::string chunk;
    {
        const std::shared_lock lock(mutex_);
        if (auto open = check_open(); !open) {
            return written(open);
        }
        for (const DueHour& one : due) {
            if (auto encoded = encode_hour(one, key, chunk); !encoded) {
                return written(tl::unexpected(encoded.error()));
            }
            batch.Put(families_->get(Families::Kind::samples, day_of(one.hour)), key, chunk);
        }
        if (auto stored = written(rocks_result(database_->db().Write(rocksdb::WriteOptions(), &batch), cannot_write));
            !stored) {
            return stored;
        }
    }
    seals_.fetch_add(1);
    metrics_->sealed.Increment(static_cast<double>(due.size()));
    for (const DueHour& one : due) {
        open_bytes_.fetch_sub(one.device->find(one.hour)->rows.bytes().size(), std::memory_order_relaxed);
        open_hours_.fetch_sub(1, std::memory_order_relaxed);
        one.device->remove(one.hour);
        lane.mark(*one.device);
        if (is_rolled(day_of(one.hour)) || is_being_rolled(day_of(one.hour))) {
            if (auto rolled = roll_device(one.device->id, day_of(one.hour)); !rolled) {
                return rolled;
            }
        }
    }
    return {};
}

}  // namespace muster
