#include "api/api_client.h"

#include <array>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <fmt/format.h>

#include "api/access.h"
#include "contract/json.h"

namespace muster {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t piece_bytes = 64U << 10U;
constexpr std::size_t problem_bytes_max = 64U << 10U;

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '_' || c == '.' || c == '~';
        plain ? out.push_back(c)
              : void(fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c)));
    }
    return out;
}

std::string target_of(std::string_view path, const ApiClient::Query& query) {
    std::string target(path);
    char separator = '?';
    for (const auto& [name, value] : query) {
        fmt::format_to(std::back_inserter(target), "{}{}={}", std::exchange(separator, '&'), name, escaped(value));
    }
    return target;
}

/// What the API says is wrong.
Error error_of(unsigned status, const std::string& body) {
    std::string detail;
    if (const auto object = json::parse_object(body)) {
        (void)json::read(*object, "detail", detail);
    }
    const ErrorCode code = status == 404   ? ErrorCode::not_found
                           : status == 401 ? ErrorCode::unauthorized
                           : status == 503 ? ErrorCode::unavailable
                           : status < 500  ? ErrorCode::invalid_argument
                                           : ErrorCode::io;
    return {code, "the server refused", detail.empty() ? fmt::format("status {}", status) : detail};
}

/// One request and its answer.
class Exchange final {
 public:
    Result<void> connect(const std::string& address) {
        const auto listen = parse_listen_address(address);
        error_code error;
        const auto host = listen ? asio::ip::make_address(listen->address, error) : asio::ip::address();
        if (!listen || error) {
            return fail(ErrorCode::invalid_argument, "not an address and port", address);
        }
        if (socket_.connect(tcp::endpoint(host, listen->port), error)) {
            return fail(ErrorCode::unavailable, "no muster answers", fmt::format("{}: {}", address, error.message()));
        }
        return {};
    }

    Result<void> send(http::verb method, const std::string& target, const std::string& host, const std::string& token,
                      std::string json = {}) {
        http::request<http::string_body> request(method, target, 11, std::move(json));
        request.set(http::field::host, host);
        request.set(http::field::authorization, "Bearer " + token);
        if (!request.body().empty()) {
            request.set(http::field::content_type, "application/json");
        }
        request.prepare_payload();
        request.keep_alive(false);
        error_code error;
        http::write(socket_, request, error);
        return error ? broken(error) : Result<void>();
    }

    Result<void> receive(ApiClient::OnBytes on_bytes) {
        parser_.body_limit(boost::none);
        error_code error;
        http::read_header(socket_, buffer_, parser_, error);
        if (error) {
            return broken(error);
        }
        const unsigned status = parser_.get().result_int();
        if (status >= 200 && status < 300) {
            return read_body(on_bytes);
        }
        std::string body;
        auto read = read_body([&](std::string_view bytes) -> Result<void> {
            body.append(bytes.substr(0, problem_bytes_max - std::min(body.size(), problem_bytes_max)));
            return {};
        });
        if (!read) {
            return read;
        }
        return tl::unexpected(error_of(status, body));
    }

 private:
    static Result<void> broken(const error_code& error) {
        return fail(ErrorCode::closed, "the server cut its answer short", error.message());
    }

    Result<void> read_body(ApiClient::OnBytes on_bytes) {
        while (!parser_.is_done()) {
            auto& body = parser_.get().body();
            body.data = piece_.data();
            body.size = piece_.size();
            error_code error;
            http::read(socket_, buffer_, parser_, error);
            if (error && error != http::error::need_buffer) {
                return broken(error);
            }
            const std::size_t bytes = piece_.size() - body.size;
            if (bytes > 0) {
                if (auto taken = on_bytes({piece_.data(), bytes}); !taken) {
                    return taken;
                }
            }
        }
        return {};
    }

    asio::io_context context_;
    tcp::socket socket_{context_};
    beast::flat_buffer buffer_;
    http::response_parser<http::buffer_body> parser_;
    std::array<char, piece_bytes> piece_{};
};

}  // namespace

Result<void> ApiClient::get(std::string_view path, const Query& query, OnBytes on_bytes) const {
    const auto exchange = std::make_unique<Exchange>();
    return exchange->connect(address_)
        .and_then([&] { return exchange->send(http::verb::get, target_of(path, query), address_, token_); })
        .and_then([&] { return exchange->receive(on_bytes); });
}

Result<void> ApiClient::post(std::string_view path, std::string json) const {
    const auto exchange = std::make_unique<Exchange>();
    return exchange->connect(address_)
        .and_then(
            [&] { return exchange->send(http::verb::post, std::string(path), address_, token_, std::move(json)); })
        .and_then([&] { return exchange->receive([](std::string_view) -> Result<void> { return {}; }); });
}

Result<void> ApiClient::remove(std::string_view path) const {
    const auto exchange = std::make_unique<Exchange>();
    return exchange->connect(address_)
        .and_then([&] { return exchange->send(http::verb::delete_, std::string(path), address_, token_); })
        .and_then([&] { return exchange->receive([](std::string_view) -> Result<void> { return {}; }); });
}

}  // namespace muster
