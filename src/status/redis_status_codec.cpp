#include "status/redis_status_codec.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/murmur2.h"
#include "status/device_codec.h"

namespace muster {
namespace {

constexpr std::size_t text_bytes_max = 255;
constexpr std::size_t touch_metrics_max = 200;  // their names fit the u16 before them
constexpr double position_steps = 0x1p20;       // a degree: contribution_of() gives multiples of 2^-20

using CountMember = std::int64_t RegionCounts::*;
constexpr std::array<CountMember, 10> count_members{
    &RegionCounts::online,      &RegionCounts::offline,   &RegionCounts::unknown,
    &RegionCounts::never_seen,  &RegionCounts::flapping,  &RegionCounts::sleeping,
    &RegionCounts::maintenance, &RegionCounts::countable, &RegionCounts::countable_offline,
    &RegionCounts::positioned,
};
constexpr std::size_t contribution_bytes = count_members.size() + 2 * sizeof(std::int32_t);

void write_short(ByteWriter& writer, std::string_view text) {
    text = text.substr(0, text_bytes_max);
    writer.number(static_cast<std::uint8_t>(text.size()));
    writer.raw(text);
}

std::string_view read_short(ByteReader& reader) {
    return reader.raw(reader.number<std::uint8_t>());
}

void write_metrics(ByteWriter& writer, std::span<const std::pair<std::string_view, double>> metrics) {
    if (metrics.empty()) {
        writer.number(std::uint32_t{0});
        return;
    }
    std::size_t names = 0;
    for (const auto& [name, value] : metrics) {
        names += 1 + std::min(name.size(), text_bytes_max);
    }
    writer.number(static_cast<std::uint32_t>(sizeof(std::uint16_t) + names + metrics.size() * sizeof(double)));
    writer.number(static_cast<std::uint16_t>(names));
    for (const auto& [name, value] : metrics) {
        write_short(writer, name);
    }
    for (const auto& [name, value] : metrics) {
        writer.real(value);
    }
}

/// The names are views of `bytes`.
bool read_metrics(std::string_view bytes, std::vector<std::pair<std::string_view, double>>& metrics) {
    if (bytes.empty()) {
        return true;
    }
    ByteReader reader(bytes);
    ByteReader names(reader.raw(reader.number<std::uint16_t>()));
    while (!names.at_end()) {
        const std::string_view name = read_short(names);
        metrics.emplace_back(name, reader.real());
    }
    return names.ok() && reader.ok() && reader.at_end();
}

void write_document(const StatusDocument& document, std::string& out) {
    ByteWriter writer(out);
    writer.number(document.offset);
    write_short(writer, document.attributes.region);
    const RegionCounts counts = contribution_of(document);
    for (const CountMember member : count_members) {
        writer.number(static_cast<std::uint8_t>(counts.*member));
    }
    writer.number(static_cast<std::int32_t>(std::lround(counts.latitude_sum * position_steps)));
    writer.number(static_cast<std::int32_t>(std::lround(counts.longitude_sum * position_steps)));
    DeviceStatus device;
    device.document = document;
    encode_device(device, out);
}

Result<DeviceStatus> read_document(std::string_view id, std::string_view bytes) {
    ByteReader reader(bytes);
    (void)reader.number<std::int64_t>();
    (void)read_short(reader);
    (void)reader.raw(contribution_bytes);
    if (!reader.ok()) {
        return fail(ErrorCode::malformed, "device status in Redis too short");
    }
    return decode_device(id, reader.rest());
}

}  // namespace

std::size_t redis_status_shard_of(std::string_view device) {
    return murmur2(device) % redis_status_shards;
}

RedisStatusKeys::RedisStatusKeys(std::size_t shard)
    : devices(fmt::format("muster:status:{{{}}}:devices", shard)),
      contacts(fmt::format("muster:status:{{{}}}:contacts", shard)),
      regions(fmt::format("muster:status:{{{}}}:regions", shard)),
      meta(fmt::format("muster:status:{{{}}}:meta", shard)) {}

const std::vector<RedisStatusKeys>& redis_status_keys() {
    static const std::vector<RedisStatusKeys> keys = [] {
        std::vector<RedisStatusKeys> made;
        made.reserve(redis_status_shards);
        for (std::size_t shard = 0; shard < redis_status_shards; ++shard) {
            made.emplace_back(shard);
        }
        return made;
    }();
    return keys;
}

// ---- batches

void RedisStatusBatch::add(const StatusDocument& document) {
    ByteWriter writer(bytes_);
    write_short(writer, document.id);
    writer.number(to_epoch_ms(document.last_seen));
    packed_.clear();
    write_document(document, packed_);
    writer.text(packed_);
    ++documents_;
}

void RedisStatusBatch::add(const StatusTouch& touch) {
    ByteWriter writer(bytes_);
    write_short(writer, touch.id);
    writer.number(to_epoch_ms(touch.last_seen));
    writer.number(to_epoch_ms(touch.telemetry_time));
    writer.number(static_cast<std::uint8_t>(touch.kind));
    write_metrics(writer, touch.metrics.first(std::min(touch.metrics.size(), touch_metrics_max)));
    ++touches_;
}

std::string RedisStatusBatch::take() {
    std::string batch;
    batch.reserve(2 * sizeof(std::uint32_t) + bytes_.size());
    ByteWriter writer(batch);
    writer.number(documents_);
    writer.number(touches_);
    writer.raw(bytes_);
    bytes_.clear();
    documents_ = 0;
    touches_ = 0;
    return batch;
}

Result<void> read_status_batch(std::string_view batch, FunctionRef<void(const StatusDocument&)> document,
                               FunctionRef<void(const StatusTouch&)> touch) {
    ByteReader reader(batch);
    const auto documents = reader.number<std::uint32_t>();
    const auto touches = reader.number<std::uint32_t>();
    for (std::uint32_t i = 0; reader.ok() && i < documents; ++i) {
        const std::string_view id = read_short(reader);
        (void)reader.number<std::int64_t>();
        const auto device = read_document(id, reader.text());
        if (!device) {
            return tl::unexpected(device.error());
        }
        document(device->document);
    }
    std::vector<std::pair<std::string_view, double>> metrics;
    for (std::uint32_t i = 0; reader.ok() && i < touches; ++i) {
        metrics.clear();
        StatusTouch one;
        one.id = read_short(reader);
        one.last_seen = from_epoch_ms(reader.number<std::int64_t>());
        one.telemetry_time = from_epoch_ms(reader.number<std::int64_t>());
        one.kind = static_cast<TouchKind>(reader.number<std::uint8_t>());
        if (!read_metrics(reader.text(), metrics) || !reader.ok() || one.kind > TouchKind::session) {
            break;
        }
        one.metrics = metrics;
        touch(one);
    }
    if (!reader.ok() || !reader.at_end()) {
        return fail(ErrorCode::malformed, "a change of the status in Redis of the wrong length");
    }
    return {};
}

Result<DeviceStatus> read_status_device(std::string_view id, std::string_view document, std::string_view contact) {
    auto device = read_document(id, document);
    if (!device) {
        return device;
    }
    ByteReader reader(contact);
    for (Timestamp* time : {&device->last_seen, &device->telemetry_time, &device->last_ping, &device->last_published}) {
        *time = from_epoch_ms(reader.number<std::int64_t>());
    }
    std::vector<std::pair<std::string_view, double>> metrics;
    if (!reader.ok() || !read_metrics(reader.rest(), metrics)) {
        return fail(ErrorCode::malformed, "a device's contact in Redis of the wrong length");
    }
    device->metrics.assign(metrics.begin(), metrics.end());
    std::ranges::sort(device->metrics, {}, &std::pair<std::string, double>::first);
    return device;
}

Result<RegionCounts> read_status_counts(std::string_view bytes) {
    ByteReader reader(bytes);
    RegionCounts counts;
    for (const CountMember member : count_members) {
        counts.*member = reader.number<std::int64_t>();
    }
    counts.latitude_sum = static_cast<double>(reader.number<std::int64_t>()) / position_steps;
    counts.longitude_sum = static_cast<double>(reader.number<std::int64_t>()) / position_steps;
    if (!reader.ok() || !reader.at_end()) {
        return fail(ErrorCode::malformed, "a region's counts in Redis of the wrong length");
    }
    return counts;
}

}  // namespace muster
