#include "api/access.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <arpa/inet.h>

namespace muster {
namespace {

bool is_loopback(const std::string& address) {
    in_addr v4{};
    if (::inet_pton(AF_INET, address.c_str(), &v4) == 1) {
        return (ntohl(v4.s_addr) >> 24U) == 127;
    }
    in6_addr v6{};
    return ::inet_pton(AF_INET6, address.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

struct HostPort {
    std::string host;  ///< without brackets
    std::string_view port;
};

std::optional<HostPort> split_host(std::string_view text) {
    const bool bracketed = text.starts_with('[');
    const auto end = bracketed ? text.find(']') : text.rfind(':');
    if (bracketed && end == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
    std::string_view rest = text.substr(std::min(text.size(), bracketed ? end + 1 : host.size()));
    if (!rest.empty() && rest.front() != ':') {
        return std::nullopt;
    }
    return HostPort{std::string(host), rest.substr(rest.empty() ? 0 : 1)};
}

bool read_port(std::string_view text, std::uint16_t& port) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
    const auto parts = split_host(text);
    ListenAddress listen;
    if (!parts || !read_port(parts->port, listen.port)) {
        return fail(ErrorCode::invalid_argument, "api: the address to listen on must look like 127.0.0.1:8080",
                    std::string(text));
    }
    listen.address = parts->host == "localhost" ? "127.0.0.1" : parts->host;
    if (!is_loopback(listen.address)) {
        return fail(
            ErrorCode::invalid_argument,
            "api: refusing to listen beyond loopback without TLS, because tokens would cross the network in the clear; "
            "listen on 127.0.0.1 and put a TLS proxy in front",
            std::string(text));
    }
    return listen;
}

bool is_host_allowed(std::string_view host, const std::vector<std::string>& allowed) {
    const auto parts = split_host(host);
    if (!parts) {
        return false;
    }
    return equal_ignoring_case(parts->host, "localhost") || is_loopback(parts->host) ||
           std::any_of(allowed.begin(), allowed.end(),
                       [&](const auto& name) { return equal_ignoring_case(name, parts->host); });
}

bool is_origin_allowed(std::string_view origin, std::string_view host) {
    if (origin.empty()) {
        return true;
    }
    const auto scheme_end = origin.find("://");
    return scheme_end != std::string_view::npos && equal_ignoring_case(origin.substr(scheme_end + 3), host);
}

std::string_view bearer_token(const HttpRequest& request) {
    static constexpr std::string_view scheme = "bearer ";
    const std::string_view value = request.authorization;
    if (value.size() <= scheme.size() || !equal_ignoring_case(value.substr(0, scheme.size()), scheme)) {
        return {};
    }
    return value.substr(std::min(value.find_first_not_of(' ', scheme.size()), value.size()));
}

}  // namespace muster
