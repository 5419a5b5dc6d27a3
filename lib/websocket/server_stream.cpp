#include "websocket/server_stream.h"

#include <algorithm>
#include <cstring>

namespace muster::websocket {
namespace {

constexpr std::size_t close_code_bytes = 2;

/// Codes that a client may put into a close frame (RFC 6455 7.4).
bool is_sendable(unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

}  // namespace

Result<std::size_t> ServerStream::receive(std::span<char> bytes, std::string& answers) {
    if (state_ != State::open && state_ != State::upgrading) {
        return fail(ErrorCode::closed, "the WebSocket is closed");
    }
    std::size_t at = 0;
    std::size_t payload = 0;
    if (request_) {
        const Result<std::size_t> taken = take_request({bytes.data(), bytes.size()}, answers);
        if (!taken) {
            return taken;
        }
        at = *taken;
    }
    while (at < bytes.size()) {
        const std::span<char> rest = bytes.subspan(at);
        const Result<Piece> piece = in_frame_ ? take_payload(rest, bytes.data() + payload, answers)
                                              : take_header({rest.data(), rest.size()}, answers);
        if (!piece && payload > 0) {
            return payload;  // what came before the end counts; the next call tells of the end
        }
        if (!piece) {
            return tl::unexpected(piece.error());
        }
        at += piece->taken;
        payload += piece->payload;
    }
    return payload;
}

Result<std::size_t> ServerStream::take_request(std::string_view bytes, std::string& answers) {
    const std::size_t before = request_->size();
    request_->append(bytes.substr(0, rules_.request_bytes_max - before));
    Upgrade upgrade = read_upgrade(*request_, rules_);
    if (upgrade.status == Upgrade::Status::incomplete) {
        return bytes.size();
    }
    request_.reset();
    answers += upgrade.answer;
    if (upgrade.status == Upgrade::Status::refused) {
        state_ = State::refused;
        return fail(ErrorCode::closed, "the WebSocket upgrade was refused");
    }
    state_ = State::open;
    return upgrade.request_bytes - before;
}

Result<ServerStream::Piece> ServerStream::take_header(std::string_view bytes, std::string& answers) {
    Piece piece;
    const auto wanted = [this] { return frame_header_bytes({header_.data(), header_bytes_}); };
    while (piece.taken < bytes.size() && header_bytes_ < wanted()) {
        header_[header_bytes_++] = bytes[piece.taken++];
    }
    if (header_bytes_ < wanted()) {
        return piece;
    }
    const FrameHeader header = parse_frame_header({header_.data(), header_bytes_});
    header_bytes_ = 0;
    return begin_frame(header, answers).map([&] { return piece; });
}

Result<void> ServerStream::begin_frame(const FrameHeader& header, std::string& answers) {
    if (!header.is_well_formed || !header.is_masked) {
        return break_off(CloseCode::protocol_error, "a WebSocket frame is malformed or not masked", answers);
    }
    if (!header.is_control()) {
        if ((header.opcode == Opcode::continuation) != in_message_) {
            return break_off(CloseCode::protocol_error, "WebSocket messages are mixed up", answers);
        }
        if (header.opcode == Opcode::text) {
            return break_off(CloseCode::unsupported_data, "a WebSocket message of text", answers);
        }
        message_bytes_ = in_message_ ? message_bytes_ : 0;
        if (header.payload_bytes > rules_.message_bytes_max - message_bytes_) {
            return break_off(CloseCode::message_too_big, "a WebSocket message is too long", answers);
        }
        message_bytes_ += header.payload_bytes;
        in_message_ = !header.is_final;
    }
    frame_ = header;
    frame_left_ = header.payload_bytes;
    in_frame_ = true;
    return frame_left_ > 0 ? Result<void>() : end_frame(answers);
}

Result<ServerStream::Piece> ServerStream::take_payload(std::span<char> bytes, char* payload_to, std::string& answers) {
    Piece piece;
    piece.taken = std::min<std::size_t>(bytes.size(), frame_left_);
    const std::span<char> masked = bytes.first(piece.taken);
    apply_mask(masked, frame_.mask, frame_.payload_bytes - frame_left_);
    if (frame_.is_control()) {
        control_.append(masked.data(), masked.size());
    } else {
        std::memmove(payload_to, masked.data(), masked.size());
        piece.payload = masked.size();
    }
    frame_left_ -= piece.taken;
    if (frame_left_ > 0) {
        return piece;
    }
    return end_frame(answers).map([&] { return piece; });
}

Result<void> ServerStream::end_frame(std::string& answers) {
    in_frame_ = false;
    if (frame_.opcode == Opcode::close) {
        return answer_close(answers);
    }
    if (frame_.opcode == Opcode::ping && answers.size() <= rules_.unsent_answers_bytes_max) {
        write_frame(Opcode::pong, control_, answers);
    }
    control_ = {};
    return {};
}

Result<void> ServerStream::answer_close(std::string& answers) {
    unsigned code = static_cast<unsigned>(CloseCode::normal);
    if (control_.size() >= close_code_bytes) {
        code = (static_cast<unsigned char>(control_[0]) * 256U) + static_cast<unsigned char>(control_[1]);
    }
    if (control_.size() == 1 || !is_sendable(code)) {
        return break_off(CloseCode::protocol_error, "a WebSocket close frame is malformed", answers);
    }
    close(static_cast<CloseCode>(code), answers);
    return fail(ErrorCode::closed, "the client closed the WebSocket");
}

tl::unexpected<Error> ServerStream::break_off(CloseCode code, std::string_view why, std::string& answers) {
    close(code, answers);
    state_ = State::broken;
    return fail(ErrorCode::closed, why);
}

void ServerStream::send(std::string_view payload, std::string& out) const {
    write_frame(Opcode::binary, payload, out);
}

void ServerStream::close(CloseCode code, std::string& out) {
    if (state_ == State::open) {
        state_ = State::closed;
        write_close(code, out);
    }
}

}  // namespace muster::websocket
