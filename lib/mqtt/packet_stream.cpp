#include "mqtt/packet_stream.h"

#include <algorithm>

namespace muster::mqtt {

namespace {

/// Hands out whole packets; what is left at the end begins an incomplete packet, or follows a stop.
Decoded<void> hand_out(std::string_view& bytes, std::size_t packet_bytes_max,
                       FunctionRef<bool(const PacketView&)> on_packet, bool& stopped) {
    while (!stopped) {
        const Frame frame = next_packet(bytes, packet_bytes_max);
        if (frame.status == Frame::Status::error) {
            return tl::unexpected(frame.error);
        }
        if (frame.status == Frame::Status::need_more) {
            break;
        }
        bytes.remove_prefix(frame.size);
        stopped = !on_packet(frame.packet);
    }
    return {};
}

}  // namespace

Decoded<void> PacketStream::feed(std::string_view bytes, std::size_t packet_bytes_max,
                                 FunctionRef<bool(const PacketView&)> on_packet) {
    bool stopped = false;
    // First what was kept: it gets just the bytes that complete its packet, so that all others are handled in place.
    while (pending_ && !stopped) {
        const Frame frame = next_packet(*pending_, packet_bytes_max);
        if (frame.status == Frame::Status::error) {
            return tl::unexpected(frame.error);
        }
        if (frame.status == Frame::Status::need_more) {
            if (bytes.empty()) {
                return {};
            }
            const std::size_t missing = frame.size == 0 ? 1 : frame.size - pending_->size();
            pending_->append(bytes.substr(0, missing));
            bytes.remove_prefix(std::min(missing, bytes.size()));
            continue;
        }
        const std::unique_ptr<std::string> kept = std::move(pending_);
        std::string_view rest = *kept;
        if (auto fine = hand_out(rest, packet_bytes_max, on_packet, stopped); !fine) {
            return fine;
        }
        keep(rest);
    }
    if (!pending_) {
        if (auto fine = hand_out(bytes, packet_bytes_max, on_packet, stopped); !fine) {
            return fine;
        }
    }
    keep(bytes);
    return {};
}

void PacketStream::keep(std::string_view bytes) {
    if (bytes.empty()) {
        return;
    }
    if (!pending_) {
        pending_ = std::make_unique<std::string>();
    }
    pending_->append(bytes);
}

}  // namespace muster::mqtt
