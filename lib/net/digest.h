#pragma once

#include <string>
#include <string_view>

namespace muster::net {

/// The SHA-1 of the bytes in base64: what RFC 6455 wants for its handshake. Not fit for secrets.
[[nodiscard]] std::string sha1_base64(std::string_view bytes);

}  // namespace muster::net
