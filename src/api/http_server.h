#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "api/http_message.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"

namespace muster {

/// What one WebSocket connection serves. The connection owns it and calls it from one thread at a time; it pulls frames
/// when it can write, so that what waits for a slow reader is held, and bounded, by the session.
class WebSocketSession {
 public:
    virtual ~WebSocketSession() = default;
    /// The handshake is done. `wake`: there may be frames to take; any thread, also after the connection has ended.
    virtual void on_open(std::function<void()> wake) = 0;
    virtual void on_message(std::string_view text) = 0;
    /// The next text frame to send; null when there is none now.
    virtual std::shared_ptr<const std::string> next_frame() = 0;
    /// The connection has ended; nothing is called afterwards.
    virtual void on_close() = 0;
};

struct HttpServerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  ///< 0 takes a free one
    std::size_t threads = 2;
    std::size_t connections_max = 8192;
    std::size_t header_bytes_max = 16U << 10U;
    std::size_t body_bytes_max = 256U << 10U;
    std::size_t message_bytes_max = 4U << 10U;  ///< of one WebSocket message from a client
    Seconds request_timeout{30};                ///< for a whole request to arrive, also the longest idle keep-alive
    Seconds write_timeout{30};                  ///< for a whole response to leave
    Seconds websocket_idle{60};                 ///< without a pong the WebSocket is closed
};

/// What the server serves, called from its threads.
struct HttpCallbacks {
    std::function<void(HttpRequest, Respond)> on_request;
    /// A WebSocket upgrade: the session to serve, or the answer that refuses it.
    std::function<tl::expected<std::shared_ptr<WebSocketSession>, HttpResponse>(const HttpRequest&)> on_upgrade;
    /// The answer to bytes that are no acceptable request: 400, 413, 431.
    std::function<HttpResponse(unsigned status)> on_bad_request;
    /// Runs, on a thread that may take its time, what asks a BodySource; false: not now.
    std::function<bool(std::function<void()>)> run_aside;
};

/// HTTP/1.1 and WebSocket on Boost.Beast, which no other file of the role knows. One request at a time a connection:
/// the next is not read before the answer has left, so a client cannot queue work. Every Respond must be called or
/// dropped before the server is destroyed.
class HttpServer final {
 public:
    /// io: the address cannot be bound, in words for an administrator.
    [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(HttpServerOptions options, HttpCallbacks callbacks,
                                                                   MetricRegistry& metrics);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Joins the threads; connections end with the destructor. Twice is fine.
    void stop();
    [[nodiscard]] std::uint16_t port() const;

 private:
    struct State;
    explicit HttpServer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace muster
