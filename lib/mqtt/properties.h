#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mqtt/encoded_range.h"
#include "mqtt/reason_code.h"

namespace muster::mqtt {

/// MQTT 5.0 section 2.2.2.2.
enum class PropertyId : std::uint8_t {
    payload_format = 1,
    message_expiry = 2,
    content_type = 3,
    response_topic = 8,
    correlation_data = 9,
    subscription_identifier = 11,
    session_expiry = 17,
    assigned_client_id = 18,
    server_keep_alive = 19,
    authentication_method = 21,
    authentication_data = 22,
    request_problem_information = 23,
    will_delay = 24,
    request_response_information = 25,
    response_information = 26,
    server_reference = 28,
    reason_string = 31,
    receive_maximum = 33,
    topic_alias_maximum = 34,
    topic_alias = 35,
    maximum_qos = 36,
    retain_available = 37,
    user_property = 38,
    maximum_packet_size = 39,
    wildcard_subscription_available = 40,
    subscription_identifier_available = 41,
    shared_subscription_available = 42,
};

/// Where a block of properties stands: the packet type's number, or `will` for the will's block inside CONNECT.
enum class PropertyPlace : std::uint8_t {
    will = 0,
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
    disconnect = 14,
    auth = 15,
};

/// One property. Numbers of every width are in `number`; strings and binary data in `text`; a user property has its
/// name in `text` and its value in `value`.
struct Property {
    PropertyId id{};
    std::uint32_t number = 0;
    std::string_view text;
    std::string_view value;

    [[nodiscard]] static Property take(std::string_view& rest);
};

/// The properties of one v5 packet, without their length prefix: a view of valid bytes, in the order of the wire (user
/// properties keep theirs). Empty in 3.1.1. Look-ups walk the block.
class Properties : public EncodedRange<Property> {
 public:
    using EncodedRange<Property>::EncodedRange;

    /// Checks a block from outside: ids known and allowed in this place, none twice (but user properties, and
    /// subscription identifiers in PUBLISH), values whole and in range.
    [[nodiscard]] static Decoded<Properties> validate(PropertyPlace place, std::string_view bytes);

    /// The (first) property's number.
    [[nodiscard]] std::optional<std::uint32_t> number(PropertyId id) const;
    /// The (first) property's string or binary data.
    [[nodiscard]] std::optional<std::string_view> text(PropertyId id) const;
    [[nodiscard]] bool has(PropertyId id) const;
};

/// Appends properties to a string it does not own; `Properties(out)` then views them. Trusts its caller in what is
/// allowed where; strings over 65,535 bytes are cut.
class PropertyWriter {
 public:
    explicit PropertyWriter(std::string& out) : out_(out) {}

    PropertyWriter& number(PropertyId id, std::uint32_t value);
    PropertyWriter& text(PropertyId id, std::string_view value);
    PropertyWriter& user(std::string_view name, std::string_view value);
    /// Copies one of any kind.
    PropertyWriter& copy(const Property& property);

 private:
    std::string& out_;
};

}  // namespace muster::mqtt
