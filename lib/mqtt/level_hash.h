#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace muster::mqtt {

/// Folded 64 x 64 multiplication, the mixing step of wyhash (Wang Yi, 2019).
[[nodiscard]] inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

/// Keyed hash of one topic level, for tables in memory only: with a secret seed outsiders cannot choose colliding
/// levels.
[[nodiscard]] inline std::uint64_t hash_level(std::string_view level, std::uint64_t seed) {
    constexpr std::uint64_t k1 = 0xA076'1D64'78BD'642F;
    constexpr std::uint64_t k2 = 0xE703'7ED1'A0B4'28DB;
    std::uint64_t hash = fold_multiply(seed ^ k1, level.size() ^ k2);
    std::uint64_t words[2];
    while (level.size() > sizeof(words)) {
        std::memcpy(words, level.data(), sizeof(words));
        hash = fold_multiply(words[0] ^ k1 ^ seed, words[1] ^ hash);
        level.remove_prefix(sizeof(words));
    }
    words[0] = words[1] = 0;
    if (!level.empty()) {
        std::memcpy(words, level.data(), level.size());
    }
    hash = fold_multiply(words[0] ^ k1 ^ seed, words[1] ^ hash);
    return fold_multiply(hash ^ k2, seed ^ k1);
}

}  // namespace muster::mqtt
