#include "base/crc32c.h"

#include <array>
#include <cstring>

namespace muster {
namespace {

constexpr std::uint32_t polynomial_reversed = 0x82f63b78U;

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
        std::uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value >> 1U) ^ ((value & 1U) != 0 ? polynomial_reversed : 0U);
        }
        table[byte] = value;
    }
    return table;
}

std::uint32_t extend_by_table(std::uint32_t state, std::string_view bytes) {
    static constexpr auto table = make_table();
    for (const char byte : bytes) {
        state = table[(state ^ static_cast<std::uint8_t>(byte)) & 0xffU] ^ (state >> 8U);
    }
    return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t extend_by_instruction(std::uint32_t state, std::string_view bytes) {
    std::uint64_t wide = state;
    while (bytes.size() >= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data(), sizeof(word));
        wide = __builtin_ia32_crc32di(wide, word);
        bytes.remove_prefix(sizeof(word));
    }
    auto narrow = static_cast<std::uint32_t>(wide);
    for (const char byte : bytes) {
        narrow = __builtin_ia32_crc32qi(narrow, static_cast<std::uint8_t>(byte));
    }
    return narrow;
}

std::uint32_t extend(std::uint32_t state, std::string_view bytes) {
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    return has_instruction ? extend_by_instruction(state, bytes) : extend_by_table(state, bytes);
}
#else
std::uint32_t extend(std::uint32_t state, std::string_view bytes) {
    return extend_by_table(state, bytes);
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
    return ~extend(~before, bytes);
}

}  // namespace muster
