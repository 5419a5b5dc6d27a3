#include "mqtt/packets.h"

#include <algorithm>
#include <initializer_list>

#include "mqtt/wire.h"

namespace muster::mqtt {

namespace {

using enum ReasonCode;

bool is_one_of(ReasonCode reason, std::initializer_list<ReasonCode> allowed) {
    return std::find(allowed.begin(), allowed.end(), reason) != allowed.end();
}

}  // namespace

std::string_view name_of(ProtocolVersion version) {
    return version == ProtocolVersion::v5 ? "5.0" : "3.1.1";
}

std::string_view name_of(PacketType type) {
    static constexpr std::string_view names[] = {
        "reserved",  "connect", "connack",     "publish",  "puback",  "pubrec",   "pubrel",     "pubcomp",
        "subscribe", "suback",  "unsubscribe", "unsuback", "pingreq", "pingresp", "disconnect", "auth"};
    return names[static_cast<std::uint8_t>(type) & 0x0FU];
}

bool may_carry(PacketType type, ReasonCode reason) {
    switch (type) {
        case PacketType::connack:
            return reason == success ||
                   (reason >= unspecified_error && reason <= bad_authentication_method &&
                    reason != server_shutting_down) ||
                   is_one_of(reason, {topic_name_invalid, packet_too_large, quota_exceeded, payload_format_invalid,
                                      retain_not_supported, qos_not_supported, use_another_server, server_moved,
                                      connection_rate_exceeded});
        case PacketType::puback:
        case PacketType::pubrec:
            return is_one_of(reason, {success, no_matching_subscribers, unspecified_error,
                                      implementation_specific_error, not_authorized, topic_name_invalid,
                                      packet_identifier_in_use, quota_exceeded, payload_format_invalid});
        case PacketType::pubrel:
        case PacketType::pubcomp:
            return is_one_of(reason, {success, packet_identifier_not_found});
        case PacketType::suback:
            return is_one_of(reason, {success, granted_qos_1, granted_qos_2, unspecified_error,
                                      implementation_specific_error, not_authorized, topic_filter_invalid,
                                      packet_identifier_in_use, quota_exceeded, shared_subscriptions_not_supported,
                                      subscription_identifiers_not_supported, wildcard_subscriptions_not_supported});
        case PacketType::unsuback:
            return is_one_of(reason,
                             {success, no_subscription_existed, unspecified_error, implementation_specific_error,
                              not_authorized, topic_filter_invalid, packet_identifier_in_use});
        case PacketType::disconnect:
            return is_one_of(reason,
                             {success, disconnect_with_will, unspecified_error, malformed_packet, protocol_error,
                              implementation_specific_error, not_authorized, server_busy, server_shutting_down,
                              keep_alive_timeout, session_taken_over, topic_filter_invalid, topic_name_invalid}) ||
                   (reason >= receive_maximum_exceeded && reason <= wildcard_subscriptions_not_supported);
        case PacketType::auth:
            return is_one_of(reason, {success, continue_authentication, reauthenticate});
        default:
            return false;
    }
}

SubscribeEntry SubscribeEntry::take(std::string_view& rest) {
    WireReader reader(rest);
    SubscribeEntry entry;
    entry.filter = reader.binary();
    entry.options.bits = reader.byte();
    rest = reader.rest();
    return entry;
}

void SubscribeEntry::append_to(std::string& out) const {
    put_text(out, filter);
    put_byte(out, options.bits);
}

UnsubscribeEntry UnsubscribeEntry::take(std::string_view& rest) {
    WireReader reader(rest);
    const UnsubscribeEntry entry{reader.binary()};
    rest = reader.rest();
    return entry;
}

void UnsubscribeEntry::append_to(std::string& out) const {
    put_text(out, filter);
}

}  // namespace muster::mqtt
