#include "mqtt/encode.h"

#include <variant>

#include "mqtt/wire.h"

namespace muster::mqtt {

namespace {

constexpr std::size_t text_size(std::string_view text) {
    return 2 + text.size();
}

std::size_t properties_size(ProtocolVersion version, const Properties& properties) {
    const std::size_t bytes = properties.bytes().size();
    return version == ProtocolVersion::v5 ? varint_size(bytes) + bytes : 0;
}

void put_properties(ProtocolVersion version, const Properties& properties, std::string& out) {
    if (version == ProtocolVersion::v5) {
        put_varint(out, properties.bytes().size());
        out.append(properties.bytes());
    }
}

void put_fixed_header(PacketType type, unsigned flags, std::size_t remaining, std::string& out) {
    put_byte(out, static_cast<std::uint8_t>((static_cast<unsigned>(type) << 4U) | flags));
    put_varint(out, remaining);
}

void put_packet_id(std::uint16_t packet_id, std::string& out) {
    MUSTER_ASSERT(packet_id != 0);
    put_16(out, packet_id);
}

std::uint8_t connect_flags(const Connect& connect) {
    unsigned flags = connect.clean_start ? 0x02U : 0U;
    if (connect.will) {
        flags |= 0x04U | (static_cast<unsigned>(connect.will->qos) << 3U) | (connect.will->retain ? 0x20U : 0U);
    }
    flags |= connect.password ? 0x40U : 0U;
    flags |= connect.user_name ? 0x80U : 0U;
    return static_cast<std::uint8_t>(flags);
}

std::size_t connect_size(const Connect& connect) {
    std::size_t size = 10 + properties_size(connect.version, connect.properties) + text_size(connect.client_id);
    if (connect.will) {
        size += properties_size(connect.version, connect.will->properties);
        size += text_size(connect.will->topic) + text_size(connect.will->payload);
    }
    size += connect.user_name ? text_size(*connect.user_name) : 0;
    size += connect.password ? text_size(*connect.password) : 0;
    return size;
}

/// Packet id, properties, then what is already encoded.
void put_front_and(PacketType type, unsigned flags, ProtocolVersion version, std::uint16_t packet_id,
                   const Properties& properties, std::string_view rest, std::string& out) {
    put_fixed_header(type, flags, 2 + properties_size(version, properties) + rest.size(), out);
    put_packet_id(packet_id, out);
    put_properties(version, properties, out);
    out.append(rest);
}

std::size_t publish_size(ProtocolVersion version, const Publish& publish) {
    return text_size(publish.topic) + (publish.qos == 0 ? 0U : 2U) + properties_size(version, publish.properties) +
           publish.payload.size();
}

}  // namespace

void encode(const Connect& connect, std::string& out) {
    put_fixed_header(PacketType::connect, 0, connect_size(connect), out);
    put_text(out, "MQTT");
    put_byte(out, static_cast<std::uint8_t>(connect.version));
    put_byte(out, connect_flags(connect));
    put_16(out, connect.keep_alive_s);
    put_properties(connect.version, connect.properties, out);
    put_text(out, connect.client_id);
    if (connect.will) {
        put_properties(connect.version, connect.will->properties, out);
        put_text(out, connect.will->topic);
        put_text(out, connect.will->payload);
    }
    if (connect.user_name) {
        put_text(out, *connect.user_name);
    }
    if (connect.password) {
        put_text(out, *connect.password);
    }
}

void encode(ProtocolVersion version, const Connack& connack, std::string& out) {
    const bool is_v5 = version == ProtocolVersion::v5;
    put_fixed_header(PacketType::connack, 0, 2 + properties_size(version, connack.properties), out);
    put_byte(out, connack.session_present ? 1 : 0);
    put_byte(out, is_v5 ? static_cast<std::uint8_t>(connack.reason) : v3_connack_code(connack.reason));
    put_properties(version, connack.properties, out);
}

void encode(ProtocolVersion version, const Publish& publish, std::string& out) {
    const unsigned flags =
        (publish.duplicate ? 0x08U : 0U) | (static_cast<unsigned>(publish.qos) << 1U) | (publish.retain ? 0x01U : 0U);
    put_fixed_header(PacketType::publish, flags, publish_size(version, publish), out);
    put_text(out, publish.topic);
    if (publish.qos != 0) {
        put_packet_id(publish.packet_id, out);
    }
    put_properties(version, publish.properties, out);
    out.append(publish.payload);
}

void encode(ProtocolVersion version, const Ack& ack, std::string& out) {
    const unsigned flags = ack.type == PacketType::pubrel ? 2 : 0;
    if (version != ProtocolVersion::v5 || (ack.reason == ReasonCode::success && ack.properties.empty())) {
        put_fixed_header(ack.type, flags, 2, out);
        put_packet_id(ack.packet_id, out);
        return;
    }
    const std::size_t properties = ack.properties.empty() ? 0 : properties_size(version, ack.properties);
    put_fixed_header(ack.type, flags, 3 + properties, out);
    put_packet_id(ack.packet_id, out);
    put_byte(out, static_cast<std::uint8_t>(ack.reason));
    if (properties != 0) {
        put_properties(version, ack.properties, out);
    }
}

void encode(ProtocolVersion version, const Subscribe& subscribe, std::string& out) {
    put_front_and(PacketType::subscribe, 2, version, subscribe.packet_id, subscribe.properties,
                  subscribe.entries.bytes(), out);
}

void encode(ProtocolVersion version, const Suback& suback, std::string& out) {
    put_front_and(PacketType::suback, 0, version, suback.packet_id, suback.properties, suback.reasons, out);
    if (version != ProtocolVersion::v5) {
        for (std::size_t at = out.size() - suback.reasons.size(); at < out.size(); ++at) {
            if (is_error(static_cast<ReasonCode>(static_cast<std::uint8_t>(out[at])))) {
                out[at] = static_cast<char>(ReasonCode::unspecified_error);
            }
        }
    }
}

void encode(ProtocolVersion version, const Unsubscribe& unsubscribe, std::string& out) {
    put_front_and(PacketType::unsubscribe, 2, version, unsubscribe.packet_id, unsubscribe.properties,
                  unsubscribe.entries.bytes(), out);
}

void encode(ProtocolVersion version, const Unsuback& unsuback, std::string& out) {
    const bool is_v5 = version == ProtocolVersion::v5;
    put_front_and(PacketType::unsuback, 0, version, unsuback.packet_id, unsuback.properties,
                  is_v5 ? unsuback.reasons : std::string_view{}, out);
}

void encode(ProtocolVersion version, const Disconnect& disconnect, std::string& out) {
    if (version != ProtocolVersion::v5 || (disconnect.reason == ReasonCode::success && disconnect.properties.empty())) {
        put_fixed_header(PacketType::disconnect, 0, 0, out);
        return;
    }
    const std::size_t properties = disconnect.properties.empty() ? 0 : properties_size(version, disconnect.properties);
    put_fixed_header(PacketType::disconnect, 0, 1 + properties, out);
    put_byte(out, static_cast<std::uint8_t>(disconnect.reason));
    if (properties != 0) {
        put_properties(version, disconnect.properties, out);
    }
}

void encode(ProtocolVersion version, const Auth& auth, std::string& out) {
    MUSTER_ASSERT(version == ProtocolVersion::v5);
    if (auth.reason == ReasonCode::success && auth.properties.empty()) {
        put_fixed_header(PacketType::auth, 0, 0, out);
        return;
    }
    put_fixed_header(PacketType::auth, 0, 1 + properties_size(version, auth.properties), out);
    put_byte(out, static_cast<std::uint8_t>(auth.reason));
    put_properties(version, auth.properties, out);
}

void encode(ProtocolVersion /*version*/, const Pingreq& /*pingreq*/, std::string& out) {
    put_fixed_header(PacketType::pingreq, 0, 0, out);
}

void encode(ProtocolVersion /*version*/, const Pingresp& /*pingresp*/, std::string& out) {
    put_fixed_header(PacketType::pingresp, 0, 0, out);
}

void encode(ProtocolVersion version, const Packet& packet, std::string& out) {
    if (const auto* connect = std::get_if<Connect>(&packet)) {
        encode(*connect, out);
        return;
    }
    std::visit(
        [&](const auto& body) {
            if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(body)>, Connect>) {
                encode(version, body, out);
            }
        },
        packet);
}

std::size_t encoded_size(ProtocolVersion version, const Connack& connack) {
    const std::size_t remaining = 2 + properties_size(version, connack.properties);
    return 1 + varint_size(remaining) + remaining;
}

std::size_t encoded_size(ProtocolVersion version, const Publish& publish) {
    const std::size_t remaining = publish_size(version, publish);
    return 1 + varint_size(remaining) + remaining;
}

void set_duplicate(std::string& encoded_publish, bool duplicate) {
    MUSTER_ASSERT(!encoded_publish.empty());
    const auto first = static_cast<std::uint8_t>(encoded_publish[0]) & 0xF7U;
    encoded_publish[0] = static_cast<char>(first | (duplicate ? 0x08U : 0U));
}

}  // namespace muster::mqtt
