#include "history/chunk_key.h"

namespace muster {
namespace {

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint8_t>(bytes[at]);
}

/// What stands after the device and its zero; empty when there is no zero, or it is not so long.
std::string_view after_device(std::string_view bytes, std::size_t size) {
    const std::size_t zero = bytes.find('\0');
    return zero == std::string_view::npos || zero == 0 || bytes.size() != zero + 1 + size ? std::string_view{}
                                                                                          : bytes.substr(zero + 1);
}

}  // namespace

std::string device_prefix(std::string_view device) {
    std::string prefix(device);
    prefix.push_back('\0');
    return prefix;
}

std::string chunk_key(const ChunkKey& key) {
    std::string bytes = device_prefix(key.device);
    bytes.push_back(static_cast<char>(key.hour));
    bytes.push_back(static_cast<char>(key.part >> 8U));
    bytes.push_back(static_cast<char>(key.part & 0xffU));
    return bytes;
}

std::optional<ChunkKey> parse_chunk_key(std::string_view bytes) {
    constexpr std::size_t size = 3;
    const std::string_view rest = after_device(bytes, size);
    if (rest.empty() || byte_at(rest, 0) >= 24) {
        return std::nullopt;
    }
    return ChunkKey{bytes.substr(0, bytes.size() - size - 1), byte_at(rest, 0),
                    static_cast<std::uint16_t>((byte_at(rest, 1) << 8U) | byte_at(rest, 2))};
}

std::string rollup_key(const RollupKey& key) {
    std::string bytes = device_prefix(key.device);
    const auto day = static_cast<std::uint32_t>(key.day);
    for (const unsigned shift : {24U, 16U, 8U, 0U}) {
        bytes.push_back(static_cast<char>((day >> shift) & 0xffU));
    }
    return bytes;
}

std::optional<RollupKey> parse_rollup_key(std::string_view bytes) {
    constexpr std::size_t size = 4;
    const std::string_view rest = after_device(bytes, size);
    if (rest.empty()) {
        return std::nullopt;
    }
    std::uint32_t day = 0;
    for (std::size_t i = 0; i < size; ++i) {
        day = (day << 8U) | byte_at(rest, i);
    }
    return RollupKey{bytes.substr(0, bytes.size() - size - 1), static_cast<std::int32_t>(day)};
}

}  // namespace muster
