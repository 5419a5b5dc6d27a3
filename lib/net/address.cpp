#include "net/address.h"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>
#include <fmt/format.h>

namespace muster::net {
namespace {

bool parse_port(std::string_view text, std::uint16_t& port) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return !text.empty() && error == std::errc{} && end == text.data() + text.size();
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
    char text[INET6_ADDRSTRLEN] = {};
    if (family() == AF_INET6) {
        ::inet_ntop(AF_INET6, &v6_.sin6_addr, text, sizeof(text));
    } else {
        ::inet_ntop(AF_INET, &v4_.sin_addr, text, sizeof(text));
    }
    return text;
}

std::string Address::to_string() const {
    return family() == AF_INET6 ? fmt::format("[{}]:{}", host(), port()) : fmt::format("{}:{}", host(), port());
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
