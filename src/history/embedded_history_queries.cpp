#include <algorithm>

#include "contract/identity.h"
#include "history/embedded_chunk_reader.h"
#include "history/embedded_history_families.h"
#include "history/embedded_history_metrics.h"
#include "history/embedded_history_store.h"
#include "history/fleet_builder.h"
#include "history/series_builder.h"
#include "storage/embedded_rocksdb.h"

// Queries of one device and of groups. What is read: open rows first, then what is stored as of then; chunks of hours,
// or where a day is rolled up and coarse enough is fine enough, its rollups.

namespace muster {
namespace {

using Families = EmbeddedHistoryFamilies;
using Day = std::chrono::sys_days;

constexpr std::size_t points_limit = 10'000;
constexpr std::size_t top_limit = 1'000;
constexpr Millis minute{60'000};
constexpr Millis hour{3'600'000};

Millis unit_of(Resolution resolution) {
    return resolution == Resolution::raw ? Millis(1) : resolution == Resolution::minute ? minute : hour;
}

Families::Kind kind_of(Resolution resolution) {
    return resolution == Resolution::minute ? Families::Kind::minutes : Families::Kind::hours;
}

Timestamp floor_to(Timestamp time, Millis unit) {
    return Timestamp(unit * (time.time_since_epoch() / unit));
}

Timestamp ceil_to(Timestamp time, Millis unit) {
    return floor_to(time + unit - Millis(1), unit);
}

Result<void> check_range(Timestamp from, Timestamp to, std::size_t points_max) {
    if (points_max == 0 || points_max > points_limit) {
        return fail(ErrorCode::invalid_argument, "points must be 1 to 10,000");
    }
    if (from > to) {
        return fail(ErrorCode::invalid_argument, "the range ends before it begins");
    }
    return {};
}

}  // namespace

EmbeddedHistoryStore::OpenCopies EmbeddedHistoryStore::copy_open(std::string_view device, Timestamp from,
                                                                 Timestamp to) const {
    OpenCopies copies;
    const OpenLane& lane = lane_of(device);
    const std::lock_guard lock(lane.mutex);
    const OpenDevice* open = lane.find(OpenLane::hash_of(device), device);
    for (const OpenDevice::Hour& one : open == nullptr ? std::vector<OpenDevice::Hour>{} : open->hours) {
        if (begin_of_hour(one.hour) < to_epoch_ms(to) && begin_of_hour(one.hour + 1) > to_epoch_ms(from)) {
            copies.emplace_back(one.hour, one.rows.bytes());
        }
    }
    return copies;
}

/// All samples of whole hours that meet [from, to), folded. `table` is cleared first.
Result<void> EmbeddedHistoryStore::read_samples(EmbeddedChunkReader& reader, std::string_view device, Timestamp from,
                                                Timestamp to, SampleTable& table) const {
    table.clear();
    const OpenCopies copies = copy_open(device, from, to);
    if (auto refreshed = reader.refresh(seals_.load()); !refreshed) {
        return refreshed;
    }
    for (Day day = std::chrono::floor<std::chrono::days>(from); day < to; day += std::chrono::days(1)) {
        const Timestamp end = std::min<Timestamp>(to, day + std::chrono::days(1));
        const auto first = static_cast<unsigned>((std::max<Timestamp>(from, day) - day) / hour);
        const auto last = static_cast<unsigned>((end - Millis(1) - day) / hour);
        if (auto read = reader.read_samples(device, day, first, last, table); !read) {
            return read;
        }
    }
    for (const auto& [number, rows] : copies) {
        (void)read_rows(rows, begin_of_hour(number), table);  // they were written in this process
    }
    table.fold();
    return {};
}

/// A day is rolled up, and nothing of the device has come since.
bool EmbeddedHistoryStore::has_rollups(std::string_view device, Day day, Resolution resolution) const {
    return resolution != Resolution::raw && is_rolled(day) && families_->get(kind_of(resolution), day) != nullptr &&
           copy_open(device, day, day + std::chrono::days(1)).empty();
}

Result<std::vector<MetricRollups>> EmbeddedHistoryStore::read_rollups(EmbeddedChunkReader& reader,
                                                                      std::string_view device, Day day,
                                                                      Resolution resolution, Wanted wanted) const {
    if (has_rollups(device, day, resolution)) {
        return reader.read_rollups(kind_of(resolution), device, day, wanted);
    }
    SampleTable table(wanted);
    if (auto read = read_samples(reader, device, day, day + std::chrono::days(1), table); !read) {
        return tl::unexpected(read.error());
    }
    return roll_up(table, unit_of(resolution).count());
}

/// Before it nothing is kept: points are spread over what there can be, not over an empty past.
Timestamp EmbeddedHistoryStore::first_kept() const {
    Day first = oldest_day();
    for (const auto kind : {Families::Kind::samples, Families::Kind::minutes, Families::Kind::hours}) {
        first = std::min(first, families_->oldest(kind).value_or(first));
    }
    return first;
}

/// The coarsest whose slots are no wider than a point, but not finer than what is still kept at the beginning.
Resolution EmbeddedHistoryStore::resolution_for(const HistoryQuery& query) const {
    const Millis width = (query.to - query.from) / static_cast<std::int64_t>(query.points_max);
    Resolution resolution = width < minute ? Resolution::raw : width < hour ? Resolution::minute : Resolution::hour;
    const auto older_than = [&](Families::Kind coarse, Day finer) {
        const auto oldest = families_->oldest(coarse);
        return query.from < finer && oldest && *oldest < finer;
    };
    if (resolution == Resolution::raw && older_than(Families::Kind::minutes, oldest_day())) {
        resolution = Resolution::minute;
    }
    const Day minutes = families_->oldest(Families::Kind::minutes).value_or(oldest_day());
    if (resolution != Resolution::hour && older_than(Families::Kind::hours, std::min(minutes, oldest_day()))) {
        // The month of the oldest hours may begin before them: only whole days that are rolled up count.
        resolution = query.from < std::min(minutes, oldest_day()) ? Resolution::hour : resolution;
    }
    return resolution;
}

Result<HistoryResult> EmbeddedHistoryStore::query(const HistoryQuery& query) const {
    if (const auto checked = check_range(query.from, query.to, query.points_max); !checked) {
        return tl::unexpected(checked.error());
    }
    const std::shared_lock lock(mutex_);
    if (const auto open = check_open(); !open) {
        return tl::unexpected(open.error());
    }
    HistoryQuery within = query;
    within.from = std::max(query.from, first_kept());
    within.to = std::min<Timestamp>(query.to, newest_day() + std::chrono::days(1));
    HistoryResult result{.resolution = std::string(name_of(query.resolution.value_or(Resolution::raw))), .series = {}};
    if (within.from >= within.to || !is_valid_device_id(query.device)) {
        return result;
    }
    const Resolution resolution = query.resolution ? *query.resolution : resolution_for(within);
    const Millis unit = unit_of(resolution);
    within.from = floor_to(within.from, unit);
    within.to = ceil_to(within.to, unit);
    EmbeddedChunkReader reader(*database_, *families_, seals_.load());
    SeriesBuilder series(within.from, within.to, query.points_max, unit);
    for (Day day = std::chrono::floor<std::chrono::days>(within.from); day < within.to; day += std::chrono::days(1)) {
        if (const auto read = read_day(reader, within, day, resolution, series); !read) {
            return tl::unexpected(read.error());
        }
    }
    result.resolution = name_of(resolution);
    result.step = series.step();
    result.series = series.take();
    result.damaged_chunks = reader.damaged();
    metrics_->damaged.Increment(static_cast<double>(reader.damaged()));
    return result;
}

Result<void> EmbeddedHistoryStore::read_day(EmbeddedChunkReader& reader, const HistoryQuery& query, Day day,
                                            Resolution resolution, SeriesBuilder& series) const {
    if (resolution != Resolution::raw) {
        const auto rollups = read_rollups(reader, query.device, day, resolution, query.metrics);
        for (const MetricRollups& metric : rollups ? *rollups : std::vector<MetricRollups>{}) {
            for (const Rollup& slot : metric.slots) {
                const Timestamp time = from_epoch_ms(slot.time);
                if (time >= query.from && time < query.to) {
                    series.add(metric.name, slot, metric.interval_ms);
                }
            }
        }
        return rollups ? Result<void>() : tl::unexpected(rollups.error());
    }
    SampleTable table(query.metrics);
    const Timestamp from = std::max<Timestamp>(query.from, day);
    const Timestamp to = std::min<Timestamp>(query.to, day + std::chrono::days(1));
    if (auto read = read_samples(reader, query.device, from, to, table); !read) {
        return read;
    }
    for (const MetricSamples& samples : table.metrics()) {
        const auto begin = std::ranges::lower_bound(samples.times, to_epoch_ms(from)) - samples.times.begin();
        for (auto i = static_cast<std::size_t>(begin); i < samples.times.size(); ++i) {
            if (samples.times[i] >= to_epoch_ms(to)) {
                break;
            }
            series.add(samples.name, from_epoch_ms(samples.times[i]), samples.values[i], samples.clamped[i] != 0);
        }
    }
    return {};
}

// Groups --------------------------------------------------------------------------------------------------------------

Result<FleetSeries> EmbeddedHistoryStore::fleet_series(const FleetQuery& query) const {
    if (const auto checked = check_range(query.from, query.to, query.points_max); !checked) {
        return tl::unexpected(checked.error());
    }
    const std::shared_lock lock(mutex_);
    if (const auto open = check_open(); !open) {
        return tl::unexpected(open.error());
    }
    FleetQuery within = query;
    within.from = floor_to(std::max(query.from, first_kept()), minute);
    within.to = ceil_to(std::min<Timestamp>(query.to, newest_day() + std::chrono::days(1)), minute);
    if (within.from >= within.to) {
        return FleetSeries{};
    }
    const auto minutes = families_->oldest(Families::Kind::minutes);
    const bool in_hours = within.from < std::min(minutes.value_or(oldest_day()), oldest_day());
    if (in_hours) {
        within.from = floor_to(within.from, hour);
        within.to = ceil_to(within.to, hour);
    }
    // In the order of the keys, each once.
    std::vector<std::string_view> devices(query.devices.begin(), query.devices.end());
    std::ranges::sort(devices);
    const auto repeated = std::ranges::unique(devices);
    devices.erase(repeated.begin(), repeated.end());
    EmbeddedChunkReader reader(*database_, *families_, seals_.load());
    FleetBuilder fleet(within.from, within.to, query.points_max, in_hours ? hour : minute);
    for (const std::string_view device : devices) {
        if (const auto added = add_to_fleet(reader, device, within, fleet); !added) {
            return tl::unexpected(added.error());
        }
    }
    metrics_->damaged.Increment(static_cast<double>(reader.damaged()));
    return FleetSeries{fleet.step(), fleet.take(), reader.damaged()};
}

Result<void> EmbeddedHistoryStore::add_to_fleet(EmbeddedChunkReader& reader, std::string_view device,
                                                const FleetQuery& query, FleetBuilder& fleet) const {
    const bool in_hours = fleet.step() % hour == Millis(0);
    const Wanted wanted(&query.metric, 1);
    SampleTable table(wanted);
    for (Day day = std::chrono::floor<std::chrono::days>(query.from); day < query.to; day += std::chrono::days(1)) {
        const Resolution resolution = in_hours ? Resolution::hour : Resolution::minute;
        if (has_rollups(device, day, resolution)) {
            const auto rollups = reader.read_rollups(kind_of(resolution), device, day, wanted);
            if (!rollups) {
                return tl::unexpected(rollups.error());
            }
            for (const MetricRollups& metric : *rollups) {
                std::ranges::for_each(metric.slots, [&](const Rollup& slot) { fleet.add(slot); });
            }
            continue;
        }
        const Timestamp from = std::max<Timestamp>(query.from, day);
        const Timestamp to = std::min<Timestamp>(query.to, day + std::chrono::days(1));
        if (auto read = read_samples(reader, device, from, to, table); !read) {
            return read;
        }
        for (const MetricSamples& samples : table.metrics()) {
            for (std::size_t i = 0; i < samples.times.size(); ++i) {
                const double value = samples.values[i];
                fleet.add({.time = samples.times[i], .sum = value, .minimum = value, .maximum = value, .samples = 1});
            }
        }
    }
    fleet.end_device();
    return {};
}

Result<TopResult> EmbeddedHistoryStore::top(const TopQuery& query) const {
    if (query.limit == 0 || query.limit > top_limit) {
        return fail(ErrorCode::invalid_argument, "limit must be 1 to 1,000");
    }
    if (const auto checked = check_range(query.from, query.to, 1); !checked) {
        return tl::unexpected(checked.error());
    }
    const std::shared_lock lock(mutex_);
    if (const auto open = check_open(); !open) {
        return tl::unexpected(open.error());
    }
    TopQuery within = query;
    within.from = std::max(query.from, first_kept());
    within.to = std::min<Timestamp>(query.to, newest_day() + std::chrono::days(1));
    TopResult result;
    const auto before = [&](const MetricChange& a, const MetricChange& b) {
        const auto key = [&](const MetricChange& one) {
            return query.order == ChangeOrder::largest ? -std::abs(one.change())
                   : query.order == ChangeOrder::rise  ? -one.change()
                                                       : one.change();
        };
        return key(a) != key(b) ? key(a) < key(b) : a.device < b.device;
    };
    EmbeddedChunkReader reader(*database_, *families_, seals_.load());
    const auto look_at = [&](std::string_view device) -> Result<bool> {
        auto change = change_of(reader, device, within);
        if (!change) {
            return tl::unexpected(change.error());
        }
        if (*change) {
            ++result.devices;
            // A heap with the least of the best on top.
            result.changes.push_back(std::move(**change));
            std::ranges::push_heap(result.changes, before);
            if (result.changes.size() > query.limit) {
                std::ranges::pop_heap(result.changes, before);
                result.changes.pop_back();
            }
        }
        return true;
    };
    Result<void> looked;
    if (within.from >= within.to) {
        return result;
    }
    if (!query.devices) {
        looked = for_each_device(reader, within.from, within.to, {}, look_at);
    } else {
        for (const std::string& device : *query.devices) {
            if (const auto one = look_at(device); !one) {
                looked = tl::unexpected(one.error());
                break;
            }
        }
    }
    if (!looked) {
        return tl::unexpected(looked.error());
    }
    std::ranges::sort_heap(result.changes, before);
    result.damaged_chunks = reader.damaged();
    metrics_->damaged.Increment(static_cast<double>(reader.damaged()));
    return result;
}

/// Of raw samples; where they are gone, of the rollups that are left. nullopt: the device has no such metric then.
Result<std::optional<MetricChange>> EmbeddedHistoryStore::change_of(EmbeddedChunkReader& reader,
                                                                    std::string_view device,
                                                                    const TopQuery& query) const {
    MetricChange change{.device = std::string(device)};
    const Wanted wanted(&query.metric, 1);
    const auto take = [&](const Rollup& slot) {
        const Timestamp time = from_epoch_ms(slot.time);
        if (time < query.from || time >= query.to) {
            return;
        }
        const bool first = change.samples == 0;
        change.first = first ? slot.average() : change.first;
        change.last = slot.average();
        change.minimum = first ? slot.minimum : std::min(change.minimum, slot.minimum);
        change.maximum = first ? slot.maximum : std::max(change.maximum, slot.maximum);
        change.samples += slot.samples;
    };
    SampleTable table(wanted);
    for (Day day = std::chrono::floor<std::chrono::days>(query.from); day < query.to; day += std::chrono::days(1)) {
        if (day < oldest_day()) {
            const bool minutes = families_->get(Families::Kind::minutes, day) != nullptr;
            const auto rollups =
                read_rollups(reader, device, day, minutes ? Resolution::minute : Resolution::hour, wanted);
            if (!rollups) {
                return tl::unexpected(rollups.error());
            }
            for (const MetricRollups& metric : *rollups) {
                std::ranges::for_each(metric.slots, take);
            }
            continue;
        }
        const Timestamp from = std::max<Timestamp>(query.from, day);
        const Timestamp to = std::min<Timestamp>(query.to, day + std::chrono::days(1));
        if (const auto read = read_samples(reader, device, from, to, table); !read) {
            return tl::unexpected(read.error());
        }
        for (const MetricSamples& samples : table.metrics()) {
            for (std::size_t i = 0; i < samples.times.size(); ++i) {
                const double value = samples.values[i];
                take({.time = samples.times[i], .sum = value, .minimum = value, .maximum = value, .samples = 1});
            }
        }
    }
    return change.samples == 0 ? std::nullopt : std::optional(std::move(change));
}

}  // namespace muster
