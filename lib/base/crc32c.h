#pragma once

#include <cstdint>
#include <string_view>

namespace muster {

/// CRC-32C (Castagnoli), as in RFC 3720: the checksum of Muster's stored formats. Uses the processor's instruction
/// where there is one. `before`: the checksum of the bytes that come first, to go on from there.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

}  // namespace muster
