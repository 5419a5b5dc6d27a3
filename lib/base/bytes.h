#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace muster {

// Muster's own formats (bus headers, snapshots, stored rows) are little-endian; MQTT is big-endian and has its own
// codec.

/// Appends fixed-width little-endian numbers and length-prefixed strings to a string it does not own.
class ByteWriter {
 public:
    explicit ByteWriter(std::string& out) : out_(out) {}

    template <std::integral T>
    void number(T value) {
        char raw[sizeof(T)];
        std::memcpy(raw, &value, sizeof(T));
        out_.append(raw, sizeof(T));
    }
    void real(double value) {
        std::uint64_t bits = 0;
        std::memcpy(&bits, &value, sizeof(bits));
        number(bits);
    }
    void raw(std::string_view bytes) { out_.append(bytes); }
    /// u32 length, then the bytes.
    void text(std::string_view bytes) {
        number(static_cast<std::uint32_t>(bytes.size()));
        out_.append(bytes);
    }

 private:
    std::string& out_;
};

/// Reads what ByteWriter wrote from bytes that may be wrong: after the first short read `ok()` is false and every
/// further read gives zero or an empty view, so that a decoder checks once at its end.
class ByteReader {
 public:
    explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

    template <std::integral T>
    [[nodiscard]] T number() {
        T value{};
        if (!take_ok(sizeof(T))) {
            return value;
        }
        std::memcpy(&value, bytes_.data() - sizeof(T), sizeof(T));
        return value;
    }
    [[nodiscard]] double real() {
        const auto bits = number<std::uint64_t>();
        double value = 0;
        std::memcpy(&value, &bits, sizeof(value));
        return value;
    }
    [[nodiscard]] std::string_view raw(std::size_t size) {
        return take_ok(size) ? std::string_view(bytes_.data() - size, size) : std::string_view{};
    }
    [[nodiscard]] std::string_view text() { return raw(number<std::uint32_t>()); }
    [[nodiscard]] std::string_view rest() { return raw(bytes_.size()); }

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool at_end() const { return bytes_.empty(); }
    [[nodiscard]] std::size_t remaining() const { return bytes_.size(); }

 private:
    bool take_ok(std::size_t size) {
        if (!ok_ || bytes_.size() < size) {
            ok_ = false;
            bytes_ = {};
            return false;
        }
        bytes_.remove_prefix(size);
        return true;
    }

    std::string_view bytes_;
    bool ok_ = true;
};

}  // namespace muster
