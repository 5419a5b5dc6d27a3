#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace muster {

/// For tests: blocking HTTP and WebSocket clients on loopback.
struct ClientReply {
    unsigned status = 0;
    std::map<std::string, std::string> headers;  ///< names in lower case
    std::string body;
};

struct ClientRequest {
    std::string method = "GET";
    std::string target;
    std::string token;
    std::string body;
    std::map<std::string, std::string> headers;  ///< added; "Host" replaces the usual one
};

/// One kept-alive connection, made when it is first needed.
class LoopbackClient final {
 public:
    explicit LoopbackClient(std::uint16_t port);
    ~LoopbackClient();
    LoopbackClient(const LoopbackClient&) = delete;
    LoopbackClient& operator=(const LoopbackClient&) = delete;

    [[nodiscard]] ClientReply send(const ClientRequest& request);
    [[nodiscard]] ClientReply get(std::string_view target, std::string_view token = {});
    /// Writes these bytes and reads until the server closes.
    [[nodiscard]] std::string send_raw(std::string_view bytes);

 private:
    struct State;
    std::unique_ptr<State> state_;
};

/// One WebSocket.
class LoopbackSocket final {
 public:
    LoopbackSocket();
    ~LoopbackSocket();
    LoopbackSocket(const LoopbackSocket&) = delete;
    LoopbackSocket& operator=(const LoopbackSocket&) = delete;

    /// The HTTP status of the handshake: 101 when it is open.
    [[nodiscard]] unsigned open(std::uint16_t port, std::string_view target, std::string_view origin = {});
    void send(std::string_view text);
    /// The next text message; empty when the server has closed.
    [[nodiscard]] std::string receive();

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace muster
