#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

/// Small numbers of either sign become small numbers: 0, -1, 1, -2, ... → 0, 1, 2, 3, ...
[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63U);
}
[[nodiscard]] constexpr std::int64_t unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1U) ^ -static_cast<std::int64_t>(value & 1U);
}

/// Seven bits a byte, the lowest first; all bytes but the last have their top bit set.
inline void write_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) {
        out.push_back(static_cast<char>(value | 0x80U));
    }
    out.push_back(static_cast<char>(value));
}

inline void write_text(std::string& out, std::string_view text) {
    out.push_back(static_cast<char>(text.size()));
    out.append(text);
}

/// Reads varints and short texts from bytes that may be wrong: after the first short read ok() is false and everything
/// is zero or empty.
class VarintReader final {
 public:
    explicit VarintReader(std::string_view bytes) : bytes_(bytes) {}

    [[nodiscard]] std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned i = 0, shift = 0; i < bytes_.size() && shift < 64; ++i, shift += 7) {
            const auto byte = static_cast<std::uint8_t>(bytes_[i]);
            value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
            if (byte < 0x80) {
                bytes_.remove_prefix(i + 1);
                return value;
            }
        }
        return give_up();
    }
    [[nodiscard]] std::int64_t signed_varint() { return unzigzag(varint()); }
    [[nodiscard]] std::uint8_t byte() {
        const std::string_view one = raw(1);
        return one.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(one.front());
    }
    [[nodiscard]] std::string_view raw(std::uint64_t size) {
        if (size > bytes_.size()) {
            give_up();
            return {};
        }
        const std::string_view taken = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return taken;
    }
    [[nodiscard]] std::string_view text() { return raw(byte()); }

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool at_end() const { return bytes_.empty(); }
    [[nodiscard]] std::string_view rest() const { return bytes_; }

 private:
    std::uint64_t give_up() {
        ok_ = false;
        bytes_ = {};
        return 0;
    }

    std::string_view bytes_;
    bool ok_ = true;
};

}  // namespace muster
