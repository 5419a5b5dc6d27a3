#pragma once

#include "net/tcp_socket.h"

namespace muster::net {

/// Whether a read would give a byte now; leaves it where it is.
[[nodiscard]] bool has_bytes(const TcpSocket& socket);

}  // namespace muster::net
