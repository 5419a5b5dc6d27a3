#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "websocket/frame.h"
#include "websocket/upgrade.h"

namespace muster::websocket {

/// The server's side of one WebSocket connection without the network: bytes in, payload and answers out. First the HTTP
/// upgrade, then frames of binary messages, whose borders mean nothing (MQTT-6.0.0-2): payload is handed on as it
/// comes, so nothing is kept but the upgrade's request, a frame header in part and a control frame's payload. One
/// thread at a time.
class ServerStream final {
 public:
    enum class State : std::uint8_t {
        upgrading,
        open,
        refused,  ///< the upgrade was answered with an HTTP error
        broken,   ///< the client broke the protocol or a limit, and was told so
        closed,   ///< by a close frame, one way or the other
    };

    /// `rules` outlive the stream.
    explicit ServerStream(const ServerRules& rules) : rules_(rules), request_(std::make_unique<std::string>()) {}

    /// Takes what the network gave and puts the payload that is in it in its place, at the front. Returns how many
    /// bytes that is, perhaps 0. Appends to `answers` what is to be sent, also when it fails. closed: nothing more is
    /// read; state() says why.
    [[nodiscard]] Result<std::size_t> receive(std::span<char> bytes, std::string& answers);
    /// Appends the payload as one binary message.
    void send(std::string_view payload, std::string& out) const;
    /// Appends a close frame, if none was sent yet.
    void close(CloseCode code, std::string& out);

    [[nodiscard]] State state() const { return state_; }

 private:
    /// What comes of a piece of bytes.
    struct Piece {
        std::size_t taken = 0;
        std::size_t payload = 0;  ///< of these, moved to where payload goes
    };

    [[nodiscard]] Result<std::size_t> take_request(std::string_view bytes, std::string& answers);
    [[nodiscard]] Result<Piece> take_header(std::string_view bytes, std::string& answers);
    [[nodiscard]] Result<void> begin_frame(const FrameHeader& header, std::string& answers);
    [[nodiscard]] Result<Piece> take_payload(std::span<char> bytes, char* payload_to, std::string& answers);
    [[nodiscard]] Result<void> end_frame(std::string& answers);
    [[nodiscard]] Result<void> answer_close(std::string& answers);
    [[nodiscard]] tl::unexpected<Error> break_off(CloseCode code, std::string_view why, std::string& answers);

    const ServerRules& rules_;
    std::unique_ptr<std::string> request_;  ///< null when upgraded
    std::string control_;                   ///< payload of the control frame that is being read
    FrameHeader frame_;
    std::uint64_t frame_left_ = 0;     ///< bytes of its payload still to come
    std::uint64_t message_bytes_ = 0;  ///< of the message's frames so far
    std::array<char, frame_header_bytes_max> header_{};
    std::uint8_t header_bytes_ = 0;
    bool in_frame_ = false;
    bool in_message_ = false;  ///< a frame of it came that was not the last
    State state_ = State::upgrading;
};

}  // namespace muster::websocket
