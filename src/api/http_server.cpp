#include "api/http_server.h"

#include <array>
#include <atomic>
#include <optional>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <fmt/format.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/thread.h"

namespace muster {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using tcp = boost::asio::ip::tcp;
using beast::error_code;
using Parser = http::request_parser<http::string_body>;
using Bytes = http::span_body<const char>;

constexpr std::string_view server_name = "Muster";
constexpr std::size_t drained_bytes_max = 1U << 20U;  ///< read and thrown away so that a refusal reaches its client
constexpr Seconds drain_timeout{2};
constexpr Millis accept_retry{100};
constexpr Millis piece_retry{200};  ///< until a source that has nothing now is asked again

struct ServerMetrics {
    explicit ServerMetrics(MetricRegistry& metrics)
        : connections(metrics.gauge("muster_api_connections", "Open connections of the API, WebSockets included.")),
          refused(
              metrics.counter("muster_api_connections_refused_total", "Connections answered 503 at connections_max.")),
          bad_requests(metrics.counter("muster_api_bad_requests_total", "Requests that could not be read as HTTP.")),
          cut_short(metrics.counter("muster_api_answers_cut_short_total",
                                    "Streamed answers that ended early because of an error.")),
          frames(metrics.counter("muster_api_frames_sent_total", "WebSocket frames sent.")),
          frame_bytes(metrics.counter("muster_api_frame_bytes_sent_total", "Payload bytes of WebSocket frames sent.")) {
    }

    Gauge& connections;
    Counter& refused;
    Counter& bad_requests;
    Counter& cut_short;
    Counter& frames;
    Counter& frame_bytes;
};

/// What every connection shares; outlives them all.
struct Shared {
    HttpServerOptions options;
    HttpCallbacks callbacks;
    ServerMetrics metrics;
    std::atomic<std::size_t> connections{0};
};

/// Counts one connection for as long as it lives, also across the change from HTTP to WebSocket.
class ConnectionSlot {
 public:
    explicit ConnectionSlot(Shared& shared) : shared_(&shared) { set(shared_->connections.fetch_add(1) + 1); }
    ~ConnectionSlot() {
        if (shared_ != nullptr) {
            set(shared_->connections.fetch_sub(1) - 1);
        }
    }
    ConnectionSlot(ConnectionSlot&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
    ConnectionSlot(const ConnectionSlot&) = delete;
    ConnectionSlot& operator=(const ConnectionSlot&) = delete;
    ConnectionSlot& operator=(ConnectionSlot&&) = delete;

 private:
    void set(std::size_t count) { shared_->metrics.connections.Set(static_cast<double>(count)); }
    Shared* shared_;
};

std::string text_of(beast::string_view text) {
    return {text.data(), text.size()};
}

HttpRequest request_from(const Parser::value_type& message, const tcp::endpoint& peer) {
    HttpRequest request;
    request.method = text_of(message.method_string());
    const beast::string_view target = message.target();
    const auto question = target.find('?');
    request.path = text_of(target.substr(0, question));
    if (question != beast::string_view::npos) {
        request.query = text_of(target.substr(question + 1));
    }
    request.body = message.body();
    request.host = text_of(message[http::field::host]);
    request.origin = text_of(message[http::field::origin]);
    request.authorization = text_of(message[http::field::authorization]);
    request.accept_encoding = text_of(message[http::field::accept_encoding]);
    request.if_none_match = text_of(message[http::field::if_none_match]);
    request.from_loopback = peer.address().is_loopback();
    return request;
}

/// One WebSocket: reads messages into its session and writes what the session has, one frame at a time.
class WebSocketConnection final : public std::enable_shared_from_this<WebSocketConnection> {
 public:
    WebSocketConnection(beast::tcp_stream stream, Shared& shared, ConnectionSlot slot,
                        std::shared_ptr<WebSocketSession> session)
        : shared_(shared), slot_(std::move(slot)), session_(std::move(session)), stream_(std::move(stream)) {}
    ~WebSocketConnection() {
        if (open_) {
            session_->on_close();
        }
    }
    WebSocketConnection(const WebSocketConnection&) = delete;
    WebSocketConnection& operator=(const WebSocketConnection&) = delete;

