#include "websocket/frame.h"

#include <cstring>

namespace muster::websocket {
namespace {

constexpr unsigned final_bit = 0x80;
constexpr unsigned reserved_bits = 0x70;
constexpr unsigned opcode_bits = 0x0F;
constexpr unsigned mask_bit = 0x80;
constexpr unsigned length_bits = 0x7F;
constexpr unsigned length_16 = 126;
constexpr unsigned length_64 = 127;
constexpr std::uint64_t longest_16 = 0xFFFF;

unsigned byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]);
}

std::size_t extended_length_bytes(unsigned length) {
    return length == length_16 ? 2 : length == length_64 ? 8 : 0;
}

bool is_known(unsigned opcode) {
    return opcode <= 2 || (opcode >= 8 && opcode <= 10);
}

void append_number(std::uint64_t value, std::size_t bytes, std::string& out) {
    for (std::size_t i = bytes; i-- > 0;) {
        out.push_back(static_cast<char>((value >> (8 * i)) & 0xFFU));
    }
}

}  // namespace

std::size_t frame_header_bytes(std::string_view start) {
    if (start.size() < 2) {
        return 2;
    }
    const unsigned second = byte_at(start, 1);
    return 2 + extended_length_bytes(second & length_bits) + ((second & mask_bit) != 0 ? 4 : 0);
}

FrameHeader parse_frame_header(std::string_view bytes) {
    const unsigned first = byte_at(bytes, 0);
    const unsigned length = byte_at(bytes, 1) & length_bits;
    const std::size_t extended = extended_length_bytes(length);
    FrameHeader header;
    header.opcode = static_cast<Opcode>(first & opcode_bits);
    header.is_final = (first & final_bit) != 0;
    header.is_masked = (byte_at(bytes, 1) & mask_bit) != 0;
    header.payload_bytes = extended == 0 ? length : 0;
    for (std::size_t i = 0; i < extended; ++i) {
        header.payload_bytes = (header.payload_bytes << 8U) | byte_at(bytes, 2 + i);
    }
    const bool is_shortest = extended == 0 || (extended == 2 && header.payload_bytes >= length_16) ||
                             (header.payload_bytes > longest_16 && (header.payload_bytes >> 63U) == 0);
    header.is_well_formed = (first & reserved_bits) == 0 && is_known(first & opcode_bits) && is_shortest &&
                            (!header.is_control() || (header.is_final && extended == 0));
    if (header.is_masked) {
        std::memcpy(header.mask.data(), bytes.data() + 2 + extended, header.mask.size());
    }
    return header;
}

void write_frame(Opcode opcode, std::string_view payload, std::string& out) {
    out.push_back(static_cast<char>(final_bit | static_cast<unsigned>(opcode)));
    if (payload.size() < length_16) {
        out.push_back(static_cast<char>(payload.size()));
    } else if (payload.size() <= longest_16) {
        out.push_back(static_cast<char>(length_16));
        append_number(payload.size(), 2, out);
    } else {
        out.push_back(static_cast<char>(length_64));
        append_number(payload.size(), 8, out);
    }
    out.append(payload);
}

void write_close(CloseCode code, std::string& out) {
    std::string payload;
    append_number(static_cast<std::uint64_t>(code), 2, payload);
    write_frame(Opcode::close, payload, out);
}

void apply_mask(std::span<char> bytes, const std::array<char, 4>& mask, std::uint64_t at) {
    std::array<char, 8> twice{};
    for (std::size_t i = 0; i < twice.size(); ++i) {
        twice[i] = mask[(at + i) % mask.size()];
    }
    std::uint64_t wide_mask = 0;
    std::memcpy(&wide_mask, twice.data(), sizeof(wide_mask));
    std::size_t i = 0;
    for (; i + sizeof(wide_mask) <= bytes.size(); i += sizeof(wide_mask)) {
        std::uint64_t word = 0;
        std::memcpy(&word, &bytes[i], sizeof(word));
        word ^= wide_mask;
        std::memcpy(&bytes[i], &word, sizeof(word));
    }
    for (; i < bytes.size(); ++i) {
        bytes[i] = static_cast<char>(bytes[i] ^ twice[i % twice.size()]);
    }
}

}  // namespace muster::websocket
