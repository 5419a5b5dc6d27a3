#pragma once

#include <cstdint>
#include <string_view>

namespace muster {

/// MurmurHash2, 32 bit, seed 0x9747b28c, exactly as org.apache.kafka.common.utils.Utils.murmur2.
[[nodiscard]] std::uint32_t murmur2(std::string_view bytes);

}  // namespace muster