    void run(const std::shared_ptr<Parser>& upgrade) {
        beast::get_lowest_layer(stream_).expires_never();
        stream_.set_option(websocket::stream_base::timeout{Seconds(10), shared_.options.websocket_idle, true});
        stream_.set_option(websocket::stream_base::decorator(
            [](websocket::response_type& response) { response.set(http::field::server, server_name); }));
        stream_.read_message_max(shared_.options.message_bytes_max);
        stream_.auto_fragment(false);
        stream_.text(true);
        stream_.async_accept(upgrade->get(), [self = shared_from_this(), upgrade](error_code error) {
            if (!error) {
                self->on_accepted();
            }
        });
    }

 private:
    void on_accepted() {
        open_ = true;
        session_->on_open([weak = weak_from_this()] {
            if (const auto self = weak.lock()) {
                self->wake();
            }
        });
        wake();
        read();
    }

    void read() {
        stream_.async_read(buffer_, [self = shared_from_this()](error_code error, std::size_t) {
            if (error || !self->open_) {
                return self->close();
            }
            const auto bytes = self->buffer_.cdata();
            self->session_->on_message({static_cast<const char*>(bytes.data()), bytes.size()});
            self->buffer_.consume(self->buffer_.size());
            self->read();
        });
    }

    /// Any thread. Many wakes before the connection gets to run are one.
    void wake() {
        if (!woken_.exchange(true)) {
            asio::post(stream_.get_executor(), [self = shared_from_this()] {
                self->woken_ = false;
                self->write();
            });
        }
    }

    void write() {
        if (frame_ != nullptr || !open_) {
            return;
        }
        frame_ = session_->next_frame();
        if (frame_ == nullptr) {
            return;
        }
        stream_.async_write(asio::buffer(*frame_), [self = shared_from_this()](error_code error, std::size_t bytes) {
            self->frame_ = nullptr;
            if (error) {
                return self->close();
            }
            self->shared_.metrics.frames.Increment();
            self->shared_.metrics.frame_bytes.Increment(static_cast<double>(bytes));
            self->write();
        });
    }

    void close() {
        if (std::exchange(open_, false)) {
            session_->on_close();
        }
    }

    Shared& shared_;
    ConnectionSlot slot_;
    std::shared_ptr<WebSocketSession> session_;
    websocket::stream<beast::tcp_stream> stream_;
    beast::flat_buffer buffer_;
    std::shared_ptr<const std::string> frame_;  ///< being written
    std::atomic<bool> woken_{false};
    bool open_ = false;
};

/// One HTTP connection: read a request, hand it on, write the answer, again.
class HttpConnection final : public std::enable_shared_from_this<HttpConnection> {
 public:
    HttpConnection(tcp::socket socket, tcp::endpoint peer, Shared& shared)
        : shared_(shared),
          slot_(shared),
          peer_(std::move(peer)),
          stream_(std::move(socket)),
          retry_(stream_.get_executor()) {}

    void run() {
        asio::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->read(); });
    }

