#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "mqtt/encoded_range.h"
#include "mqtt/properties.h"
#include "mqtt/reason_code.h"

namespace muster::mqtt {

// Every MQTT control packet as a plain struct of views: a decoded packet points into the read buffer, a packet to
// encode points wherever its caller likes. Nothing here allocates. Properties are empty in 3.1.1.

enum class ProtocolVersion : std::uint8_t { v3_1_1 = 4, v5 = 5 };

/// "3.1.1" or "5.0".
[[nodiscard]] std::string_view name_of(ProtocolVersion version);

enum class PacketType : std::uint8_t {
    connect = 1,
    connack = 2,
    publish = 3,
    puback = 4,
    pubrec = 5,
    pubrel = 6,
    pubcomp = 7,
    subscribe = 8,
    suback = 9,
    unsubscribe = 10,
    unsuback = 11,
    pingreq = 12,
    pingresp = 13,
    disconnect = 14,
    auth = 15,
};

[[nodiscard]] std::string_view name_of(PacketType type);

/// MQTT 5.0 section 2.4: the reason codes that a type of packet may carry.
[[nodiscard]] bool may_carry(PacketType type, ReasonCode reason);

struct Will {
    std::string_view topic;
    std::string_view payload;
    Properties properties;
    std::uint8_t qos = 0;
    bool retain = false;
};

struct Connect {
    ProtocolVersion version = ProtocolVersion::v3_1_1;
    bool clean_start = true;  ///< 3.1.1: clean session
    std::uint16_t keep_alive_s = 0;
    std::string_view client_id;
    Properties properties;
    std::optional<Will> will;
    std::optional<std::string_view> user_name;
    std::optional<std::string_view> password;
};

struct Connack {
    bool session_present = false;
    ReasonCode reason = ReasonCode::success;  ///< 3.1.1: mapped by v3_connack_code
    Properties properties;
};

struct Publish {
    std::string_view topic;  ///< empty only in v5 with a topic alias
    std::string_view payload;
    Properties properties;
    std::uint16_t packet_id = 0;  ///< 0 when qos is 0
    std::uint8_t qos = 0;
    bool retain = false;
    bool duplicate = false;
};

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
struct Ack {
    PacketType type = PacketType::puback;
    std::uint16_t packet_id = 0;
    ReasonCode reason = ReasonCode::success;  ///< always success in 3.1.1
    Properties properties;
};

/// The options byte of a subscription, as on the wire.
struct SubscriptionOptions {
    std::uint8_t bits = 0;

    [[nodiscard]] static constexpr SubscriptionOptions of_qos(std::uint8_t qos) { return {qos}; }
    [[nodiscard]] constexpr std::uint8_t qos() const { return bits & 0x03U; }
    [[nodiscard]] constexpr bool no_local() const { return (bits & 0x04U) != 0; }
    [[nodiscard]] constexpr bool retain_as_published() const { return (bits & 0x08U) != 0; }
    /// 0 send retained messages at subscribe, 1 only if the subscription is new, 2 never.
    [[nodiscard]] constexpr std::uint8_t retain_handling() const { return (bits >> 4U) & 0x03U; }
    bool operator==(const SubscriptionOptions&) const = default;
};

/// One filter of a SUBSCRIBE. Syntactically valid UTF-8; whether it is a valid filter is the receiver's to check
/// (is_valid_topic_filter), because the answer is a SUBACK code and not the end of the connection.
struct SubscribeEntry {
    std::string_view filter;
    SubscriptionOptions options;

    [[nodiscard]] static SubscribeEntry take(std::string_view& rest);
    void append_to(std::string& out) const;
};

struct Subscribe {
    std::uint16_t packet_id = 0;
    Properties properties;
    EncodedRange<SubscribeEntry> entries;  ///< at least one
};

struct Suback {
    std::uint16_t packet_id = 0;
    Properties properties;
    std::string_view reasons;  ///< one ReasonCode byte an entry; 3.1.1: 0, 1, 2 or 0x80
};

/// One filter of an UNSUBSCRIBE.
struct UnsubscribeEntry {
    std::string_view filter;

    [[nodiscard]] static UnsubscribeEntry take(std::string_view& rest);
    void append_to(std::string& out) const;
};

struct Unsubscribe {
    std::uint16_t packet_id = 0;
    Properties properties;
    EncodedRange<UnsubscribeEntry> entries;  ///< at least one
};

struct Unsuback {
    std::uint16_t packet_id = 0;
    Properties properties;
    std::string_view reasons;  ///< one ReasonCode byte an entry; empty (and not sent) in 3.1.1
};

struct Pingreq {};
struct Pingresp {};

struct Disconnect {
    ReasonCode reason = ReasonCode::success;
    Properties properties;
};

struct Auth {
    ReasonCode reason = ReasonCode::success;
    Properties properties;
};

using Packet = std::variant<Connect, Connack, Publish, Ack, Subscribe, Suback, Unsubscribe, Unsuback, Pingreq, Pingresp,
                            Disconnect, Auth>;

}  // namespace muster::mqtt
