#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/address.h"

namespace muster::net {

/// What a load balancer says of the connection that it passes on (PROXY protocol, version 2); a value.
struct ProxyHeader {
    /// Absent: the balancer speaks for itself (a health check), or does not say.
    std::optional<Address> client{};
    /// The balancer ended TLS, has verified the client's certificate, and this is its subject's CN; else empty.
    std::string certificate_name{};
};

/// Longest header that is taken: the fixed part and addresses are at most 52 bytes, the rest are extensions.
inline constexpr std::size_t proxy_header_bytes_max = 2048;
inline constexpr std::size_t proxy_fixed_bytes = 16;

// Layout (numbers are big-endian):
//   12 signature | version 4 bits, command 4 | family 4, transport 4 | u16 length of the rest
//   addresses: IPv4 4 + 4 + u16 + u16, IPv6 16 + 16 + u16 + u16, Unix 108 + 108
//   extensions: u8 type, u16 length, value. 0x03 CRC-32C of the whole header with this value zero. 0x20 TLS: u8 flags,
//   u32 0 when the certificate was verified, then extensions of its own: 0x22 CN.

/// How long the header is that begins like this; proxy_fixed_bytes as long as that is not yet here. unsupported: the
/// text of version 1. malformed: not a header. too_large: over proxy_header_bytes_max.
[[nodiscard]] Result<std::size_t> proxy_header_bytes(std::string_view start);

/// `header`: exactly as many bytes as proxy_header_bytes() said.
[[nodiscard]] Result<ProxyHeader> parse_proxy_header(std::string_view header);

}  // namespace muster::net
