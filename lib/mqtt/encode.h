#pragma once

#include <cstddef>
#include <string>

#include "mqtt/packets.h"

namespace muster::mqtt {

// Each appends one whole packet to `out`, straight into the caller's output buffer. What is given must be valid:
// strings of at most 65,535 bytes, packet ids that are not 0, a total below packet_bytes_ceiling; a breach is a bug and
// asserted. Towards 3.1.1 properties and reason codes that it does not know are left out, or mapped.
void encode(const Connect& connect, std::string& out);
void encode(ProtocolVersion version, const Connack& connack, std::string& out);
void encode(ProtocolVersion version, const Publish& publish, std::string& out);
void encode(ProtocolVersion version, const Ack& ack, std::string& out);
void encode(ProtocolVersion version, const Subscribe& subscribe, std::string& out);
void encode(ProtocolVersion version, const Suback& suback, std::string& out);
void encode(ProtocolVersion version, const Unsubscribe& unsubscribe, std::string& out);
void encode(ProtocolVersion version, const Unsuback& unsuback, std::string& out);
void encode(ProtocolVersion version, const Disconnect& disconnect, std::string& out);
/// v5 only.
void encode(ProtocolVersion version, const Auth& auth, std::string& out);
void encode(ProtocolVersion version, const Pingreq& pingreq, std::string& out);
void encode(ProtocolVersion version, const Pingresp& pingresp, std::string& out);
void encode(ProtocolVersion version, const Packet& packet, std::string& out);

// Bytes that encode() would append: to be held against the peer's Maximum Packet Size before sending.
[[nodiscard]] std::size_t encoded_size(ProtocolVersion version, const Connack& connack);
[[nodiscard]] std::size_t encoded_size(ProtocolVersion version, const Publish& publish);

/// Sets or clears the DUP flag of a PUBLISH that was encoded earlier.
void set_duplicate(std::string& encoded_publish, bool duplicate);

}  // namespace muster::mqtt
