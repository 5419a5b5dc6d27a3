#include "history/embedded_chunk_reader.h"

#include "base/time.h"
#include "history/chunk_key.h"
#include "history/embedded_damage.h"
#include "history/history_chunk.h"

namespace muster {
namespace {

using Kind = EmbeddedHistoryFamilies::Kind;

constexpr std::string_view cannot_read = "cannot read the history";
/// Of one device and query: a week of 13 values a second.
constexpr std::size_t values_read_max = 8'000'000;
constexpr std::size_t metrics_read_max = 1'000;

std::int64_t ms_of(std::chrono::sys_days day) {
    return Millis(day.time_since_epoch()).count();
}

}  // namespace

rocksdb::ReadOptions chunk_read_options() {
    rocksdb::ReadOptions options;
    options.verify_checksums = false;
    return options;
}

EmbeddedChunkReader::EmbeddedChunkReader(RocksDatabase& database, const EmbeddedHistoryFamilies& families,
                                         std::uint64_t seals)
    : database_(database), families_(families), seals_(seals) {}

Result<void> EmbeddedChunkReader::refresh(std::uint64_t seals) {
    if (seals == seals_) {
        return {};
    }
    seals_ = seals;
    for (auto& [at, place] : places_) {
        if (auto refreshed = rocks_result(place.iterator->Refresh(), cannot_read); !refreshed) {
            return refreshed;
        }
        place.device.clear();
        place.at_end = false;
    }
    return {};
}

EmbeddedChunkReader::Place* EmbeddedChunkReader::place(Kind kind, Day day) {
    auto* const family = families_.get(kind, day);
    if (family == nullptr) {
        return nullptr;
    }
    Place& place = places_[{kind, day}];
    if (place.iterator == nullptr) {
        place.iterator.reset(database_.db().NewIterator(chunk_read_options(), family));
    }
    return &place;
}

/// The iterator has stopped: at the end, or at damage, which it is moved past.
bool EmbeddedChunkReader::is_damaged(rocksdb::Iterator& iterator, std::string& key) {
    if (iterator.status().ok()) {
        return false;
    }
    ++damaged_;
    return seek_past_damage(iterator, key);
}

Result<void> EmbeddedChunkReader::read_samples(std::string_view device, Day day, unsigned first, unsigned last,
                                               SampleTable& table) {
    Place* const at = place(Kind::samples, day);
    if (at == nullptr) {
        return {};
    }
    rocksdb::Iterator& iterator = *at->iterator;
    std::string key = chunk_key({device, static_cast<std::uint8_t>(first), 0});
    const std::string prefix = device_prefix(device);
    for (iterator.Seek(key); iterator.Valid() || is_damaged(iterator, key); iterator.Next()) {
        const std::string_view found = view_of(iterator.key());
        if (!found.starts_with(prefix)) {
            break;
        }
        key = found;
        const auto parsed = parse_chunk_key(found);
        if (parsed && parsed->hour > last) {
            break;
        }
        if (!parsed || !decode_chunk(view_of(iterator.value()), ms_of(day) + parsed->hour * 3'600'000LL, table)) {
            ++damaged_;
        }
        if (table.values() > values_read_max || table.metrics().size() > metrics_read_max) {
            return fail(ErrorCode::too_large,
                        "too many samples in the range: ask for a shorter one, or for fewer metrics");
        }
    }
    if (!iterator.status().ok() && !iterator.status().IsCorruption()) {
        return rocks_result(iterator.status(), cannot_read);
    }
    return {};
}

Result<std::vector<MetricRollups>> EmbeddedChunkReader::read_rollups(Kind kind, std::string_view device, Day day,
                                                                     std::span<const std::string> wanted) {
    auto* const family = families_.get(kind, day);
    std::vector<MetricRollups> none;
    if (family == nullptr) {
        return none;
    }
    rocksdb::PinnableSlice stored;
    const auto status =
        database_.db().Get(chunk_read_options(), family,
                           rollup_key({device, static_cast<std::int32_t>(day.time_since_epoch().count())}), &stored);
    if (status.IsNotFound()) {
        return none;
    }
    if (!status.ok() && !status.IsCorruption()) {
        return tl::unexpected(rocks_result(status, cannot_read).error());
    }
    auto decoded = status.IsCorruption() ? Result<std::vector<MetricRollups>>(fail(ErrorCode::corrupt, cannot_read))
                                         : decode_rollups(view_of(stored), ms_of(day),
                                                          kind == Kind::minutes ? 60'000 : 3'600'000, wanted);
    if (!decoded) {
        ++damaged_;
        return none;
    }
    return decoded;
}

std::optional<std::string> EmbeddedChunkReader::next_device(Kind kind, Day day, std::string_view after) {
    Place* const at = place(kind, day);
    if (at == nullptr || at->at_end) {
        return std::nullopt;
    }
    if (at->device.empty() || at->device <= after) {
        rocksdb::Iterator& iterator = *at->iterator;
        std::string key = std::string(after) + '\1';  // no id has it: behind all keys of the device
        if (after.empty()) {
            key.clear();
        }
        iterator.Seek(key);
        if (!iterator.Valid() && !is_damaged(iterator, key)) {
            at->at_end = true;
            return std::nullopt;
        }
        const std::string_view found = view_of(iterator.key());
        at->device = found.substr(0, found.find('\0'));
    }
    return at->device;
}

}  // namespace muster
