#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/time.h"
#include "mqtt/message.h"
#include "mqtt/packets.h"

namespace muster::mqtt {

/// A client's will from CONNECT until it is published or discarded, in one block of heap: nearly every device has one,
/// and nearly none is ever published. Owned by its session, on that one's thread.
class PackedWill final {
 public:
    PackedWill() = default;  ///< there is none
    explicit PackedWill(const Will& will);

    explicit operator bool() const { return block_ != nullptr; }
    void reset() { block_.reset(); }
    /// v5 Will Delay; 0 without one.
    [[nodiscard]] std::uint32_t delay_s() const;
    /// There is one. It is published now: its message expiry begins.
    [[nodiscard]] MessagePtr published_at(Millis now, std::uint64_t publisher) const;

    /// As it stands in memory, to be stored; empty without one.
    [[nodiscard]] std::string_view bytes() const;
    /// Of bytes(), from outside. Empty: they do not follow the layout.
    [[nodiscard]] static std::optional<PackedWill> parse(std::string_view bytes);

 private:
    std::unique_ptr<char[]> block_;
};

}  // namespace muster::mqtt
