#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "mqtt/decode.h"

namespace muster::mqtt {

/// Cuts a byte stream into packets. Whole packets are seen in the caller's buffer; only the front part of an incomplete
/// one (or what follows a stop) is copied and kept, at most packet_bytes_max plus the bytes fed last. 8 bytes when
/// drained.
class PacketStream final {
 public:
    /// Calls `on_packet` for each whole packet until it returns false; what follows is then kept for the next call. An
    /// error is returned once the packets before it have been handed out.
    [[nodiscard]] Decoded<void> feed(std::string_view bytes, std::size_t packet_bytes_max,
                                     FunctionRef<bool(const PacketView&)> on_packet);
    /// Keeps bytes without looking at them.
    void keep(std::string_view bytes);
    void clear() { pending_.reset(); }
    [[nodiscard]] std::size_t pending_bytes() const { return pending_ ? pending_->size() : 0; }

 private:
    std::unique_ptr<std::string> pending_;
};

}  // namespace muster::mqtt
