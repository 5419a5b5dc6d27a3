#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace muster::websocket {

// Layout (numbers are big-endian):
//   FIN 1 bit, reserved 3, opcode 4 | MASK 1 bit, length 7 | length 126: u16, 127: u64 | mask 4 if MASK | payload

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// Status codes of a close frame (RFC 6455 7.4.1).
enum class CloseCode : std::uint16_t {
    normal = 1000,
    going_away = 1001,
    protocol_error = 1002,
    unsupported_data = 1003,
    message_too_big = 1009,
};

inline constexpr std::size_t control_bytes_max = 125;
inline constexpr std::size_t frame_header_bytes_max = 14;

/// The beginning of a client's frame.
struct FrameHeader {
    Opcode opcode = Opcode::continuation;
    bool is_final = false;
    bool is_masked = false;
    bool is_well_formed = false;  ///< no reserved bit or opcode, the length in its shortest form, control frames whole
    std::uint64_t payload_bytes = 0;
    std::array<char, 4> mask{};

    [[nodiscard]] bool is_control() const { return static_cast<std::uint8_t>(opcode) >= 8; }
};

/// How many bytes the header has that begins like this; more than `start` has when it is not yet whole.
[[nodiscard]] std::size_t frame_header_bytes(std::string_view start);
/// `bytes`: exactly as many as frame_header_bytes() said.
[[nodiscard]] FrameHeader parse_frame_header(std::string_view bytes);

/// Appends a whole server's frame: unmasked.
void write_frame(Opcode opcode, std::string_view payload, std::string& out);
void write_close(CloseCode code, std::string& out);

/// Masks or unmasks: the same. `at`: how many bytes of the payload came before.
void apply_mask(std::span<char> bytes, const std::array<char, 4>& mask, std::uint64_t at);

}  // namespace muster::websocket
