#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mqtt/packets.h"

namespace muster::mqtt {

/// The largest packet that a four-byte remaining length can announce, with its fixed header.
inline constexpr std::size_t packet_bytes_ceiling = 268'435'455 + 5;

/// One whole packet on the wire: its fixed header taken apart, its body not yet looked at. A view.
struct PacketView {
    PacketType type{};
    std::uint8_t flags = 0;  ///< lower half of the first byte, already checked for the type
    std::string_view body;   ///< variable header and payload
};

/// What stands at the front of a buffer.
struct Frame {
    enum class Status : std::uint8_t { need_more, packet, error };
    Status status = Status::need_more;
    PacketView packet;      ///< status packet
    std::size_t size = 0;   ///< of the whole packet, fixed header included; 0 while it is not known
    ProtocolError error{};  ///< status error: malformed_packet, or packet_too_large
};

/// Looks at the front of `buffer`. A wrong first byte, a fifth length byte and a packet over `packet_bytes_max` are
/// refused as soon as they can be seen, before the rest has arrived.
[[nodiscard]] Frame next_packet(std::string_view buffer, std::size_t packet_bytes_max);

/// Decodes any packet with all the checks of the specification that concern one packet by itself. `version` is ignored
/// for CONNECT, which carries its own. Views of the result point into the packet's body.
[[nodiscard]] Decoded<Packet> decode(ProtocolVersion version, const PacketView& packet);

// The same by type: `packet.type` must be the one asked for.
[[nodiscard]] Decoded<Connect> decode_connect(const PacketView& packet);
[[nodiscard]] Decoded<Connack> decode_connack(ProtocolVersion version, const PacketView& packet);
[[nodiscard]] Decoded<Publish> decode_publish(ProtocolVersion version, const PacketView& packet);
[[nodiscard]] Decoded<Ack> decode_ack(ProtocolVersion version, const PacketView& packet);
[[nodiscard]] Decoded<Subscribe> decode_subscribe(ProtocolVersion version, const PacketView& packet);
[[nodiscard]] Decoded<Suback> decode_suback(ProtocolVersion version, const PacketView& packet);
[[nodiscard]] Decoded<Unsubscribe> decode_unsubscribe(ProtocolVersion version, const PacketView& packet);
[[nodiscard]] Decoded<Unsuback> decode_unsuback(ProtocolVersion version, const PacketView& packet);
[[nodiscard]] Decoded<Disconnect> decode_disconnect(ProtocolVersion version, const PacketView& packet);
[[nodiscard]] Decoded<Auth> decode_auth(ProtocolVersion version, const PacketView& packet);

}  // namespace muster::mqtt