 private:
    void read() {
        parser_ = std::make_shared<Parser>();
        parser_->header_limit(static_cast<std::uint32_t>(shared_.options.header_bytes_max));
        parser_->body_limit(shared_.options.body_bytes_max);
        stream_.expires_after(shared_.options.request_timeout);
        http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
            error ? self->on_read_failed(error) : self->on_read();
        });
    }

    void on_read_failed(error_code error) {
        // What is neither HTTP's nor Beast's error is the socket's: the peer has left.
        const bool is_http = error.category() == http::make_error_code(http::error::bad_method).category();
        if (!is_http || error == http::error::end_of_stream || error == http::error::partial_message) {
            return;
        }
        shared_.metrics.bad_requests.Increment();
        keep_alive_ = false;
        head_only_ = false;
        write(shared_.callbacks.on_bad_request(error == http::error::body_limit     ? 413
                                               : error == http::error::header_limit ? 431
                                                                                    : 400));
    }

    void on_read() {
        const auto& message = parser_->get();
        chunked_ = message.version() >= 11;
        keep_alive_ = message.keep_alive();
        head_only_ = message.method() == http::verb::head;
        if (message.target().empty() || message.target().front() != '/') {
            keep_alive_ = false;
            return write(shared_.callbacks.on_bad_request(400));
        }
        HttpRequest request = request_from(message, peer_);
        if (websocket::is_upgrade(message)) {
            return upgrade(request);
        }
        parser_.reset();
        stream_.expires_never();
        // The answer may come from another thread; the connection does nothing until then.
        shared_.callbacks.on_request(std::move(request), [self = shared_from_this()](HttpResponse response) {
            asio::dispatch(self->stream_.get_executor(),
                           [self, response = std::move(response)]() mutable { self->write(std::move(response)); });
        });
    }

    void upgrade(const HttpRequest& request) {
        auto session = shared_.callbacks.on_upgrade(request);
        if (!session) {
            keep_alive_ = false;
            return write(std::move(session.error()));
        }
        const auto connection =
            std::make_shared<WebSocketConnection>(std::move(stream_), shared_, std::move(slot_), std::move(*session));
        connection->run(parser_);
    }

    void write(HttpResponse response) {
        answer_ = std::move(response);
        message_ = {};
        message_.version(11);
        message_.result(answer_.status);
        message_.set(http::field::server, server_name);
        message_.set(http::field::content_type, answer_.content_type);
        for (const auto& [name, value] : answer_.headers) {
            message_.set(name, value);
        }
        if (answer_.source != nullptr && !head_only_) {
            return write_streamed();
        }
        const std::string_view content = answer_.content();
        const bool bodiless = answer_.status == 204 || answer_.status == 304;
        if (!bodiless && answer_.source == nullptr) {
            message_.content_length(content.size());
        }
        if (!head_only_ && !bodiless) {
            message_.body() = beast::span<const char>(content.data(), content.size());
        }
        message_.keep_alive(keep_alive_);
        stream_.expires_after(shared_.options.write_timeout);
        http::async_write(stream_, message_, [self = shared_from_this()](error_code error, std::size_t) {
            if (!error) {
                self->on_written();
            }
        });
    }

    void on_written() {
        answer_ = {};
        keep_alive_ ? read() : finish();
    }

    /// In chunks; to a client of HTTP/1.0, which knows none, until the connection ends.
    void write_streamed() {
        keep_alive_ = keep_alive_ && chunked_;
        message_.chunked(chunked_);
        message_.keep_alive(keep_alive_);
        head_.emplace(message_);
        stream_.expires_after(shared_.options.write_timeout);
        http::async_write_header(stream_, *head_, [self = shared_from_this()](error_code error, std::size_t) {
            if (!error) {
                self->ask_for_piece();
            }
        });
    }

    void ask_for_piece() {
        stream_.expires_never();
        const bool asked = shared_.callbacks.run_aside([self = shared_from_this(), source = answer_.source] {
            std::string bytes;
            auto piece = source->next(bytes);
            asio::post(self->stream_.get_executor(),
                       [self, piece = std::move(piece), bytes = std::move(bytes)]() mutable {
                           self->on_piece(piece, std::move(bytes));
                       });
        });
        if (!asked) {
            ask_again();
        }
    }

    void ask_again() {
        retry_.expires_after(piece_retry);
        retry_.async_wait([self = shared_from_this()](error_code error) {
            if (!error) {
                self->ask_for_piece();
            }
        });
    }

    void on_piece(const Result<BodySource::Piece>& piece, std::string bytes) {
        if (!piece) {
            shared_.metrics.cut_short.Increment();
            spdlog::warn("api: an answer was cut short: {}", piece.error().message());
            return stream_.close();
        }
        const bool last = *piece == BodySource::Piece::last;
        if (!bytes.empty()) {
            return write_piece(std::move(bytes), last);
        }
        last ? write_end() : ask_again();
    }

    void write_piece(std::string bytes, bool last) {
        piece_ = std::move(bytes);
        stream_.expires_after(shared_.options.write_timeout);
        const auto written = [self = shared_from_this(), last](error_code error, std::size_t) {
            if (!error) {
                last ? self->write_end() : self->ask_for_piece();
            }
        };
        chunked_ ? asio::async_write(stream_, http::make_chunk(asio::buffer(piece_)), written)
                 : asio::async_write(stream_, asio::buffer(piece_), written);
    }

    void write_end() {
        head_.reset();
        if (!chunked_) {
            return on_written();
        }
        stream_.expires_after(shared_.options.write_timeout);
        asio::async_write(stream_, http::make_chunk_last(), [self = shared_from_this()](error_code error, std::size_t) {
            if (!error) {
                self->on_written();
            }
        });
    }

    /// Says goodbye and reads on for a moment: closing with unread bytes would reset the connection and could take the
    /// answer with it.
    void finish() {
        error_code ignored;
        ignored = stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
        stream_.expires_after(drain_timeout);
        drain(0);
    }

    void drain(std::size_t drained) {
        stream_.async_read_some(asio::buffer(drained_),
                                [self = shared_from_this(), drained](error_code error, std::size_t bytes) {
                                    if (!error && drained + bytes <= drained_bytes_max) {
                                        self->drain(drained + bytes);
                                    }
                                });
    }

    Shared& shared_;
    ConnectionSlot slot_;
    tcp::endpoint peer_;
    beast::tcp_stream stream_;
    beast::flat_buffer buffer_;
    std::shared_ptr<Parser> parser_;
    HttpResponse answer_;
    http::response<Bytes> message_;
    std::optional<http::response_serializer<Bytes>> head_;  ///< of an answer that is streamed
    std::string piece_;                                     ///< being written
    asio::steady_timer retry_;
    std::array<char, 4096> drained_{};
    bool keep_alive_ = false;
    bool head_only_ = false;
    bool chunked_ = true;
};

