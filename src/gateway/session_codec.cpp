#include "gateway/session_codec.h"

#include "base/bytes.h"
#include "base/crc32c.h"

namespace muster {
namespace {

constexpr std::uint8_t document_version = 2;  // version 1 ends after the subscriptions
constexpr std::uint8_t message_version = 1;

constexpr std::uint8_t flag_released = 1;
constexpr std::uint8_t flag_retain = 2;
constexpr std::uint8_t flag_expires = 4;
constexpr std::uint8_t flag_published_retain = 8;

void append_checksum(std::size_t begin, std::string& out) {
    ByteWriter(out).number(crc32c(std::string_view(out).substr(begin)));
}

// What stands between version and checksum.
Result<std::string_view> body_of(std::string_view bytes, std::uint8_t newest_version) {
    constexpr std::size_t frame = sizeof(newest_version) + sizeof(std::uint32_t);
    if (bytes.size() < frame) {
        return fail(ErrorCode::corrupt, "a kept session's row is too short");
    }
    const std::size_t checksum_at = bytes.size() - sizeof(std::uint32_t);
    if (ByteReader(bytes.substr(checksum_at)).number<std::uint32_t>() != crc32c(bytes.substr(0, checksum_at))) {
        return fail(ErrorCode::corrupt, "a kept session's row fails its checksum");
    }
    if (static_cast<std::uint8_t>(bytes.front()) > newest_version) {
        return fail(ErrorCode::unsupported, "a later version of Muster wrote a kept session");
    }
    return bytes.substr(sizeof(newest_version), bytes.size() - frame);
}

tl::unexpected<Error> bad_layout() {
    return fail(ErrorCode::corrupt, "a kept session's row does not follow its layout");
}

bool is_role(std::uint8_t role) {
    return role == static_cast<std::uint8_t>(Role::device) || role == static_cast<std::uint8_t>(Role::fleet_operator) ||
           role == static_cast<std::uint8_t>(Role::guest);
}

// Walks the subscriptions; false when they do not follow their layout.
bool read_subscriptions(ByteReader& reader, FunctionRef<void(const mqtt::ServerSession::Subscription&)> visit) {
    const auto count = reader.number<std::uint16_t>();
    for (std::size_t i = 0; i < count; ++i) {
        mqtt::ServerSession::Subscription subscription;
        subscription.subscription_identifier = reader.number<std::uint32_t>();
        subscription.options.bits = reader.number<std::uint8_t>();
        subscription.filter = reader.raw(reader.number<std::uint16_t>());
        if (!reader.ok() || subscription.filter.empty()) {
            return false;
        }
        visit(subscription);
    }
    return reader.ok();
}

// Reads why the client is away and its will; false when they do not follow their layout.
bool read_away(ByteReader& reader, SessionDocument& document) {
    const auto cause = reader.number<std::uint8_t>();
    const std::string_view bytes = reader.text();
    if (!reader.ok() || cause > static_cast<std::uint8_t>(Cause::admin)) {
        return false;
    }
    document.away_cause = static_cast<Cause>(cause);
    if (!bytes.empty()) {
        auto will = mqtt::PackedWill::parse(bytes);
        document.will = will ? std::move(*will) : mqtt::PackedWill();
        return will.has_value();
    }
    return true;
}

}  // namespace

// u8 version | u8 role | u8 connected | u16 last packet id | u32 expiry s | i64 away since | u64 epoch |
// u64 sent through | u16 subscriptions | each: u32 identifier, u8 options, u16 bytes, filter |
// u8 cause of being away | u32 bytes and delayed will | u32 CRC-32C
void encode_session(const Session& session, const TimeBase& time, std::string& out) {
    const std::size_t begin = out.size();
    const Millis away = session.away ? time.monotonic - session.away->since : Millis(0);
    ByteWriter writer(out);
    writer.number(document_version);
    writer.number(static_cast<std::uint8_t>(session.role));
    writer.number(static_cast<std::uint8_t>(session.connection != nullptr ? 1 : 0));
    writer.number(session.mqtt.last_packet_id());
    writer.number(session.mqtt.session_expiry_s());
    writer.number(to_epoch_ms(time.now - away));
    writer.number(session.epoch);
    writer.number(session.mqtt.sent_through());
    writer.number(static_cast<std::uint16_t>(session.mqtt.subscriptions()));
    session.mqtt.for_each_subscription([&](const mqtt::ServerSession::Subscription& subscription) {
        writer.number(subscription.subscription_identifier);
        writer.number(subscription.options.bits);
        writer.number(static_cast<std::uint16_t>(subscription.filter.size()));
        writer.raw(subscription.filter);
    });
    writer.number(static_cast<std::uint8_t>(session.away ? session.away->cause : Cause::gateway_lost));
    writer.text(session.will.delay_s() > 0 ? session.will.bytes() : std::string_view{});
    append_checksum(begin, out);
}

Result<SessionDocument> decode_session(std::string_view bytes,
                                       FunctionRef<void(const mqtt::ServerSession::Subscription&)> subscribe) {
    const Result<std::string_view> body = body_of(bytes, document_version);
    if (!body) {
        return tl::unexpected(body.error());
    }
    ByteReader reader(*body);
    SessionDocument document;
    const auto role = reader.number<std::uint8_t>();
    document.role = static_cast<Role>(role);
    document.is_connected = reader.number<std::uint8_t>() != 0;
    document.last_packet_id = reader.number<std::uint16_t>();
    document.session_expiry_s = reader.number<std::uint32_t>();
    document.away_since = from_epoch_ms(reader.number<std::int64_t>());
    document.epoch = reader.number<std::uint64_t>();
    document.sent_through = reader.number<std::uint64_t>();
    ByteReader subscriptions = reader;
    const bool has_away = bytes.front() > 1;
    if (!reader.ok() || !is_role(role) || !read_subscriptions(reader, [](const auto&) {}) ||
        (has_away && !read_away(reader, document)) || !reader.at_end()) {
        return bad_layout();
    }
    (void)read_subscriptions(subscriptions, subscribe);
    return document;
}

// u8 version | u8 flags | u8 QoS | u8 QoS as published | u16 packet id | u32 expiry s | i64 published |
// u32 bytes and topic | the same: payload, properties, subscription identifiers | u32 CRC-32C
void encode_message(const mqtt::PendingMessage& pending, const TimeBase& time, std::string& out) {
    static const mqtt::Message released;
    const mqtt::Message& message = pending.message ? *pending.message : released;
    const std::size_t begin = out.size();
    const auto flags =
        static_cast<std::uint8_t>((pending.released ? flag_released : 0) | (pending.retain ? flag_retain : 0) |
                                  (message.expiry_s ? flag_expires : 0) | (message.retain ? flag_published_retain : 0));
    ByteWriter writer(out);
    writer.number(message_version);
    writer.number(flags);
    writer.number(pending.qos);
    writer.number(message.qos);
    writer.number(pending.packet_id);
    writer.number(message.expiry_s.value_or(0));
    writer.number(to_epoch_ms(time.now - (time.monotonic - message.published)));
    writer.text(message.topic);
    writer.text(message.payload);
    writer.text(message.properties);
    writer.text(pending.subscription_ids);
    append_checksum(begin, out);
}

Result<mqtt::PendingMessage> decode_message(std::string_view bytes, const TimeBase& time) {
    const Result<std::string_view> body = body_of(bytes, message_version);
    if (!body) {
        return tl::unexpected(body.error());
    }
    ByteReader reader(*body);
    auto message = std::make_shared<mqtt::Message>();
    mqtt::PendingMessage pending;
    const auto flags = reader.number<std::uint8_t>();
    pending.released = (flags & flag_released) != 0;
    pending.retain = (flags & flag_retain) != 0;
    message->retain = (flags & flag_published_retain) != 0;
    pending.qos = reader.number<std::uint8_t>();
    message->qos = reader.number<std::uint8_t>();
    pending.packet_id = reader.number<std::uint16_t>();
    const auto expiry_s = reader.number<std::uint32_t>();
    if ((flags & flag_expires) != 0) {
        message->expiry_s = expiry_s;
    }
    message->published = time.monotonic - (time.now - from_epoch_ms(reader.number<std::int64_t>()));
    message->topic = reader.text();
    message->payload = reader.text();
    message->properties = reader.text();
    pending.subscription_ids = reader.text();
    const bool has_message = !message->topic.empty();
    if (!reader.ok() || !reader.at_end() || pending.qos < 1 || pending.qos > 2 || message->qos > 2 ||
        pending.packet_id == 0 || has_message == pending.released) {
        return bad_layout();
    }
    if (has_message) {
        pending.message = std::move(message);
    }
    return pending;
}

}  // namespace muster
