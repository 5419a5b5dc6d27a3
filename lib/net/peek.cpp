#include "net/peek.h"

#include <sys/socket.h>

namespace muster::net {

bool has_bytes(const TcpSocket& socket) {
    char first = 0;
    return ::recv(socket.fd(), &first, sizeof(first), MSG_PEEK) > 0;
}

}  // namespace muster::net