/// Best effort, never waits: the socket's send buffer is empty, so the few bytes fit.
void refuse(tcp::socket& socket) {
    static constexpr std::string_view answer =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    error_code ignored;
    ignored = socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(answer.data(), answer.size()), ignored);
    ignored = socket.shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace

/// The sockets, the threads and what connections share.
struct HttpServer::State {
    State(HttpServerOptions options, HttpCallbacks callbacks, MetricRegistry& metrics)
        : shared{std::move(options), std::move(callbacks), ServerMetrics(metrics)},
          context(static_cast<int>(shared.options.threads)),
          acceptor(asio::make_strand(context)),
          retry(acceptor.get_executor()) {}

    Result<void> listen() {
        error_code error;
        const auto address = asio::ip::make_address(shared.options.address, error);
        const auto problem = [&] {
            return fail(ErrorCode::io, "api: cannot listen",
                        fmt::format("{} port {}: {}", shared.options.address, shared.options.port, error.message()));
        };
        if (error) {
            return problem();
        }
        const tcp::endpoint endpoint(address, shared.options.port);
        if (acceptor.open(endpoint.protocol(), error) ||
            acceptor.set_option(tcp::acceptor::reuse_address(true), error) || acceptor.bind(endpoint, error) ||
            acceptor.listen(asio::socket_base::max_listen_connections, error)) {
            return problem();
        }
        port = acceptor.local_endpoint(error).port();
        return {};
    }

    void accept() {
        acceptor.async_accept(asio::make_strand(context), [this](error_code error, tcp::socket socket) {
            if (error == asio::error::operation_aborted) {
                return;
            }
            if (error) {  // out of descriptors: those there are must end first
                retry.expires_after(accept_retry);
                retry.async_wait([this](error_code stopped) {
                    if (!stopped) {
                        accept();
                    }
                });
                return;
            }
            serve(std::move(socket));
            accept();
        });
    }

    void serve(tcp::socket socket) {
        error_code error;
        const auto peer = socket.remote_endpoint(error);
        if (error) {
            return;
        }
        error = socket.set_option(tcp::no_delay(true), error);
        if (shared.connections >= shared.options.connections_max) {
            shared.metrics.refused.Increment();
            return refuse(socket);
        }
        std::make_shared<HttpConnection>(std::move(socket), peer, shared)->run();
    }

    void stop() {
        context.stop();
        for (auto& thread : threads) {
            thread.join();
        }
        threads.clear();
    }

    Shared shared;
    asio::io_context context;
    tcp::acceptor acceptor;
    asio::steady_timer retry;
    std::uint16_t port = 0;
    std::vector<std::thread> threads;
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() {
    stop();
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpServerOptions options, HttpCallbacks callbacks,
                                                      MetricRegistry& metrics) {
    MUSTER_ASSERT(options.threads > 0);
    auto state = std::make_unique<State>(std::move(options), std::move(callbacks), metrics);
    if (auto listening = state->listen(); !listening) {
        return tl::unexpected(listening.error());
    }
    state->accept();
    for (std::size_t i = 0; i < state->shared.options.threads; ++i) {
        state->threads.push_back(start_thread(fmt::format("api-{}", i), [raw = state.get()] { raw->context.run(); }));
    }
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

void HttpServer::stop() {
    state_->stop();
}

std::uint16_t HttpServer::port() const {
    return state_->port;
}

}  // namespace muster
