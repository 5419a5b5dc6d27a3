#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "base/result.h"

namespace muster {

// Every stored value of the history begins with
//   0 u8 version | 1 u32 CRC-32C of everything from byte 5 on

inline constexpr std::size_t seal_bytes = 5;

/// Leaves room at the beginning of `out`, which is replaced, for close_seal().
inline void begin_seal(std::string& out, std::uint8_t version) {
    out.assign(seal_bytes, '\0');
    out[0] = static_cast<char>(version);
}

inline void close_seal(std::string& out) {
    const std::uint32_t sum = crc32c(std::string_view(out).substr(seal_bytes));
    std::memcpy(out.data() + 1, &sum, sizeof(sum));
}

/// What stands after the seal. corrupt: the checksum is wrong; malformed: shorter, or of another version.
[[nodiscard]] inline Result<std::string_view> open_seal(std::string_view bytes, std::uint8_t version) {
    if (bytes.size() < seal_bytes || static_cast<std::uint8_t>(bytes[0]) != version) {
        return fail(ErrorCode::malformed, "history value of an unknown version");
    }
    std::uint32_t sum = 0;
    std::memcpy(&sum, bytes.data() + 1, sizeof(sum));
    if (crc32c(bytes.substr(seal_bytes)) != sum) {
        return fail(ErrorCode::corrupt, "history value with a wrong checksum");
    }
    return bytes.substr(seal_bytes);
}

}  // namespace muster
