#include "net/address.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include <arpa/inet.h>
#include <fmt/format.h>

namespace muster::net {
namespace {

bool parse_port(std::string_view text, std::uint16_t& port) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

// Every CONNECT has its address written down: inet_ntop prints through a format, 20 times as many instructions.
std::size_t print(const in_addr& host, std::span<char, INET_ADDRSTRLEN> text) {
    std::array<std::uint8_t, 4> octets{};
    std::memcpy(octets.data(), &host, sizeof(host));
    char* end = text.data();
    for (const std::uint8_t octet : octets) {
        end = std::to_chars(end, text.data() + text.size(), octet).ptr;
        *end++ = '.';
    }
    return static_cast<std::size_t>(end - text.data()) - 1;  // without the last point
}

}  // namespace

Address::Address() : v6_{} {
    v4_.sin_family = AF_INET;
}

Result<Address> Address::parse(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    std::string_view host = text.substr(0, std::min(colon, text.size()));
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    Address result;
    std::uint16_t port = 0;
    const std::string numeric(host);
    bool valid = colon != std::string_view::npos && parse_port(text.substr(colon + 1), port);
    if (bracketed) {
        result.v6_.sin6_family = AF_INET6;
        valid = valid && ::inet_pton(AF_INET6, numeric.c_str(), &result.v6_.sin6_addr) == 1;
    } else {
        valid = valid && ::inet_pton(AF_INET, numeric.c_str(), &result.v4_.sin_addr) == 1;
    }
    if (!valid) {
        return fail(ErrorCode::invalid_argument, "not an address and port like 127.0.0.1:1883 or [::1]:1883",
                    std::string(text));
    }
    return result.with_port(port);
}

Address Address::from_kernel(const sockaddr* address, socklen_t size) {
    Address result;
    std::memcpy(&result.v6_, address, std::min<std::size_t>(size, sizeof(result.v6_)));
    return result;
}

std::string Address::host() const {
    if (family() == AF_INET6) {
        char text[INET6_ADDRSTRLEN] = {};
        ::inet_ntop(AF_INET6, &v6_.sin6_addr, text, sizeof(text));
        return text;
    }
    std::array<char, INET_ADDRSTRLEN> text{};
    return {text.data(), print(v4_.sin_addr, text)};
}

std::string Address::to_string() const {
    if (family() == AF_INET6) {
        return fmt::format("[{}]:{}", host(), port());
    }
    constexpr std::size_t port_bytes = 6;  // ":65535"
    std::array<char, INET_ADDRSTRLEN + port_bytes> text{};
    char* end = text.data() + print(v4_.sin_addr, std::span(text).first<INET_ADDRSTRLEN>());
    *end++ = ':';
    return {text.data(), std::to_chars(end, text.data() + text.size(), port()).ptr};
}

// sin_port and sin6_port lie at the same place, after the family.
std::uint16_t Address::port() const {
    return ntohs(family() == AF_INET6 ? v6_.sin6_port : v4_.sin_port);
}

Address Address::with_port(std::uint16_t port) const {
    Address result = *this;
    (family() == AF_INET6 ? result.v6_.sin6_port : result.v4_.sin_port) = htons(port);
    return result;
}

bool Address::is_loopback() const {
    if (family() == AF_INET6) {
        return IN6_IS_ADDR_LOOPBACK(&v6_.sin6_addr) != 0;
    }
    return (ntohl(v4_.sin_addr.s_addr) >> 24U) == 127;
}

}  // namespace muster::net
