#include "gateway/session_key.h"

#include <cstring>

#include "base/assert.h"

namespace muster {

SessionKey::SessionKey(std::string_view key) {
    if (key.size() <= inline_bytes) {
        std::memcpy(place_.data(), key.data(), key.size());
        place_.back() = static_cast<char>(key.size());
        return;
    }
    static_assert(offsetof(Block, size) + sizeof(Block::size) <= inline_bytes);
    MUSTER_ASSERT(key.size() <= UINT32_MAX);
    auto* const bytes = new char[key.size()];
    std::memcpy(bytes, key.data(), key.size());
    const Block block{.bytes = bytes, .size = static_cast<std::uint32_t>(key.size())};
    std::memcpy(place_.data(), &block, offsetof(Block, size) + sizeof(block.size));
    place_.back() = is_long;
}

SessionKey::~SessionKey() {
    if (place_.back() == is_long) {
        delete[] block().bytes;
    }
}

SessionKey::Block SessionKey::block() const {
    Block block{};
    std::memcpy(&block, place_.data(), offsetof(Block, size) + sizeof(block.size));
    return block;
}

std::string_view SessionKey::operator*() const {
    if (place_.back() != is_long) {
        return {place_.data(), static_cast<std::size_t>(place_.back())};
    }
    const Block outside = block();
    return {outside.bytes, outside.size};
}

}  // namespace muster
