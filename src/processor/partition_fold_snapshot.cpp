#include "base/crc32c.h"
#include "processor/partition_fold.h"

namespace muster {
namespace {

constexpr std::string_view magic = "MUSTFOLD";
constexpr std::uint32_t version = 2;

void encode_attributes(ByteWriter& out, const InternedAttributes& attributes) {
    out.number(attributes.region);
    out.number(attributes.model);
    out.number(attributes.firmware);
    out.number(attributes.carrier);
    out.real(attributes.latitude);
    out.real(attributes.longitude);
    out.number(attributes.heartbeat_timeout_s);
}

/// False: a name that is not in the table of `names`.
bool decode_attributes(ByteReader& in, std::size_t names, InternedAttributes& attributes) {
    attributes.region = in.number<std::uint32_t>();
    attributes.model = in.number<std::uint32_t>();
    attributes.firmware = in.number<std::uint32_t>();
    attributes.carrier = in.number<std::uint32_t>();
    attributes.latitude = in.real();
    attributes.longitude = in.real();
    attributes.heartbeat_timeout_s = in.number<std::uint32_t>();
    return attributes.region < names && attributes.model < names && attributes.firmware < names &&
           attributes.carrier < names;
}

std::uint8_t flags_of(const DeviceState& device, const DeviceDetail& detail) {
    return static_cast<std::uint8_t>((device.open ? 1U : 0U) | (device.published ? 2U : 0U) |
                                     (device.farewell ? 4U : 0U) | (device.counted ? 8U : 0U) |
                                     (detail.has_operator_attributes ? 16U : 0U) | (detail.steady_offline ? 32U : 0U));
}

tl::unexpected<Error> corrupt(std::string_view text) {
    return fail(ErrorCode::corrupt, text);
}

}  // namespace

// Layout, little-endian: magic, u32 version, i32 partition, i64 next offset, i64 elapsed time of the last region
// reports, gateways (GatewayClocks), u32 names and each as text, regions (RegionTable), policy as u32
// bytes and its JSON, u32 devices and each
// (encode_device), u32 CRC-32C of all before. Devices stand in the order of their numbers, which is part of the state.
// What follows from the rest (counts, wheels, indexes) is not in it.

std::string PartitionFold::snapshot() const {
    std::string bytes;
    bytes.reserve(1024 + std::size_t{devices_.size()} * 224);
    ByteWriter out(bytes);
    out.raw(magic);
    out.number(version);
    out.number(options_.partition);
    out.number(next_offset_);
    out.number(reported_at_ms_);
    clocks_.encode(out);
    out.number(static_cast<std::uint32_t>(names_.size()));
    for (std::uint32_t name = 0; name < names_.size(); ++name) {
        out.text(names_.at(name));
    }
    regions_.encode(out);
    const std::string policy = to_json(policy_);
    out.number(static_cast<std::uint32_t>(policy.size()));
    out.raw(policy);
    out.number(devices_.size());
    for (DeviceNumber number = 0; number < devices_.size(); ++number) {
        encode_device(out, number);
    }
    out.number(crc32c(bytes));
    return bytes;
}

void PartitionFold::encode_device(ByteWriter& out, DeviceNumber number) const {
    const DeviceState& device = devices_.state(number);
    const DeviceDetail& detail = devices_.detail(number);
    out.text(devices_.id(number));
    out.number(device.epoch);
    out.number(device.incarnation);
    out.number(to_epoch_ms(device.since));
    out.number(to_epoch_ms(device.last_seen));
    out.number(device.evidence_ms);
    out.number(device.sleep_until_ms);
    out.number(device.penalty.tenths);
    out.number(device.penalty.at_ms);
    out.number(device.gateway);
    out.number(device.sleep_s);
    out.number(device.clock);
    out.number(device.keep_alive_s);
    out.number(static_cast<std::uint8_t>(device.state));
    out.number(static_cast<std::uint8_t>(device.cause));
    out.number(device.overlays);
    out.number(flags_of(device, detail));
    out.number(detail.protocol);
    out.number(detail.disconnects);
    out.number(detail.take_overs);
    for (const Timestamp time : {detail.first_seen, detail.session_began, detail.session_ended, detail.will}) {
        out.number(to_epoch_ms(time));
    }
    out.number(detail.state_began_ms);
    out.number(detail.contest.tenths);
    out.number(detail.contest.at_ms);
    out.text(detail.client_address);
    encode_attributes(out, detail.declared);
    if (detail.has_operator_attributes) {
        encode_attributes(out, operator_attributes_.at(number));
    }
}

Result<std::unique_ptr<PartitionFold>> PartitionFold::restore(FoldOptions options, std::string_view bytes) {
    auto fold = std::make_unique<PartitionFold>(options);
    if (auto decoded = fold->decode(bytes); !decoded) {
        return tl::unexpected(decoded.error());
    }
    return fold;
}

Result<void> PartitionFold::decode(std::string_view bytes) {
    if (bytes.size() < sizeof(std::uint32_t)) {
        return corrupt("snapshot is shorter than its checksum");
    }
    const std::string_view body = bytes.substr(0, bytes.size() - sizeof(std::uint32_t));
    ByteReader checksum(bytes.substr(body.size()));
    if (checksum.number<std::uint32_t>() != crc32c(body)) {
        return corrupt("snapshot fails its checksum");
    }
    ByteReader in(body);
    if (in.raw(magic.size()) != magic || in.number<std::uint32_t>() != version) {
        return corrupt("snapshot is of another version");
    }
    if (in.number<Partition>() != options_.partition) {
        return corrupt("snapshot is of another partition");
    }
    next_offset_ = in.number<Offset>();
    reported_at_ms_ = in.number<std::int64_t>();
    if (auto clocks = clocks_.decode(in); !clocks) {
        return clocks;
    }
    if (auto names = decode_names(in); !names) {
        return names;
    }
    if (auto regions = regions_.decode(in); !regions) {
        return regions;
    }
    if (auto policy = decode_policy(in); !policy) {
        return policy;
    }
    overlay_wheel_ = DeadlineWheel(clocks_.elapsed_ms());
    const auto count = in.number<std::uint32_t>();
    for (std::uint32_t i = 0; i < count; ++i) {
        if (auto device = decode_device(in); !device) {
            return device;
        }
    }
    regions_.end_recount();
    return in.ok() && in.at_end() ? Result<void>() : corrupt("snapshot has the wrong length");
}

Result<void> PartitionFold::decode_names(ByteReader& in) {
    const auto count = in.number<std::uint32_t>();
    for (std::uint32_t name = 0; name < count; ++name) {
        const std::string_view text = in.text();
        if (!in.ok() || names_.intern(text) != name) {
            return corrupt("snapshot has a name twice, or ends within its names");
        }
    }
    for (Slot slot = 0; slot < clocks_.slots(); ++slot) {
        if (clocks_.is_used(slot) && clocks_.at(slot).name >= names_.size()) {
            return corrupt("snapshot has a gateway without a name");
        }
    }
    return {};
}

/// Which windows are open follows from the partition's time; their devices say themselves that they are in one.
Result<void> PartitionFold::decode_policy(ByteReader& in) {
    const std::string_view text = in.raw(in.number<std::uint32_t>());
    auto policy = parse_fleet_policy(text);
    if (!in.ok() || !policy) {
        return corrupt("snapshot has a policy that cannot be");
    }
    policy_ = std::move(*policy);
    settle_windows();
    return {};
}

Result<void> PartitionFold::decode_device(ByteReader& in) {
    const std::string_view id = in.text();
    if (!is_valid_device_id(id)) {
        return corrupt("snapshot has a device without an id");
    }
    const DeviceNumber before = devices_.size();
    const DeviceNumber number = devices_.find_or_add(devices_.key_of(id));
    if (number != before) {
        return corrupt("snapshot has a device twice");
    }
    DeviceState& device = devices_.state(number);
    DeviceDetail& detail = devices_.detail(number);
    device.epoch = in.number<SessionEpoch>();
    device.incarnation = in.number<Incarnation>();
    device.since = from_epoch_ms(in.number<std::int64_t>());
    device.last_seen = from_epoch_ms(in.number<std::int64_t>());
    device.evidence_ms = in.number<std::int64_t>();
    device.sleep_until_ms = in.number<std::int64_t>();
    device.penalty.tenths = in.number<std::uint32_t>();
    device.penalty.at_ms = in.number<std::int64_t>();
    device.gateway = in.number<std::uint32_t>();
    device.sleep_s = in.number<std::uint32_t>();
    device.clock = in.number<Slot>();
    device.keep_alive_s = in.number<std::uint16_t>();
    device.state = static_cast<PresenceState>(in.number<std::uint8_t>());
    device.cause = static_cast<Cause>(in.number<std::uint8_t>());
    device.overlays = in.number<Overlays>();
    const auto flags = in.number<std::uint8_t>();
    device.open = (flags & 1U) != 0;
    device.published = (flags & 2U) != 0;
    device.farewell = (flags & 4U) != 0;
    device.counted = (flags & 8U) != 0;
    detail.has_operator_attributes = (flags & 16U) != 0;
    detail.steady_offline = (flags & 32U) != 0;
    detail.protocol = in.number<std::uint32_t>();
    detail.disconnects = in.number<std::uint32_t>();
    detail.take_overs = in.number<std::uint32_t>();
    for (Timestamp* time : {&detail.first_seen, &detail.session_began, &detail.session_ended, &detail.will}) {
        *time = from_epoch_ms(in.number<std::int64_t>());
    }
    detail.state_began_ms = in.number<std::int64_t>();
    detail.contest.tenths = in.number<std::uint32_t>();
    detail.contest.at_ms = in.number<std::int64_t>();
    detail.client_address = in.text();
    bool sound = decode_attributes(in, names_.size(), detail.declared);
    if (detail.has_operator_attributes) {
        sound = decode_attributes(in, names_.size(), operator_attributes_[number]) && sound;
    }
    if (!sound || !in.ok() || detail.protocol >= names_.size() || !is_sound(device)) {
        return corrupt("snapshot has a device that cannot be");
    }
    const DeviceAttributes attributes = attributes_of(number);
    if (!attributes.region.empty() && !is_valid_region(attributes.region)) {
        return corrupt("snapshot has a device in a region that cannot be");
    }
    FoldOutput ignored;
    settle_attributes(number, ignored);
    if (device.counted) {
        count_in(number);
    }
    schedule_session(number);
    schedule_overlay(number);
    return {};
}

bool PartitionFold::is_sound(const DeviceState& device) const {
    const bool needs_clock = device.state == PresenceState::online || device.state == PresenceState::unknown;
    return device.gateway < names_.size() && device.state <= PresenceState::unknown && device.cause <= Cause::admin &&
           (!needs_clock || clocks_.is_used(device.clock));
}

}  // namespace muster
