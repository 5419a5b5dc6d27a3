#include "net/proxy_header.h"

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"

namespace muster::net {
namespace {

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view version_1 = "PROXY ";
constexpr std::size_t version_at = 12;
constexpr std::size_t family_at = 13;
constexpr std::size_t length_at = 14;

constexpr unsigned command_local = 0x20;
constexpr unsigned command_proxy = 0x21;
constexpr unsigned family_unspecified = 0x00;
constexpr unsigned family_tcp4 = 0x11;
constexpr unsigned family_tcp6 = 0x21;
constexpr unsigned family_unix = 0x31;

constexpr unsigned extension_crc32c = 0x03;
constexpr unsigned extension_tls = 0x20;
constexpr unsigned extension_tls_cn = 0x22;
constexpr unsigned tls_certificate_here = 0x02;        // on this connection
constexpr unsigned tls_certificate_in_session = 0x04;  // on an earlier one, and resumed

unsigned byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]);
}

/// Big-endian number of `size` bytes.
std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
        value = (value << 8U) | byte_at(bytes, at + i);
    }
    return value;
}

bool begins_alike(std::string_view bytes, std::string_view with) {
    const std::size_t size = std::min(bytes.size(), with.size());
    return bytes.substr(0, size) == with.substr(0, size);
}

template <class Raw>
Address from_raw(const Raw& raw) {
    return Address::from_kernel(reinterpret_cast<const sockaddr*>(&raw), sizeof(raw));
}

Address tcp4_client(std::string_view addresses) {
    sockaddr_in raw{};
    raw.sin_family = AF_INET;
    std::memcpy(&raw.sin_addr, addresses.data(), 4);
    std::memcpy(&raw.sin_port, addresses.data() + 8, 2);
    return from_raw(raw);
}

Address tcp6_client(std::string_view addresses) {
    sockaddr_in6 raw{};
    raw.sin6_family = AF_INET6;
    std::memcpy(&raw.sin6_addr, addresses.data(), 16);
    std::memcpy(&raw.sin6_port, addresses.data() + 32, 2);
    return from_raw(raw);
}

/// Calls `visit(type, value, place of the value in the bytes)` for each extension.
template <class Visit>
Result<void> for_each_extension(std::string_view bytes, Visit visit) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (bytes.size() - at < 3 || number_at(bytes, at + 1, 2) > bytes.size() - at - 3) {
            return fail(ErrorCode::malformed, "a PROXY header's extension is cut short");
        }
        const std::size_t size = number_at(bytes, at + 1, 2);
        if (Result<void> visited = visit(byte_at(bytes, at), bytes.substr(at + 3, size), at + 3); !visited) {
            return visited;
        }
        at += 3 + size;
    }
    return {};
}

Result<void> check_sum(std::string_view header, std::string_view sum, std::size_t at) {
    constexpr std::string_view zeros("\0\0\0\0", 4);
    if (sum.size() != zeros.size()) {
        return fail(ErrorCode::malformed, "a PROXY header's checksum is not of 4 bytes");
    }
    const std::uint32_t expected =
        crc32c(header.substr(at + zeros.size()), crc32c(zeros, crc32c(header.substr(0, at))));
    if (number_at(sum, 0, sum.size()) != expected) {
        return fail(ErrorCode::corrupt, "a PROXY header's checksum is wrong");
    }
    return {};
}

Result<void> read_tls(std::string_view value, ProxyHeader& result) {
    constexpr std::size_t fixed = 5;
    if (value.size() < fixed) {
        return fail(ErrorCode::malformed, "a PROXY header's TLS extension is cut short");
    }
    const bool has_certificate = (byte_at(value, 0) & (tls_certificate_here | tls_certificate_in_session)) != 0;
    const bool is_verified = has_certificate && number_at(value, 1, 4) == 0;
    return for_each_extension(value.substr(fixed),
                              [&](unsigned type, std::string_view inner, std::size_t) -> Result<void> {
                                  if (type == extension_tls_cn && is_verified) {
                                      result.certificate_name = inner;
                                  }
                                  return {};
                              });
}

/// How many bytes of addresses a family has.
Result<std::size_t> address_bytes(unsigned family) {
    switch (family) {
        case family_unspecified:
            return 0;
        case family_tcp4:
            return 12;
        case family_tcp6:
            return 36;
        case family_unix:
            return 216;
        default:
            return fail(ErrorCode::unsupported, "a PROXY header is for something else than TCP");
    }
}

}  // namespace

Result<std::size_t> proxy_header_bytes(std::string_view start) {
    if (!start.empty() && begins_alike(start, version_1)) {
        return fail(ErrorCode::unsupported, "PROXY protocol version 1; tell the load balancer to send version 2");
    }
    if (!begins_alike(start, signature)) {
        return fail(ErrorCode::malformed, "no PROXY header");
    }
    if (start.size() < proxy_fixed_bytes) {
        return proxy_fixed_bytes;
    }
    const std::size_t bytes = proxy_fixed_bytes + number_at(start, length_at, 2);
    if (bytes > proxy_header_bytes_max) {
        return fail(ErrorCode::too_large, "a PROXY header is over 2048 bytes");
    }
    return bytes;
}

Result<ProxyHeader> parse_proxy_header(std::string_view header) {
    const Result<std::size_t> expected = proxy_header_bytes(header);
    if (!expected) {
        return tl::unexpected(expected.error());
    }
    if (*expected != header.size() || header.size() < proxy_fixed_bytes) {
        return fail(ErrorCode::malformed, "a PROXY header is cut short");
    }
    ProxyHeader result;
    const unsigned command = byte_at(header, version_at);
    if (command == command_local) {
        return result;  // its addresses are to be ignored
    }
    if (command != command_proxy) {
        return fail(ErrorCode::unsupported, "a PROXY header of an unknown version or command");
    }
    const unsigned family = byte_at(header, family_at);
    const std::string_view body = header.substr(proxy_fixed_bytes);
    const Result<std::size_t> addresses = address_bytes(family);
    if (!addresses) {
        return tl::unexpected(addresses.error());
    }
    if (body.size() < *addresses) {
        return fail(ErrorCode::malformed, "a PROXY header has no room for its addresses");
    }
    if (family == family_tcp4) {
        result.client = tcp4_client(body);
    } else if (family == family_tcp6) {
        result.client = tcp6_client(body);
    }
    const Result<void> read = for_each_extension(
        body.substr(*addresses), [&](unsigned type, std::string_view value, std::size_t at) -> Result<void> {
            switch (type) {
                case extension_crc32c:
                    return check_sum(header, value, proxy_fixed_bytes + *addresses + at);
                case extension_tls:
                    return read_tls(value, result);
                default:
                    return {};
            }
        });
    if (!read) {
        return tl::unexpected(read.error());
    }
    return result;
}

}  // namespace muster::net
