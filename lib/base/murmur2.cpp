#include "base/murmur2.h"

#include <cstring>

namespace muster {

std::uint32_t murmur2(std::string_view bytes) {
    constexpr std::uint32_t multiplier = 0x5bd1e995;
    constexpr std::uint32_t seed = 0x9747b28c;
    std::uint32_t hash = seed ^ static_cast<std::uint32_t>(bytes.size());
    while (bytes.size() >= 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, bytes.data(), 4);
        word *= multiplier;
        word ^= word >> 24U;
        word *= multiplier;
        hash *= multiplier;
        hash ^= word;
        bytes.remove_prefix(4);
    }
    if (!bytes.empty()) {
        for (std::size_t i = bytes.size(); i-- > 0;) {
            hash ^= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8U * i);
        }
        hash *= multiplier;
    }
    hash ^= hash >> 13U;
    hash *= multiplier;
    hash ^= hash >> 15U;
    return hash;
}

}  // namespace muster
