#include "mqtt/decode.h"
#include "mqtt/wire.h"

namespace muster::mqtt {

namespace {

using enum ReasonCode;

/// Connect flags: user name (7), password (6), will retain (5), will QoS (4-3), will (2), clean start (1), reserved
/// (0).
struct ConnectFlags {
    std::uint8_t bits;

    [[nodiscard]] bool reserved() const { return (bits & 0x01U) != 0; }
    [[nodiscard]] bool clean_start() const { return (bits & 0x02U) != 0; }
    [[nodiscard]] bool will() const { return (bits & 0x04U) != 0; }
    [[nodiscard]] std::uint8_t will_qos() const { return (bits >> 3U) & 0x03U; }
    [[nodiscard]] bool will_retain() const { return (bits & 0x20U) != 0; }
    [[nodiscard]] bool password() const { return (bits & 0x40U) != 0; }
    [[nodiscard]] bool user_name() const { return (bits & 0x80U) != 0; }
};

Decoded<ProtocolVersion> read_protocol(WireReader& reader) {
    const std::string_view name = reader.binary();
    const std::uint8_t level = reader.byte();
    if (!reader.ok()) {
        return tl::unexpected(reader.finish().error());
    }
    if (name != "MQTT") {
        return refuse(unsupported_protocol_version, "the protocol name is not MQTT");
    }
    if (level != 4 && level != 5) {
        return refuse(unsupported_protocol_version, "the protocol version is neither 3.1.1 nor 5.0");
    }
    return static_cast<ProtocolVersion>(level);
}

Decoded<void> check_flags(ProtocolVersion version, ConnectFlags flags) {
    if (flags.reserved()) {
        return refuse(malformed_packet, "the reserved connect flag is set");
    }
    if (!flags.will() && (flags.will_qos() != 0 || flags.will_retain())) {
        return refuse(malformed_packet, "will QoS or will retain without a will");
    }
    if (flags.will_qos() == 3) {
        return refuse(malformed_packet, "the will has QoS 3");
    }
    if (version == ProtocolVersion::v3_1_1 && flags.password() && !flags.user_name()) {
        return refuse(malformed_packet, "a password without a user name");
    }
    return {};
}

Decoded<Properties> read_properties(ProtocolVersion version, PropertyPlace place, WireReader& reader) {
    if (version != ProtocolVersion::v5) {
        return Properties{};
    }
    return Properties::validate(place, reader.take(reader.varint()));
}

Decoded<Will> read_will(ProtocolVersion version, ConnectFlags flags, WireReader& reader) {
    Will will;
    auto properties = read_properties(version, PropertyPlace::will, reader);
    if (!properties) {
        return tl::unexpected(properties.error());
    }
    will.properties = *properties;
    will.topic = reader.text();
    will.payload = reader.binary();
    will.qos = flags.will_qos();
    will.retain = flags.will_retain();
    if (reader.ok() && !is_valid_topic_name(will.topic)) {
        return refuse(topic_name_invalid, "the will's topic is not a topic name");
    }
    return will;
}

}  // namespace

// CONNECT: "MQTT" | version | connect flags | keep-alive | v5 properties
//          client id | will: v5 properties, topic, payload | user name | password   (each as the flags say)
Decoded<Connect> decode_connect(const PacketView& packet) {
    WireReader reader(packet.body);
    const auto version = read_protocol(reader);
    if (!version) {
        return tl::unexpected(version.error());
    }
    Connect connect;
    connect.version = *version;
    const ConnectFlags flags{reader.byte()};
    if (auto fine = check_flags(*version, flags); !fine) {
        return tl::unexpected(fine.error());
    }
    connect.clean_start = flags.clean_start();
    connect.keep_alive_s = reader.number_16();
    auto properties = read_properties(*version, PropertyPlace::connect, reader);
    if (!properties) {
        return tl::unexpected(properties.error());
    }
    connect.properties = *properties;
    connect.client_id = reader.text();
    if (flags.will()) {
        auto will = read_will(*version, flags, reader);
        if (!will) {
            return tl::unexpected(will.error());
        }
        connect.will = *will;
    }
    if (flags.user_name()) {
        connect.user_name = reader.text();
    }
    if (flags.password()) {
        connect.password = reader.binary();
    }
    if (auto whole = reader.finish(); !whole) {
        return tl::unexpected(whole.error());
    }
    if (*version == ProtocolVersion::v3_1_1 && connect.client_id.empty() && !connect.clean_start) {
        return refuse(client_identifier_not_valid, "a kept session needs a client identifier");
    }
    return connect;
}

}  // namespace muster::mqtt
