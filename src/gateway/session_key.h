#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace muster {

/// The key of a session in 16 bytes: up to 15 bytes in place, a longer one in a block of its own. Never changes and is
/// never copied. Owned by its Session.
class SessionKey final {
 public:
    static constexpr std::size_t inline_bytes = 15;

    explicit SessionKey(std::string_view key);
    ~SessionKey();
    SessionKey(const SessionKey&) = delete;
    SessionKey& operator=(const SessionKey&) = delete;

    [[nodiscard]] std::string_view operator*() const;

 private:
    // In place: the key, then its size in the last byte. Else: where the block is and how large, then `is_long`.
    static constexpr char is_long = '\xFF';
    struct Block {
        const char* bytes;
        std::uint32_t size;
    };
    [[nodiscard]] Block block() const;

    std::array<char, inline_bytes + 1> place_{};
};

}  // namespace muster
