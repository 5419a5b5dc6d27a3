#include "contract/event.h"

#include "base/assert.h"
#include "base/bytes.h"

namespace muster {
namespace {

constexpr std::uint8_t version = 1;

bool is_known(EventKind kind) {
    const auto value = static_cast<std::uint8_t>(kind);
    return (value >= static_cast<std::uint8_t>(EventKind::telemetry) &&
            value <= static_cast<std::uint8_t>(EventKind::policy)) ||
           (value >= static_cast<std::uint8_t>(EventKind::publish) &&
            value <= static_cast<std::uint8_t>(EventKind::api_request));
}

}  // namespace

std::string_view name_of(EventKind kind) {
    switch (kind) {
        case EventKind::telemetry:
            return "telemetry";
        case EventKind::connect:
            return "connect";
        case EventKind::disconnect:
            return "disconnect";
        case EventKind::will:
            return "will";
        case EventKind::tick:
            return "tick";
        case EventKind::status:
            return "status";
        case EventKind::ping:
            return "ping";
        case EventKind::attributes:
            return "attributes";
        case EventKind::policy:
            return "policy";
        case EventKind::publish:
            return "publish";
        case EventKind::subscribed:
            return "subscribed";
        case EventKind::api_request:
            return "api_request";
    }
    return "none";
}

void encode(const EventHeader& header, std::string& out) {
    MUSTER_ASSERT(header.gateway.size() <= gateway_name_bytes_max);
    MUSTER_ASSERT(header.topic.size() <= UINT16_MAX);
    ByteWriter writer(out);
    writer.number(version);
    writer.number(static_cast<std::uint8_t>(header.kind));
    writer.number(static_cast<std::uint8_t>(header.qos | (header.retain ? 4U : 0U) | (header.duplicate ? 8U : 0U)));
    writer.number(static_cast<std::uint8_t>(header.cause));
    writer.number(header.keep_alive_s);
    writer.number(static_cast<std::uint16_t>(header.topic.size()));
    writer.number(to_epoch_ms(header.received));
    writer.number(header.epoch);
    writer.number(header.sequence);
    writer.number(header.incarnation);
    writer.number(static_cast<std::uint8_t>(header.gateway.size()));
    writer.raw(header.gateway);
    writer.raw(header.topic);
}

Result<EventHeader> decode_event_header(std::string_view bytes) {
    ByteReader reader(bytes);
    if (reader.number<std::uint8_t>() != version) {
        return fail(ErrorCode::malformed, "event header has an unknown version");
    }
    EventHeader header;
    header.kind = static_cast<EventKind>(reader.number<std::uint8_t>());
    const auto flags = reader.number<std::uint8_t>();
    header.qos = flags & 3U;
    header.retain = (flags & 4U) != 0;
    header.duplicate = (flags & 8U) != 0;
    const auto cause = reader.number<std::uint8_t>();
    header.keep_alive_s = reader.number<std::uint16_t>();
    const auto topic_bytes = reader.number<std::uint16_t>();
    header.received = from_epoch_ms(reader.number<std::int64_t>());
    header.epoch = reader.number<std::uint64_t>();
    header.sequence = reader.number<std::uint64_t>();
    header.incarnation = reader.number<std::uint64_t>();
    header.gateway = reader.raw(reader.number<std::uint8_t>());
    header.topic = reader.raw(topic_bytes);
    if (!reader.ok() || !reader.at_end()) {
        return fail(ErrorCode::malformed, "event header has the wrong length");
    }
    if (!is_known(header.kind) || cause > static_cast<std::uint8_t>(Cause::admin) || header.qos > 2 || flags > 15 ||
        header.gateway.size() > gateway_name_bytes_max) {
        return fail(ErrorCode::malformed, "event header has an unknown kind, cause or flag");
    }
    header.cause = static_cast<Cause>(cause);
    return header;
}

}  // namespace muster
