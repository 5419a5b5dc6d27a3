#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace muster {

/// Appends bits to a string it does not own, the lowest first; finish() fills the last byte with zeros.
class BitWriter final {
 public:
    explicit BitWriter(std::string& out) : out_(out) {}

    /// The lowest `count` bits of `value`, the others of which are zero; at most 64.
    void bits(std::uint64_t value, unsigned count) {
        window_ |= value << filled_;
        if (filled_ + count < 64) {
            filled_ += count;
            return;
        }
        char raw[sizeof(window_)];
        std::memcpy(raw, &window_, sizeof(window_));
        out_.append(raw, sizeof(raw));
        const unsigned written = 64 - filled_;
        window_ = written < 64 ? value >> written : 0;
        filled_ = count - written;
    }
    void finish() {
        for (; filled_ > 0; filled_ -= std::min(filled_, 8U)) {
            out_.push_back(static_cast<char>(window_));
            window_ >>= 8U;
        }
    }

 private:
    std::string& out_;
    std::uint64_t window_ = 0;
    unsigned filled_ = 0;  ///< under 64
};

/// Reads what BitWriter wrote from bytes that may be wrong: after the first short read ok() is false and everything is
/// zero.
class BitReader final {
 public:
    explicit BitReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    /// `count` at most 64.
    [[nodiscard]] std::uint64_t bits(unsigned count) {
        if (count > 32) {
            const std::uint64_t low = bits(32);
            return low | (bits(count - 32) << 32U);
        }
        if (count > available_ && !refill(count)) {
            return 0;
        }
        const std::uint64_t value = window_ & ((std::uint64_t{1} << count) - 1);
        consume(count);
        return value;
    }
    /// The zeros before the next one, which is taken too; `limit` (at most 32) zeros are taken without a one.
    [[nodiscard]] unsigned zeros(unsigned limit) {
        refill(0);
        const unsigned found = window_ == 0 ? 64 : static_cast<unsigned>(std::countr_zero(window_));
        const unsigned used = found < limit ? found + 1 : limit;
        if (used > available_) {
            ok_ = false;
            return 0;
        }
        consume(used);
        return std::min(found, limit);
    }

    [[nodiscard]] bool ok() const { return ok_; }

 private:
    bool refill(unsigned needed) {
        if (end_ - at_ >= static_cast<std::ptrdiff_t>(sizeof(std::uint64_t))) {
            std::uint64_t load = 0;
            std::memcpy(&load, at_, sizeof(load));
            window_ |= load << available_;
            at_ += (63 - available_) / 8;
            available_ |= 56U;
        } else {
            for (; available_ <= 56 && at_ != end_; available_ += 8) {
                window_ |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(*at_++)) << available_;
            }
        }
        ok_ = ok_ && available_ >= needed;
        return ok_;
    }
    void consume(unsigned count) {
        window_ >>= count;
        available_ -= count;
    }

    const char* at_;
    const char* end_;
    std::uint64_t window_ = 0;
    unsigned available_ = 0;  ///< bits of the window that are of the stream; under 64
    bool ok_ = true;
};

}  // namespace muster
