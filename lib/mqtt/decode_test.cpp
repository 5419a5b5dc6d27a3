#include "mqtt/decode.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqtt/packet_bytes.h"

namespace muster::mqtt {
namespace {

constexpr auto v3 = ProtocolVersion::v3_1_1;
constexpr auto v5 = ProtocolVersion::v5;
using enum ReasonCode;

struct Sample {
    ProtocolVersion version;
    const char* bytes;
};

/// Every packet of both versions in its canonical form, with and without what is optional.
const std::vector<Sample>& valid_packets() {
    static const std::vector<Sample> samples = {
        // CONNECT
        {v3, "10 0C 00 04 'MQTT' 04 02 00 3C 00 00"},
        {v3, "10 0E 00 04 'MQTT' 04 00 00 00 00 02 'ab'"},
        {v3, "10 24 00 04 'MQTT' 04 F6 00 3C 00 02 'ab' 00 03 'w/t' 00 03 'bye' 00 04 'user' 00 04 'pass'"},
        {v3, "10 14 00 04 'MQTT' 04 82 00 3C 00 02 'ab' 00 04 'user'"},
        {v5, "10 0D 00 04 'MQTT' 05 02 00 3C 00 00 00"},
        {v5,
         "10 2F 00 04 'MQTT' 05 EE 00 3C 08 11 00 00 00 0A 21 00 14 00 02 'ab'"
         "05 18 00 00 00 05 00 03 'w/t' 00 03 'bye' 00 02 'us' 00 02 'pw'"},
        {v5, "10 12 00 04 'MQTT' 05 42 00 3C 00 00 01 'a' 00 02 'pw'"},
        {v5, "10 1A 00 04 'MQTT' 05 02 00 3C 0D 15 00 04 'SCRA' 16 00 03 01 02 03 00 00"},
        // CONNACK
        {v3, "20 02 00 00"},
        {v3, "20 02 01 00"},
        {v3, "20 02 00 05"},
        {v5, "20 03 00 00 00"},
        {v5, "20 08 01 00 05 27 00 00 10 00"},
        {v5, "20 0B 00 87 08 1F 00 05 'nono!'"},
        // PUBLISH
        {v3, "30 07 00 03 'a/b' 'hi'"},
        {v3, "30 05 00 03 'a/b'"},
        {v3, "3B 09 00 03 'a/b' 12 34 'hi'"},
        {v3, "35 09 00 03 'a/b' 00 01 'hi'"},
        {v5, "30 08 00 03 'a/b' 00 'hi'"},
        {v5, "32 1B 00 03 'a/b' 00 0A 11 01 01 02 00 00 00 3C 26 00 01 'k' 00 01 'v' 0B 80 01 'hi'"},
        {v5, "30 06 00 00 03 23 00 01"},
        {v5, "30 0D 00 03 'a/b' 04 0B 01 0B 02 'hi!'"},
        // acknowledgements
        {v3, "40 02 00 01"},
        {v3, "50 02 00 01"},
        {v3, "62 02 00 01"},
        {v3, "70 02 FF FF"},
        {v5, "40 02 00 01"},
        {v5, "40 03 00 01 10"},
        {v5, "50 09 00 01 97 05 1F 00 02 'no'"},
        {v5, "62 03 00 01 92"},
        {v5, "70 0B 00 01 00 07 26 00 01 'k' 00 01 'v'"},
        // SUBSCRIBE, SUBACK
        {v3, "82 0D 00 0A 00 03 'a/b' 01 00 02 '+/' 02"},
        {v3, "90 05 00 0A 01 02 80"},
        {v5, "82 0B 00 0A 02 0B 05 00 03 'a/b' 2D"},
        {v5, "90 05 00 0A 00 01 9E"},
        {v5, "90 0A 00 0A 05 1F 00 02 'ok' 00 01"},
        // UNSUBSCRIBE, UNSUBACK
        {v3, "A2 0A 00 0A 00 03 'a/b' 00 01 '#'"},
        {v3, "B0 02 00 0A"},
        {v5, "A2 08 00 0A 00 00 03 'a/b'"},
        {v5, "B0 05 00 0A 00 00 11"},
        // PINGREQ, PINGRESP, DISCONNECT, AUTH
        {v3, "C0 00"},
        {v3, "D0 00"},
        {v5, "C0 00"},
        {v5, "D0 00"},
        {v3, "E0 00"},
        {v5, "E0 00"},
        {v5, "E0 01 04"},
        {v5, "E0 07 00 05 11 00 00 00 3C"},
        {v5, "F0 00"},
        {v5, "F0 0F 18 0D 15 00 04 'SCRA' 16 00 03 01 02 03"},
    };
    return samples;
}

ReasonCode refusal(ProtocolVersion version, const char* written) {
    const std::string bytes = packet_bytes(written);
    const Frame frame = next_packet(bytes, packet_bytes_ceiling);
    if (frame.status == Frame::Status::error) {
        return frame.error.code;
    }
    EXPECT_EQ(frame.status, Frame::Status::packet) << written;
    EXPECT_EQ(frame.size, bytes.size()) << written;
    const auto decoded = decode(version, frame.packet);
    EXPECT_FALSE(decoded) << written;
    return decoded ? success : decoded.error().code;
}

TEST(Decode, every_packet_of_both_versions_encodes_to_the_bytes_it_came_from) {
    for (const Sample& sample : valid_packets()) {
        const std::string bytes = packet_bytes(sample.bytes);
        const auto packet = decode(sample.version, only_packet(bytes));
        ASSERT_TRUE(packet) << sample.bytes << ": " << packet.error().text;
        EXPECT_EQ(encoded(sample.version, *packet), bytes) << sample.bytes;
    }
}

TEST(Decode, a_packet_cut_anywhere_waits_for_more) {
    for (const Sample& sample : valid_packets()) {
        const std::string bytes = packet_bytes(sample.bytes);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            const Frame frame = next_packet(std::string_view(bytes).substr(0, size), packet_bytes_ceiling);
            EXPECT_EQ(frame.status, Frame::Status::need_more) << sample.bytes << " cut at " << size;
        }
    }
}

TEST(Decode, a_body_that_announces_less_than_it_needs_is_refused_or_is_another_whole_packet) {
    for (const Sample& sample : valid_packets()) {
        const std::string bytes = packet_bytes(sample.bytes);
        PacketView packet = only_packet(bytes);
        const std::string_view body = packet.body;
        for (std::size_t size = 0; size < body.size(); ++size) {
            const std::string copy(body.substr(0, size));  // so that a sanitizer sees a read past the end
            packet.body = copy;
            const auto decoded = decode(sample.version, packet);
            if (decoded && packet.type != PacketType::disconnect) {
                // An empty property block or trailing reason may be left out on the wire, never more than that.
                EXPECT_LE(encoded(sample.version, *decoded).size(), 2 + size) << sample.bytes;
            }
        }
    }
}

TEST(Decode, surplus_bytes_after_any_packet_without_payload_are_refused) {
    for (const Sample& sample : valid_packets()) {
        const std::string bytes = packet_bytes(sample.bytes);
        PacketView packet = only_packet(bytes);
        const bool takes_more = packet.type == PacketType::publish || packet.type == PacketType::suback ||
                                packet.type == PacketType::unsuback || packet.type == PacketType::subscribe ||
                                packet.type == PacketType::unsubscribe;
        const bool may_have_a_tail = sample.version == v5 && packet.body.size() <= 3;
        if (takes_more || may_have_a_tail) {
            continue;
        }
        const std::string longer = std::string(packet.body) + '\0';
        packet.body = longer;
        EXPECT_FALSE(decode(sample.version, packet)) << sample.bytes;
    }
}

TEST(Framing, a_reserved_type_is_refused_at_the_first_byte) {
    EXPECT_EQ(next_packet(packet_bytes("00"), 100).error.code, malformed_packet);
    EXPECT_EQ(next_packet(packet_bytes("0F"), 100).status, Frame::Status::error);
}

TEST(Framing, reserved_flags_of_every_type_are_refused_at_the_first_byte) {
    for (unsigned first = 0x10; first <= 0xFF; ++first) {
        const unsigned type = first >> 4U;
        const unsigned flags = first & 0x0FU;
        const unsigned right = type == 6 || type == 8 || type == 10 ? 2 : 0;
        const bool is_publish = type == 3;
        const bool bad_publish = (flags & 6U) == 6 || (flags & 0x0EU) == 8;
        const bool valid = is_publish ? !bad_publish : flags == right;
        const std::string bytes(1, static_cast<char>(first));
        EXPECT_EQ(next_packet(bytes, 100).status, valid ? Frame::Status::need_more : Frame::Status::error) << first;
    }
}

TEST(Framing, the_largest_remaining_length_is_four_bytes) {
    EXPECT_EQ(next_packet(packet_bytes("30 FF FF FF 7F"), packet_bytes_ceiling).size, packet_bytes_ceiling);
    EXPECT_EQ(next_packet(packet_bytes("30 FF FF FF FF"), packet_bytes_ceiling).error.code, malformed_packet);
}

TEST(Framing, a_remaining_length_in_more_bytes_than_needed_is_refused) {
    EXPECT_EQ(next_packet(packet_bytes("30 80 00"), 100).error.code, malformed_packet);
    EXPECT_EQ(next_packet(packet_bytes("C0 80 80 00"), 100).error.code, malformed_packet);
}

TEST(Framing, a_packet_over_the_maximum_is_refused_before_its_body_arrives) {
    EXPECT_EQ(next_packet(packet_bytes("30 62"), 100).status, Frame::Status::need_more);
    EXPECT_EQ(next_packet(packet_bytes("30 63"), 100).error.code, packet_too_large);
}

TEST(DecodeConnect, fields_are_views_of_what_was_sent) {
    const std::string bytes =
        packet_bytes("10 24 00 04 'MQTT' 04 F6 00 3C 00 02 'ab' 00 03 'w/t' 00 03 'bye' 00 04 'user' 00 04 'pass'");
    const auto connect = decode_connect(only_packet(bytes));
    ASSERT_TRUE(connect);
    EXPECT_EQ(connect->version, v3);
    EXPECT_TRUE(connect->clean_start);
    EXPECT_EQ(connect->keep_alive_s, 60);
    EXPECT_EQ(connect->client_id, "ab");
    ASSERT_TRUE(connect->will);
    EXPECT_EQ(connect->will->topic, "w/t");
    EXPECT_EQ(connect->will->payload, "bye");
    EXPECT_EQ(connect->will->qos, 2);
    EXPECT_TRUE(connect->will->retain);
    EXPECT_EQ(connect->user_name, "user");
    EXPECT_EQ(connect->password, "pass");
}

TEST(DecodeConnect, another_protocol_name_or_version_is_unsupported) {
    EXPECT_EQ(refusal(v3, "10 0E 00 06 'MQIsdp' 03 02 00 3C 00 00"), unsupported_protocol_version);
    EXPECT_EQ(refusal(v3, "10 0C 00 04 'mqtt' 04 02 00 3C 00 00"), unsupported_protocol_version);
    EXPECT_EQ(refusal(v3, "10 0C 00 04 'MQTT' 03 02 00 3C 00 00"), unsupported_protocol_version);
    EXPECT_EQ(refusal(v3, "10 0C 00 04 'MQTT' 06 02 00 3C 00 00"), unsupported_protocol_version);
}

TEST(DecodeConnect, the_reserved_flag_is_refused) {
    EXPECT_EQ(refusal(v3, "10 0C 00 04 'MQTT' 04 03 00 3C 00 00"), malformed_packet);
}

TEST(DecodeConnect, will_flags_without_a_will_are_refused) {
    EXPECT_EQ(refusal(v3, "10 0C 00 04 'MQTT' 04 0A 00 3C 00 00"), malformed_packet);
    EXPECT_EQ(refusal(v3, "10 0C 00 04 'MQTT' 04 22 00 3C 00 00"), malformed_packet);
}

TEST(DecodeConnect, a_will_of_qos_3_is_refused) {
    EXPECT_EQ(refusal(v3, "10 14 00 04 'MQTT' 04 1E 00 3C 00 00 00 03 'w/t' 00 01 'x'"), malformed_packet);
}

TEST(DecodeConnect, a_will_topic_with_a_wildcard_or_empty_is_refused) {
    EXPECT_EQ(refusal(v3, "10 14 00 04 'MQTT' 04 06 00 3C 00 00 00 03 'w/#' 00 01 'x'"), topic_name_invalid);
    EXPECT_EQ(refusal(v3, "10 11 00 04 'MQTT' 04 06 00 3C 00 00 00 00 00 01 'x'"), topic_name_invalid);
}

TEST(DecodeConnect, a_password_without_a_user_name_is_refused_in_3_1_1_and_fine_in_5_0) {
    EXPECT_EQ(refusal(v3, "10 11 00 04 'MQTT' 04 42 00 3C 00 01 'a' 00 02 'pw'"), malformed_packet);
    const std::string bytes = packet_bytes("10 12 00 04 'MQTT' 05 42 00 3C 00 00 01 'a' 00 02 'pw'");
    EXPECT_TRUE(decode_connect(only_packet(bytes)));
}

TEST(DecodeConnect, a_user_name_without_a_password_is_fine) {
    const std::string bytes = packet_bytes("10 13 00 04 'MQTT' 04 82 00 3C 00 01 'a' 00 04 'user'");
    const auto connect = decode_connect(only_packet(bytes));
    ASSERT_TRUE(connect);
    EXPECT_EQ(connect->user_name, "user");
    EXPECT_FALSE(connect->password);
}

TEST(DecodeConnect, a_kept_session_without_a_client_id_is_refused_in_3_1_1) {
    EXPECT_EQ(refusal(v3, "10 0C 00 04 'MQTT' 04 00 00 3C 00 00"), client_identifier_not_valid);
    EXPECT_TRUE(decode_connect(only_packet(packet_bytes("10 0D 00 04 'MQTT' 05 00 00 3C 00 00 00"))));
}

TEST(DecodeConnect, a_client_id_that_is_not_utf_8_is_refused) {
    EXPECT_EQ(refusal(v3, "10 0E 00 04 'MQTT' 04 02 00 3C 00 02 C3 28"), malformed_packet);
    EXPECT_EQ(refusal(v3, "10 0D 00 04 'MQTT' 04 02 00 3C 00 01 00"), malformed_packet);
    EXPECT_EQ(refusal(v3, "10 0F 00 04 'MQTT' 04 02 00 3C 00 03 ED A0 80"), malformed_packet);
}

TEST(DecodeConnect, authentication_data_without_a_method_is_refused) {
    EXPECT_EQ(refusal(v5, "10 11 00 04 'MQTT' 05 02 00 3C 04 16 00 01 01 00 00"), protocol_error);
}

TEST(DecodeConnect, a_will_property_among_those_of_connect_is_refused) {
    EXPECT_EQ(refusal(v5, "10 12 00 04 'MQTT' 05 02 00 3C 05 18 00 00 00 01 00 00"), protocol_error);
}

TEST(DecodeConnack, reserved_flags_and_unknown_codes_are_refused) {
    EXPECT_EQ(refusal(v3, "20 02 02 00"), malformed_packet);
    EXPECT_EQ(refusal(v3, "20 02 00 06"), malformed_packet);
    EXPECT_EQ(refusal(v5, "20 03 00 8D 00"), malformed_packet);
    EXPECT_EQ(refusal(v3, "20 02 01 05"), protocol_error);
}

TEST(DecodePublish, a_topic_is_neither_empty_nor_has_wildcards) {
    EXPECT_EQ(refusal(v3, "30 03 00 00 'x'"), topic_name_invalid);
    EXPECT_EQ(refusal(v5, "30 04 00 00 00 'x'"), protocol_error);
    EXPECT_EQ(refusal(v3, "30 05 00 03 'a/#'"), topic_name_invalid);
    EXPECT_EQ(refusal(v3, "30 05 00 03 'a/+'"), topic_name_invalid);
    EXPECT_EQ(refusal(v3, "30 0E 00 0C 'telemetry/+x'"), topic_name_invalid);
    EXPECT_EQ(refusal(v3, "30 05 00 03 'a' 00 'b'"), malformed_packet);
}

TEST(DecodePublish, packet_id_0_is_refused) {
    EXPECT_EQ(refusal(v3, "32 07 00 03 'a/b' 00 00"), protocol_error);
}

TEST(DecodePublish, a_topic_alias_of_0_is_refused) {
    EXPECT_EQ(refusal(v5, "30 06 00 00 03 23 00 00"), topic_alias_invalid);
}

TEST(DecodePublish, a_response_topic_with_a_wildcard_is_refused) {
    EXPECT_EQ(refusal(v5, "30 0A 00 01 'a' 06 08 00 03 'r/#'"), protocol_error);
}

TEST(DecodePublish, the_payload_may_be_any_bytes) {
    const std::string bytes = packet_bytes("30 06 00 01 'a' 00 FF C0");
    const auto publish = decode_publish(v3, only_packet(bytes));
    ASSERT_TRUE(publish);
    EXPECT_EQ(publish->payload, std::string_view("\0\xFF\xC0", 3));
}

TEST(DecodeAck, packet_id_0_and_foreign_reasons_are_refused) {
    EXPECT_EQ(refusal(v3, "40 02 00 00"), protocol_error);
    EXPECT_EQ(refusal(v5, "40 03 00 01 92"), malformed_packet);
    EXPECT_EQ(refusal(v5, "62 03 00 01 87"), malformed_packet);
    EXPECT_EQ(refusal(v3, "40 03 00 01 00"), malformed_packet);
}

TEST(DecodeSubscribe, no_filter_is_refused) {
    EXPECT_EQ(refusal(v3, "82 02 00 0A"), protocol_error);
    EXPECT_EQ(refusal(v5, "82 03 00 0A 00"), protocol_error);
    EXPECT_EQ(refusal(v3, "A2 02 00 0A"), protocol_error);
}

TEST(DecodeSubscribe, reserved_option_bits_and_qos_3_are_refused) {
    EXPECT_EQ(refusal(v3, "82 06 00 0A 00 01 'a' 03"), protocol_error);
    EXPECT_EQ(refusal(v3, "82 06 00 0A 00 01 'a' 04"), malformed_packet);
    EXPECT_EQ(refusal(v5, "82 07 00 0A 00 00 01 'a' 40"), malformed_packet);
    EXPECT_EQ(refusal(v5, "82 07 00 0A 00 00 01 'a' 30"), protocol_error);
}

TEST(DecodeSubscribe, no_local_on_a_shared_subscription_is_refused) {
    EXPECT_EQ(refusal(v5, "82 10 00 0A 00 00 0A '$share/g/a' 04"), protocol_error);
}

TEST(DecodeSubscribe, a_subscription_identifier_of_0_or_given_twice_is_refused) {
    EXPECT_EQ(refusal(v5, "82 09 00 0A 02 0B 00 00 01 'a' 00"), protocol_error);
    EXPECT_EQ(refusal(v5, "82 0B 00 0A 04 0B 01 0B 02 00 01 'a' 00"), protocol_error);
}

TEST(DecodeSubscribe, packet_id_0_is_refused) {
    EXPECT_EQ(refusal(v3, "82 06 00 00 00 01 'a' 00"), protocol_error);
}

TEST(DecodeAuth, the_type_is_reserved_in_3_1_1) {
    EXPECT_EQ(refusal(v3, "F0 00"), malformed_packet);
}

TEST(DecodeDisconnect, a_body_is_refused_in_3_1_1) {
    EXPECT_EQ(refusal(v3, "E0 01 00"), malformed_packet);
}

TEST(Properties, an_unknown_identifier_is_refused) {
    EXPECT_EQ(refusal(v5, "E0 04 00 02 7E 00"), malformed_packet);
}

TEST(Properties, one_that_is_given_twice_is_refused) {
    EXPECT_EQ(refusal(v5, "E0 0C 00 0A 11 00 00 00 01 11 00 00 00 01"), protocol_error);
}

TEST(Properties, one_of_another_packet_is_refused) {
    EXPECT_EQ(refusal(v5, "E0 05 00 03 21 00 01"), protocol_error);
}

TEST(Properties, values_out_of_range_are_refused) {
    EXPECT_EQ(refusal(v5, "20 06 00 00 03 21 00 00"), protocol_error);        // Receive Maximum 0
    EXPECT_EQ(refusal(v5, "20 08 00 00 05 27 00 00 00 00"), protocol_error);  // Maximum Packet Size 0
    EXPECT_EQ(refusal(v5, "20 05 00 00 02 24 02"), protocol_error);           // Maximum QoS 2
    EXPECT_EQ(refusal(v5, "20 05 00 00 02 25 02"), protocol_error);           // Retain Available 2
}

TEST(Properties, a_block_longer_than_the_packet_is_refused) {
    EXPECT_EQ(refusal(v5, "20 03 00 00 01"), malformed_packet);
    EXPECT_EQ(refusal(v5, "20 07 00 00 05 27 00 00 10"), malformed_packet);
}

TEST(Properties, a_property_cut_by_the_end_of_its_block_is_refused) {
    EXPECT_EQ(refusal(v5, "30 08 00 01 'a' 02 02 00 00 00"), malformed_packet);
}

TEST(Properties, user_properties_keep_their_order) {
    std::string block;
    PropertyWriter(block).user("b", "1").number(PropertyId::message_expiry, 7).user("a", "2").user("b", "3");
    const auto properties = Properties::validate(PropertyPlace::publish, block);
    ASSERT_TRUE(properties);
    std::string seen;
    for (const Property& property : *properties) {
        if (property.id == PropertyId::user_property) {
            seen.append(property.text).append(property.value);
        }
    }
    EXPECT_EQ(seen, "b1a2b3");
    EXPECT_EQ(properties->number(PropertyId::message_expiry), 7U);
    EXPECT_EQ(properties->text(PropertyId::content_type), std::nullopt);
}

TEST(ReasonCodes, every_refusal_has_a_3_1_1_connack_code) {
    EXPECT_EQ(v3_connack_code(success), 0);
    EXPECT_EQ(v3_connack_code(unsupported_protocol_version), 1);
    EXPECT_EQ(v3_connack_code(client_identifier_not_valid), 2);
    EXPECT_EQ(v3_connack_code(server_busy), 3);
    EXPECT_EQ(v3_connack_code(bad_user_name_or_password), 4);
    EXPECT_EQ(v3_connack_code(not_authorized), 5);
    for (std::uint8_t code = 0; code <= 5; ++code) {
        EXPECT_EQ(v3_connack_code(reason_of_v3_connack(code)), code);
    }
}

}  // namespace
}  // namespace muster::mqtt
