#include "net/tcp_socket.h"

#include <cerrno>
#include <cstring>

#include <netinet/tcp.h>

namespace muster::net {
namespace {

Result<std::size_t> outcome(ssize_t moved) {
    if (moved >= 0) {
        return static_cast<std::size_t>(moved);
    }
    if (errno == EAGAIN || errno == EINTR) {
        return fail(ErrorCode::would_block, "the socket is not ready");
    }
    return fail(ErrorCode::closed, "the connection is gone");
}

void set_option(int fd, int level, int name, int value) {
    // These options cannot fail on a TCP socket; on a connection that is already gone it does not matter.
    (void)::setsockopt(fd, level, name, &value, sizeof(value));
}

}  // namespace

Result<TcpSocket> TcpSocket::connect(const Address& to, const std::optional<Address>& source) {
    TcpSocket socket(Descriptor(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)));
    if (!socket.is_open()) {
        return fail(ErrorCode::io, "cannot open a socket", std::strerror(errno));
    }
    socket.set_no_delay();
    if (source) {
        set_option(socket.fd(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (::bind(socket.fd(), source->get(), source->size()) != 0) {
            return fail(ErrorCode::io, "cannot use the source address",
                        source->to_string() + ": " + std::strerror(errno));
        }
    }
    if (::connect(socket.fd(), to.get(), to.size()) != 0 && errno != EINPROGRESS) {
        return fail(ErrorCode::unavailable, "cannot connect", to.to_string() + ": " + std::strerror(errno));
    }
    return socket;
}

Result<void> TcpSocket::connect_result() const {
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    if (error != 0) {
        return fail(ErrorCode::unavailable, "cannot connect", std::strerror(error));
    }
    return {};
}

Result<std::size_t> TcpSocket::read(std::span<char> into) const {
    const ssize_t got = ::recv(fd(), into.data(), into.size(), 0);
    if (got == 0) {
        return fail(ErrorCode::closed, "the peer has ended the connection");
    }
    return outcome(got);
}

Result<std::size_t> TcpSocket::write(std::string_view bytes) const {
    return outcome(::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

Result<std::size_t> TcpSocket::write(std::span<const iovec> pieces) const {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces.data());  // sendmsg does not write to it
    message.msg_iovlen = pieces.size();
    return outcome(::sendmsg(fd(), &message, MSG_NOSIGNAL));
}

void TcpSocket::set_no_delay() const {
    set_option(fd(), IPPROTO_TCP, TCP_NODELAY, 1);
}

void TcpSocket::set_reset_on_close() const {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    (void)::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void TcpSocket::shutdown_write() const {
    (void)::shutdown(fd(), SHUT_WR);
}

Address TcpSocket::local_address() const {
    sockaddr_in6 raw{};
    socklen_t size = sizeof(raw);
    auto* generic = reinterpret_cast<sockaddr*>(&raw);
    return ::getsockname(fd(), generic, &size) == 0 ? Address::from_kernel(generic, size) : Address();
}

Address TcpSocket::peer_address() const {
    sockaddr_in6 raw{};
    socklen_t size = sizeof(raw);
    auto* generic = reinterpret_cast<sockaddr*>(&raw);
    return ::getpeername(fd(), generic, &size) == 0 ? Address::from_kernel(generic, size) : Address();
}

}  // namespace muster::net
