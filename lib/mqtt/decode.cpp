#include "mqtt/decode.h"

#include <algorithm>

#include "mqtt/wire.h"

namespace muster::mqtt {

namespace {

/// The lower half of the first byte (3.1.1 section 2.2.2, 5.0 section 2.1.3).
bool are_valid_flags(PacketType type, std::uint8_t flags) {
    switch (type) {
        case PacketType::publish: {
            const bool duplicate = (flags & 0x08U) != 0;
            const unsigned qos = (flags >> 1U) & 0x03U;
            return qos != 3 && !(qos == 0 && duplicate);
        }
        case PacketType::pubrel:
        case PacketType::subscribe:
        case PacketType::unsubscribe:
            return flags == 2;
        default:
            return flags == 0;
    }
}

Frame frame_error(ReasonCode code, std::string_view text) {
    Frame frame;
    frame.status = Frame::Status::error;
    frame.error = {code, text};
    return frame;
}

using enum ReasonCode;

PropertyPlace place_of(PacketType type) {
    return static_cast<PropertyPlace>(type);
}

/// Length and block of properties; nothing in 3.1.1.
Decoded<Properties> read_properties(ProtocolVersion version, PropertyPlace place, WireReader& reader) {
    if (version != ProtocolVersion::v5) {
        return Properties{};
    }
    const std::string_view block = reader.take(reader.varint());
    return block.empty() ? Properties{} : Properties::validate(place, block);
}

template <class Body>
Decoded<Body> finished(WireReader& reader, const Body& body) {
    if (auto whole = reader.finish(); !whole) {
        return tl::unexpected(whole.error());
    }
    return body;
}

/// Packet id and properties: the front of SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK.
template <class Body>
Decoded<Body> read_front(ProtocolVersion version, PacketType type, WireReader& reader) {
    Body body;
    body.packet_id = reader.number_16();
    if (reader.ok() && body.packet_id == 0) {
        return refuse(protocol_error, "a packet identifier is 0");
    }
    auto properties = read_properties(version, place_of(type), reader);
    if (!properties) {
        return tl::unexpected(properties.error());
    }
    body.properties = *properties;
    return body;
}

Decoded<void> check_options(ProtocolVersion version, const SubscribeEntry& entry) {
    const unsigned reserved = version == ProtocolVersion::v5 ? 0xC0U : 0xFCU;
    if ((entry.options.bits & reserved) != 0) {
        return refuse(malformed_packet, "reserved bits of subscription options are set");
    }
    if (entry.options.qos() == 3 || entry.options.retain_handling() == 3) {
        return refuse(protocol_error, "subscription options ask for QoS 3 or retain handling 3");
    }
    if (entry.options.no_local() && is_shared_filter(entry.filter)) {
        return refuse(protocol_error, "a shared subscription asks for no local");
    }
    return {};
}

bool are_v3_suback_codes(std::string_view codes) {
    return std::all_of(codes.begin(), codes.end(), [](char c) {
        const auto code = static_cast<std::uint8_t>(c);
        return code <= 2 || code == 0x80;
    });
}

bool are_reasons_of(PacketType type, std::string_view codes) {
    return std::all_of(codes.begin(), codes.end(), [type](char c) {
        return may_carry(type, static_cast<ReasonCode>(static_cast<std::uint8_t>(c)));
    });
}

/// Reason and properties, both of which a v5 DISCONNECT may leave out and which AUTH has both or neither of.
template <class Body>
Decoded<Body> read_reason_packet(const PacketView& packet, bool may_omit_properties) {
    Body body;
    if (packet.body.empty()) {
        return body;
    }
    WireReader reader(packet.body);
    body.reason = static_cast<ReasonCode>(reader.byte());
    if (!may_carry(packet.type, body.reason)) {
        return refuse(malformed_packet, "a packet carries a reason code that is not its own");
    }
    if (reader.at_end() && may_omit_properties) {
        return body;
    }
    auto properties = read_properties(ProtocolVersion::v5, place_of(packet.type), reader);
    if (!properties) {
        return tl::unexpected(properties.error());
    }
    body.properties = *properties;
    return finished(reader, body);
}

template <class Body>
Decoded<Packet> as_packet(const Decoded<Body>& body) {
    if (!body) {
        return tl::unexpected(body.error());
    }
    return Packet(*body);
}

template <class Body>
Decoded<Packet> empty_packet(const PacketView& packet) {
    if (!packet.body.empty()) {
        return refuse(malformed_packet, "a packet has surplus bytes");
    }
    return Packet(Body{});
}

}  // namespace

// Fixed header: type (4 bits) and flags (4 bits) | remaining length, 1 to 4 bytes
Frame next_packet(std::string_view buffer, std::size_t packet_bytes_max) {
    Frame frame;
    if (buffer.empty()) {
        return frame;
    }
    const auto first = static_cast<std::uint8_t>(buffer[0]);
    frame.packet.type = static_cast<PacketType>(first >> 4U);
    frame.packet.flags = first & 0x0FU;
    if (first < 0x10 || !are_valid_flags(frame.packet.type, frame.packet.flags)) {
        return frame_error(malformed_packet, "a packet's first byte has a reserved type or reserved flags");
    }
    std::size_t remaining = 0;
    for (std::size_t at = 1; at < buffer.size(); ++at) {
        const auto next = static_cast<std::uint8_t>(buffer[at]);
        remaining |= static_cast<std::size_t>(next & 0x7FU) << (7 * (at - 1));
        if ((next & 0x80U) != 0) {
            if (at == 4) {
                return frame_error(malformed_packet, "a remaining length has more than four bytes");
            }
            continue;
        }
        if (next == 0 && at > 1) {
            return frame_error(malformed_packet, "a remaining length is longer than needed");
        }
        frame.size = at + 1 + remaining;
        if (frame.size > packet_bytes_max) {
            return frame_error(packet_too_large, "a packet is over the maximum packet size");
        }
        if (buffer.size() >= frame.size) {
            frame.status = Frame::Status::packet;
            frame.packet.body = buffer.substr(at + 1, remaining);
        }
        return frame;
    }
    return frame;
}

// CONNACK: acknowledge flags (bit 0 session present) | reason | v5 properties
Decoded<Connack> decode_connack(ProtocolVersion version, const PacketView& packet) {
    WireReader reader(packet.body);
    const std::uint8_t flags = reader.byte();
    const std::uint8_t code = reader.byte();
    if (flags > 1) {
        return refuse(malformed_packet, "reserved bits of CONNACK are set");
    }
    Connack connack;
    connack.session_present = flags == 1;
    const bool is_v5 = version == ProtocolVersion::v5;
    connack.reason = is_v5 ? static_cast<ReasonCode>(code) : reason_of_v3_connack(code);
    if (is_v5 ? !may_carry(packet.type, connack.reason) : code > 5) {
        return refuse(malformed_packet, "a packet carries a reason code that is not its own");
    }
    if (connack.session_present && connack.reason != success) {
        return refuse(protocol_error, "a refusing CONNACK says that there is a session");
    }
    auto properties = read_properties(version, PropertyPlace::connack, reader);
    if (!properties) {
        return tl::unexpected(properties.error());
    }
    connack.properties = *properties;
    return finished(reader, connack);
}

// PUBLISH: flags DUP(3) QoS(2-1) RETAIN(0); topic | packet id if QoS > 0 | v5 properties | payload
Decoded<Publish> decode_publish(ProtocolVersion version, const PacketView& packet) {
    WireReader reader(packet.body);
    Publish publish;
    publish.retain = (packet.flags & 0x01U) != 0;
    publish.qos = (packet.flags >> 1U) & 0x03U;
    publish.duplicate = (packet.flags & 0x08U) != 0;
    publish.topic = reader.binary();
    if (publish.qos != 0) {
        publish.packet_id = reader.number_16();
    }
    if (!reader.ok()) {
        return tl::unexpected(reader.finish().error());
    }
    if (publish.qos != 0 && publish.packet_id == 0) {
        return refuse(protocol_error, "a packet identifier is 0");
    }
    if (version == ProtocolVersion::v5) {
        auto properties = read_properties(version, PropertyPlace::publish, reader);
        if (!properties) {
            return tl::unexpected(properties.error());
        }
        publish.properties = *properties;
    }
    if (publish.topic.empty()) {
        if (!publish.properties.has(PropertyId::topic_alias)) {
            return refuse(version == ProtocolVersion::v5 ? protocol_error : topic_name_invalid, "a topic is empty");
        }
    } else if (!is_valid_topic_name(publish.topic)) {
        return is_valid_utf8(publish.topic) ? refuse(topic_name_invalid, "a topic name contains a wildcard")
                                            : refuse(malformed_packet, "a string is not valid UTF-8");
    }
    publish.payload = reader.rest();
    return finished(reader, publish);
}

// PUBACK, PUBREC, PUBREL, PUBCOMP: packet id | v5: reason, may be left out | properties, may be left out
Decoded<Ack> decode_ack(ProtocolVersion version, const PacketView& packet) {
    WireReader reader(packet.body);
    Ack ack;
    ack.type = packet.type;
    ack.packet_id = reader.number_16();
    if (reader.ok() && ack.packet_id == 0) {
        return refuse(protocol_error, "a packet identifier is 0");
    }
    if (version == ProtocolVersion::v5 && !reader.at_end()) {
        ack.reason = static_cast<ReasonCode>(reader.byte());
        if (!may_carry(packet.type, ack.reason)) {
            return refuse(malformed_packet, "a packet carries a reason code that is not its own");
        }
        if (!reader.at_end()) {
            auto properties = read_properties(version, place_of(packet.type), reader);
            if (!properties) {
                return tl::unexpected(properties.error());
            }
            ack.properties = *properties;
        }
    }
    return finished(reader, ack);
}

// SUBSCRIBE: packet id | v5 properties | one or more of: filter, options byte
Decoded<Subscribe> decode_subscribe(ProtocolVersion version, const PacketView& packet) {
    WireReader reader(packet.body);
    auto subscribe = read_front<Subscribe>(version, packet.type, reader);
    if (!subscribe) {
        return subscribe;
    }
    if (reader.ok() && reader.at_end()) {
        return refuse(protocol_error, "a SUBSCRIBE has no filter");
    }
    WireReader entries = reader;
    subscribe->entries = EncodedRange<SubscribeEntry>(reader.rest());
    while (!entries.at_end()) {
        SubscribeEntry entry;
        entry.filter = entries.text();
        entry.options.bits = entries.byte();
        if (auto fine = check_options(version, entry); entries.ok() && !fine) {
            return tl::unexpected(fine.error());
        }
    }
    return finished(entries, *subscribe);
}

// SUBACK: packet id | v5 properties | one code a filter
Decoded<Suback> decode_suback(ProtocolVersion version, const PacketView& packet) {
    WireReader reader(packet.body);
    auto suback = read_front<Suback>(version, packet.type, reader);
    if (!suback) {
        return suback;
    }
    suback->reasons = reader.rest();
    if (reader.ok() && suback->reasons.empty()) {
        return refuse(protocol_error, "a SUBACK has no code");
    }
    const bool known = version == ProtocolVersion::v5 ? are_reasons_of(packet.type, suback->reasons)
                                                      : are_v3_suback_codes(suback->reasons);
    if (!known) {
        return refuse(malformed_packet, "a packet carries a reason code that is not its own");
    }
    return finished(reader, *suback);
}

// UNSUBSCRIBE: packet id | v5 properties | one or more filters
Decoded<Unsubscribe> decode_unsubscribe(ProtocolVersion version, const PacketView& packet) {
    WireReader reader(packet.body);
    auto unsubscribe = read_front<Unsubscribe>(version, packet.type, reader);
    if (!unsubscribe) {
        return unsubscribe;
    }
    if (reader.ok() && reader.at_end()) {
        return refuse(protocol_error, "an UNSUBSCRIBE has no filter");
    }
    WireReader entries = reader;
    unsubscribe->entries = EncodedRange<UnsubscribeEntry>(reader.rest());
    while (!entries.at_end()) {
        static_cast<void>(entries.text());
    }
    return finished(entries, *unsubscribe);
}

// UNSUBACK: packet id | v5: properties | one code a filter
Decoded<Unsuback> decode_unsuback(ProtocolVersion version, const PacketView& packet) {
    WireReader reader(packet.body);
    auto unsuback = read_front<Unsuback>(version, packet.type, reader);
    if (!unsuback || version != ProtocolVersion::v5) {
        return unsuback ? finished(reader, *unsuback) : unsuback;
    }
    unsuback->reasons = reader.rest();
    if (reader.ok() && unsuback->reasons.empty()) {
        return refuse(protocol_error, "an UNSUBACK has no code");
    }
    if (!are_reasons_of(packet.type, unsuback->reasons)) {
        return refuse(malformed_packet, "a packet carries a reason code that is not its own");
    }
    return finished(reader, *unsuback);
}

Decoded<Disconnect> decode_disconnect(ProtocolVersion version, const PacketView& packet) {
    if (version == ProtocolVersion::v5) {
        return read_reason_packet<Disconnect>(packet, true);
    }
    WireReader reader(packet.body);
    return finished(reader, Disconnect{});
}

Decoded<Auth> decode_auth(ProtocolVersion version, const PacketView& packet) {
    if (version != ProtocolVersion::v5) {
        return refuse(malformed_packet, "packet type 15 is reserved in 3.1.1");
    }
    return read_reason_packet<Auth>(packet, false);
}

Decoded<Packet> decode(ProtocolVersion version, const PacketView& packet) {
    switch (packet.type) {
        case PacketType::connect:
            return as_packet(decode_connect(packet));
        case PacketType::connack:
            return as_packet(decode_connack(version, packet));
        case PacketType::publish:
            return as_packet(decode_publish(version, packet));
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp:
            return as_packet(decode_ack(version, packet));
        case PacketType::subscribe:
            return as_packet(decode_subscribe(version, packet));
        case PacketType::suback:
            return as_packet(decode_suback(version, packet));
        case PacketType::unsubscribe:
            return as_packet(decode_unsubscribe(version, packet));
        case PacketType::unsuback:
            return as_packet(decode_unsuback(version, packet));
        case PacketType::pingreq:
            return empty_packet<Pingreq>(packet);
        case PacketType::pingresp:
            return empty_packet<Pingresp>(packet);
        case PacketType::disconnect:
            return as_packet(decode_disconnect(version, packet));
        case PacketType::auth:
            return as_packet(decode_auth(version, packet));
    }
    return refuse(malformed_packet, "packet type 0 is reserved");
}

}  // namespace muster::mqtt
