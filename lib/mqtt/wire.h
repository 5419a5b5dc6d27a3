#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "mqtt/reason_code.h"
#include "mqtt/topic.h"

namespace muster::mqtt {

// MQTT's primitive encodings: big-endian numbers, variable byte integers (7 bits a byte, least significant first, at
// most four bytes, shortest form), strings and binary data behind a two-byte length.

inline constexpr std::uint32_t varint_max = 268'435'455;
inline constexpr std::size_t text_bytes_max = 65'535;

/// Reads primitives off the front of a packet's body. The first thing wrong sticks: further reads give zero or nothing,
/// and a decoder checks once at its end.
class WireReader {
 public:
    explicit WireReader(std::string_view bytes) : rest_(bytes) {}

    [[nodiscard]] std::uint8_t byte() {
        const std::string_view raw = take(1);
        return raw.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(raw[0]);
    }
    [[nodiscard]] std::uint16_t number_16() { return static_cast<std::uint16_t>(number(2)); }
    [[nodiscard]] std::uint32_t number_32() { return number(4); }
    [[nodiscard]] std::uint32_t varint() {
        std::uint32_t value = 0;
        for (unsigned shift = 0; shift <= 21; shift += 7) {
            const std::uint8_t next = byte();
            value |= (next & 0x7FU) << shift;
            if ((next & 0x80U) == 0) {
                if (next == 0 && shift != 0) {
                    fail("a variable byte integer is longer than needed");
                }
                return value;
            }
        }
        fail("a variable byte integer has more than four bytes");
        return 0;
    }
    [[nodiscard]] std::string_view binary() { return take(number_16()); }
    [[nodiscard]] std::string_view text() {
        const std::string_view raw = binary();
        if (!is_valid_utf8(raw)) {
            fail("a string is not valid UTF-8");
        }
        return raw;
    }
    [[nodiscard]] std::string_view take(std::size_t size) {
        if (rest_.size() < size) {
            fail("a packet ends too early");
            return {};
        }
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }
    [[nodiscard]] std::string_view rest() { return take(rest_.size()); }

    void fail(std::string_view problem) {
        if (problem_.empty()) {
            problem_ = problem;
        }
        rest_ = {};
    }
    [[nodiscard]] bool ok() const { return problem_.empty(); }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] std::size_t remaining() const { return rest_.size(); }
    /// Nothing went wrong and nothing is left over.
    [[nodiscard]] Decoded<void> finish() {
        if (ok() && !at_end()) {
            fail("a packet has surplus bytes");
        }
        return ok() ? Decoded<void>{} : refuse(ReasonCode::malformed_packet, problem_);
    }

 private:
    [[nodiscard]] std::uint32_t number(std::size_t size) {
        std::uint32_t value = 0;
        for (const char c : take(size)) {
            value = (value << 8U) | static_cast<std::uint8_t>(c);
        }
        return value;
    }

    std::string_view rest_;
    std::string_view problem_;
};

inline void put_byte(std::string& out, std::uint8_t value) {
    out.push_back(static_cast<char>(value));
}

inline void put_16(std::string& out, std::size_t value) {
    const char raw[] = {static_cast<char>(value >> 8U), static_cast<char>(value)};
    out.append(raw, sizeof(raw));
}

inline void put_32(std::string& out, std::uint32_t value) {
    put_16(out, value >> 16U);
    put_16(out, value & 0xFFFFU);
}

inline void put_varint(std::string& out, std::size_t value) {
    MUSTER_ASSERT(value <= varint_max);
    for (; value >= 0x80; value >>= 7U) {
        put_byte(out, static_cast<std::uint8_t>(value | 0x80U));
    }
    put_byte(out, static_cast<std::uint8_t>(value));
}

inline void put_text(std::string& out, std::string_view text) {
    MUSTER_ASSERT(text.size() <= text_bytes_max);
    put_16(out, text.size());
    out.append(text);
}

[[nodiscard]] constexpr std::size_t varint_size(std::size_t value) {
    return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20'0000 ? 3 : 4;
}

}  // namespace muster::mqtt
