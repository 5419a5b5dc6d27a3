// The clients of loopback_client.h: the one file of the tests that knows Beast.
#include "api/loopback_client.h"

#include <algorithm>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/stream.hpp>

namespace muster {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using tcp = boost::asio::ip::tcp;

tcp::endpoint loopback(std::uint16_t port) {
    return {asio::ip::address_v4::loopback(), port};
}

std::string text_of(beast::string_view text) {
    return {text.data(), text.size()};
}

}  // namespace

struct LoopbackClient::State {
    asio::io_context context;
    tcp::socket socket{context};
    beast::flat_buffer buffer;
    std::uint16_t port = 0;
};

LoopbackClient::LoopbackClient(std::uint16_t port) : state_(std::make_unique<State>()) {
    state_->port = port;
}

LoopbackClient::~LoopbackClient() = default;

ClientReply LoopbackClient::send(const ClientRequest& request) {
    if (!state_->socket.is_open()) {
        state_->socket.connect(loopback(state_->port));
    }
    http::request<http::string_body> message;
    message.version(11);
    message.method_string(request.method);
    message.target(request.target);
    message.set(http::field::host, "127.0.0.1:" + std::to_string(state_->port));
    if (!request.token.empty()) {
        message.set(http::field::authorization, "Bearer " + request.token);
    }
    for (const auto& [name, value] : request.headers) {
        message.set(name, value);
    }
    message.body() = request.body;
    message.prepare_payload();
    http::write(state_->socket, message);

    http::response_parser<http::string_body> parser;
    parser.body_limit(boost::none);
    parser.skip(request.method == "HEAD");
    http::read(state_->socket, state_->buffer, parser);
    ClientReply reply;
    reply.status = parser.get().result_int();
    reply.body = parser.get().body();
    for (const auto& field : parser.get().base()) {
        std::string name = text_of(field.name_string());
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        reply.headers[name] = text_of(field.value());
    }
    if (!parser.get().keep_alive()) {
        state_->socket.close();
        state_->buffer.clear();
    }
    return reply;
}

ClientReply LoopbackClient::get(std::string_view target, std::string_view token) {
    ClientRequest request;
    request.target = target;
    request.token = token;
    return send(request);
}

std::string LoopbackClient::send_raw(std::string_view bytes) {
    tcp::socket socket(state_->context);
    socket.connect(loopback(state_->port));
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(bytes), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
    std::string reply;
    asio::read(socket, asio::dynamic_buffer(reply), ignored);
    return reply;
}

struct LoopbackSocket::State {
    asio::io_context context;
    websocket::stream<tcp::socket> stream{context};
    beast::flat_buffer buffer;
};

LoopbackSocket::LoopbackSocket() : state_(std::make_unique<State>()) {}

LoopbackSocket::~LoopbackSocket() = default;

unsigned LoopbackSocket::open(std::uint16_t port, std::string_view target, std::string_view origin) {
    state_->stream.next_layer().connect(loopback(port));
    state_->stream.set_option(
        websocket::stream_base::decorator([origin = std::string(origin)](websocket::request_type& request) {
            if (!origin.empty()) {
                request.set(http::field::origin, origin);
            }
        }));
    websocket::response_type response;
    boost::system::error_code error;
    state_->stream.handshake(response, "127.0.0.1:" + std::to_string(port),
                             beast::string_view(target.data(), target.size()), error);
    return response.result_int();
}

void LoopbackSocket::send(std::string_view text) {
    state_->stream.write(asio::buffer(text));
}

std::string LoopbackSocket::receive() {
    boost::system::error_code error;
    state_->buffer.clear();
    state_->stream.read(state_->buffer, error);
    return error ? std::string() : beast::buffers_to_string(state_->buffer.cdata());
}

}  // namespace muster
