#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "mqtt/decode.h"
#include "mqtt/encode.h"

namespace muster::mqtt {

// For tests only.

/// "10 0C 'MQTT' 04": hexadecimal bytes, and text in quotes, put together.
inline std::string packet_bytes(std::string_view written) {
    std::string bytes;
    for (std::size_t at = 0; at < written.size();) {
        if (written[at] == ' ') {
            ++at;
        } else if (written[at] == '\'') {
            const std::size_t end = written.find('\'', at + 1);
            bytes.append(written.substr(at + 1, end - at - 1));
            at = end + 1;
        } else {
            bytes.push_back(static_cast<char>(std::stoi(std::string(written.substr(at, 2)), nullptr, 16)));
            at += 2;
        }
    }
    return bytes;
}

/// The one whole packet that `bytes` must be.
inline PacketView only_packet(std::string_view bytes) {
    const Frame frame = next_packet(bytes, packet_bytes_ceiling);
    EXPECT_EQ(frame.status, Frame::Status::packet) << frame.error.text;
    EXPECT_EQ(frame.size, bytes.size());
    return frame.packet;
}

template <class Body>
std::string encoded(ProtocolVersion version, const Body& body) {
    std::string out;
    encode(version, body, out);
    return out;
}

inline std::string encoded(const Connect& connect) {
    std::string out;
    encode(connect, out);
    return out;
}

}  // namespace muster::mqtt
