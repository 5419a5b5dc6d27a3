#include "status/device_codec.h"

#include "base/bytes.h"
#include "base/crc32c.h"

namespace muster {
namespace {

constexpr std::uint8_t device_version = 2;
constexpr std::uint8_t device_version_without_evidence = 1;
constexpr std::size_t text_bytes_max = 255;
constexpr std::size_t checksum_bytes = sizeof(std::uint32_t);

void write_text(ByteWriter& writer, std::string_view text) {
    text = text.substr(0, text_bytes_max);
    writer.number(static_cast<std::uint8_t>(text.size()));
    writer.raw(text);
}

std::string read_text(ByteReader& reader) {
    return std::string(reader.raw(reader.number<std::uint8_t>()));
}

Timestamp read_time(ByteReader& reader) {
    return from_epoch_ms(reader.number<std::int64_t>());
}

void write_evidence(ByteWriter& writer, const DeviceStatus& device) {
    const PresenceEvidence& evidence = device.document.evidence;
    for (const Timestamp time :
         {device.last_ping, device.last_published, evidence.session_began, evidence.session_ended, evidence.will}) {
        writer.number(to_epoch_ms(time));
    }
    writer.number(evidence.timeout_s);
    writer.number(evidence.sleep_s);
    writer.number(evidence.take_overs);
    writer.real(evidence.contest);
    writer.number(static_cast<std::uint8_t>(evidence.timeout_rule));
    writer.number(static_cast<std::uint8_t>((evidence.farewell ? 1U : 0U) | (evidence.steady_offline ? 2U : 0U)));
    write_text(writer, evidence.maintenance);
}

/// False: a rule that is not known.
bool read_evidence(ByteReader& reader, DeviceStatus& device) {
    PresenceEvidence& evidence = device.document.evidence;
    for (Timestamp* time : {&device.last_ping, &device.last_published, &evidence.session_began, &evidence.session_ended,
                            &evidence.will}) {
        *time = read_time(reader);
    }
    evidence.timeout_s = reader.number<std::uint32_t>();
    evidence.sleep_s = reader.number<std::uint32_t>();
    evidence.take_overs = reader.number<std::uint32_t>();
    evidence.contest = reader.real();
    const auto rule = reader.number<std::uint8_t>();
    const auto flags = reader.number<std::uint8_t>();
    evidence.timeout_rule = static_cast<TimeoutRule>(rule);
    evidence.farewell = (flags & 1U) != 0;
    evidence.steady_offline = (flags & 2U) != 0;
    evidence.maintenance = read_text(reader);
    return rule <= static_cast<std::uint8_t>(TimeoutRule::device);
}

}  // namespace

void encode_device(const DeviceStatus& device, std::string& out) {
    const std::size_t begin = out.size();
    const StatusDocument& document = device.document;
    ByteWriter writer(out);
    writer.number(device_version);
    writer.number(static_cast<std::uint8_t>(document.state));
    writer.number(static_cast<std::uint8_t>(document.previous));
    writer.number(static_cast<std::uint8_t>(document.cause));
    writer.number(document.overlays);
    writer.number(static_cast<std::uint8_t>(device.metrics.size()));
    writer.number(document.keep_alive_s);
    for (const Timestamp time :
         {document.since, document.last_seen, device.last_seen, device.telemetry_time, document.first_seen}) {
        writer.number(to_epoch_ms(time));
    }
    writer.number(document.epoch);
    writer.number(document.incarnation);
    writer.number(document.detected_in_ms);
    writer.real(document.flap_penalty);
    writer.number(document.offset);
    writer.number(document.disconnects);
    writer.number(document.attributes.heartbeat_timeout_s);
    writer.real(document.attributes.latitude);
    writer.real(document.attributes.longitude);
    for (const std::string* text :
         {&document.gateway, &document.client_address, &document.protocol, &document.attributes.region,
          &document.attributes.model, &document.attributes.firmware, &document.attributes.carrier}) {
        write_text(writer, *text);
    }
    for (const auto& [name, value] : device.metrics) {
        write_text(writer, name);
        writer.real(value);
    }
    write_evidence(writer, device);
    writer.number(crc32c(std::string_view(out).substr(begin)));
}

Result<DeviceStatus> decode_device(std::string_view id, std::string_view bytes) {
    if (bytes.size() < checksum_bytes) {
        return fail(ErrorCode::malformed, "device status shorter than its checksum");
    }
    const std::string_view body = bytes.substr(0, bytes.size() - checksum_bytes);
    ByteReader checksum(bytes.substr(body.size()));
    if (checksum.number<std::uint32_t>() != crc32c(body)) {
        return fail(ErrorCode::corrupt, "device status fails its checksum");
    }
    ByteReader reader(body);
    const auto version = reader.number<std::uint8_t>();
    if (version != device_version && version != device_version_without_evidence) {
        return fail(ErrorCode::malformed, "device status of an unknown version");
    }
    DeviceStatus device;
    StatusDocument& document = device.document;
    document.id = id;
    const auto state = reader.number<std::uint8_t>();
    const auto previous = reader.number<std::uint8_t>();
    const auto cause = reader.number<std::uint8_t>();
    if (state > static_cast<std::uint8_t>(PresenceState::unknown) ||
        previous > static_cast<std::uint8_t>(PresenceState::unknown) ||
        cause > static_cast<std::uint8_t>(Cause::admin)) {
        return fail(ErrorCode::malformed, "device status with an unknown state or cause");
    }
    document.state = static_cast<PresenceState>(state);
    document.previous = static_cast<PresenceState>(previous);
    document.cause = static_cast<Cause>(cause);
    document.overlays = reader.number<std::uint8_t>();
    const auto metrics = reader.number<std::uint8_t>();
    document.keep_alive_s = reader.number<std::uint16_t>();
    for (Timestamp* time :
         {&document.since, &document.last_seen, &device.last_seen, &device.telemetry_time, &document.first_seen}) {
        *time = read_time(reader);
    }
    document.epoch = reader.number<std::uint64_t>();
    document.incarnation = reader.number<std::uint64_t>();
    document.detected_in_ms = reader.number<std::int64_t>();
    document.flap_penalty = reader.real();
    document.offset = reader.number<std::int64_t>();
    document.disconnects = reader.number<std::uint32_t>();
    document.attributes.heartbeat_timeout_s = reader.number<std::uint32_t>();
    document.attributes.latitude = reader.real();
    document.attributes.longitude = reader.real();
    for (std::string* text :
         {&document.gateway, &document.client_address, &document.protocol, &document.attributes.region,
          &document.attributes.model, &document.attributes.firmware, &document.attributes.carrier}) {
        *text = read_text(reader);
    }
    for (unsigned i = 0; i < metrics; ++i) {
        std::string name = read_text(reader);
        const double value = reader.real();
        device.metrics.emplace_back(std::move(name), value);
    }
    if (version == device_version && !read_evidence(reader, device)) {
        return fail(ErrorCode::malformed, "device status with an unknown rule");
    }
    if (!reader.ok() || !reader.at_end()) {
        return fail(ErrorCode::malformed, "device status of the wrong length");
    }
    return device;
}

}  // namespace muster
