// Input: one byte (bit 0: 5.0 instead of 3.1.1), then packets one after the other. What decodes must encode to the
// bytes it came from, apart from trailing parts that the specification allows to leave out; those must be stable the
// second time.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"
#include "mqtt/topic.h"

using namespace muster::mqtt;

namespace {

bool has_optional_tail(PacketType type) {
    return (type >= PacketType::puback && type <= PacketType::pubcomp) || type == PacketType::disconnect ||
           type == PacketType::auth;
}

std::string encoded(ProtocolVersion version, const Packet& packet) {
    std::string out;
    encode(version, packet, out);
    return out;
}

void check_topics(std::string_view text) {
    MUSTER_ASSERT(!is_valid_topic_name(text) || is_valid_topic_filter(text));
    if (is_valid_topic_name(text)) {
        MUSTER_ASSERT(topic_matches(text, text));
        MUSTER_ASSERT(topic_matches("#", text) == !text.starts_with('$'));
    }
}

void check_packet(ProtocolVersion version, const PacketView& view, std::string_view bytes) {
    const auto packet = decode(version, view);
    if (!packet) {
        MUSTER_ASSERT(is_error(packet.error().code) && !packet.error().text.empty());
        return;
    }
    const ProtocolVersion spoken =
        std::holds_alternative<Connect>(*packet) ? std::get<Connect>(*packet).version : version;
    const std::string again = encoded(spoken, *packet);
    if (!has_optional_tail(view.type)) {
        MUSTER_ASSERT(again == bytes);
        return;
    }
    MUSTER_ASSERT(again.size() <= bytes.size());
    const Frame frame = next_packet(again, packet_bytes_ceiling);
    MUSTER_ASSERT(frame.status == Frame::Status::packet && frame.size == again.size());
    const auto second = decode(spoken, frame.packet);
    MUSTER_ASSERT(second && encoded(spoken, *second) == again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(bytes), size);
    if (rest.empty()) {
        return 0;
    }
    const ProtocolVersion version = (rest[0] & 1) != 0 ? ProtocolVersion::v5 : ProtocolVersion::v3_1_1;
    rest.remove_prefix(1);
    check_topics(rest);
    while (true) {
        const Frame frame = next_packet(rest, packet_bytes_ceiling);
        if (frame.status != Frame::Status::packet) {
            return 0;
        }
        check_packet(version, frame.packet, rest.substr(0, frame.size));
        rest.remove_prefix(frame.size);
    }
}
