#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster::websocket {

/// What a server serves over WebSocket; shared by all streams of a listener, outlives them.
struct ServerRules {
    std::string path = "/mqtt";
    std::string protocol = "mqtt";  ///< the sub-protocol that a client must offer
    /// The SHA-1 of the bytes, in base64.
    std::string (*sha1_base64)(std::string_view bytes) = nullptr;
    std::size_t request_bytes_max = 8UL * 1024;          ///< of the HTTP request
    std::size_t message_bytes_max = 16UL * 1024 * 1024;  ///< of one message, in one or more frames
    std::size_t unsent_answers_bytes_max = 1024;         ///< over it a ping is not answered (RFC 6455 5.5.3)
};

/// What became of a request to upgrade.
struct Upgrade {
    enum class Status : std::uint8_t { incomplete, accepted, refused };
    Status status = Status::incomplete;
    std::size_t request_bytes = 0;  ///< when accepted: what follows belongs to the first frame
    std::string answer;             ///< the HTTP response, when accepted or refused
};

/// Reads the HTTP request that has come so far. A bad one is refused with the status that HTTP has for it: 400, 404
/// (path), 405 (method), 426 (no upgrade, or another version than 13), 431 (too long), 505.
[[nodiscard]] Upgrade read_upgrade(std::string_view request, const ServerRules& rules);

}  // namespace muster::websocket
