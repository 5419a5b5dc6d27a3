#include "net/tcp_listener.h"

#include <cerrno>
#include <cstring>
#include <limits>

#include <fcntl.h>
#include <netinet/tcp.h>

#include "base/assert.h"

namespace muster::net {
namespace {

tl::unexpected<Error> listen_failure(const Address& address, int error) {
    std::string where = address.to_string();
    switch (error) {
        case EADDRINUSE:
            return fail(ErrorCode::conflict, "another program already listens on this address and port",
                        std::move(where));
        case EACCES:
            return fail(ErrorCode::forbidden, "no right to listen on a port below 1024", std::move(where));
        case EADDRNOTAVAIL:
            return fail(ErrorCode::io, "this machine does not have the address to listen on", std::move(where));
        default:
            return fail(ErrorCode::io, "cannot listen", where + ": " + std::strerror(error));
    }
}

// A second program of the same user could share the port by SO_REUSEPORT unnoticed; this bind, without it, notices.
Result<void> check_free(const Address& address) {
    const Descriptor probe(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!probe) {
        return listen_failure(address, errno);
    }
    const int on = 1;
    (void)::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (::bind(probe.get(), address.get(), address.size()) != 0) {
        return listen_failure(address, errno);
    }
    return {};
}

}  // namespace

Result<std::vector<TcpListener>> TcpListener::open(const Address& address, std::size_t count) {
    MUSTER_ASSERT(count > 0);
    if (const Result<void> free = check_free(address); !free) {
        return tl::unexpected(free.error());
    }
    std::vector<TcpListener> listeners;
    Address bound = address;
    while (listeners.size() < count) {
        Result<TcpListener> listener = open_one(bound, count > 1);
        if (!listener) {
            return tl::unexpected(listener.error());
        }
        bound = listener->local_address();
        listeners.push_back(std::move(*listener));
    }
    return listeners;
}

Result<TcpListener> TcpListener::open_one(const Address& address, bool shared) {
    Descriptor socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    const int on = 1;
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared) {
        (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    }
    // Accepted sockets inherit it: one system call less for each of them.
    (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    // The kernel lowers the backlog to net.core.somaxconn.
    if (::bind(socket.get(), address.get(), address.size()) != 0 ||
        ::listen(socket.get(), std::numeric_limits<int>::max()) != 0) {
        return listen_failure(address, errno);
    }
    // Inherited as well, but only when it is set behind listen(): what a client says first is acknowledged with the
    // answer to it, one segment in seven less for a CONNECT. The kernel returns to acknowledging at once when an answer
    // takes longer than its 40 ms.
    const int off = 0;
    (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
    return TcpListener(std::move(socket));
}

Result<TcpSocket> TcpListener::accept(Address& peer) {
    sockaddr_in6 raw{};
    socklen_t size = sizeof(raw);
    auto* generic = reinterpret_cast<sockaddr*>(&raw);
    Descriptor accepted(::accept4(fd(), generic, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted) {
        peer = Address::from_kernel(generic, size);
        return TcpSocket(std::move(accepted));
    }
    switch (errno) {
        case EAGAIN:
            return fail(ErrorCode::would_block, "no connection is waiting");
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            return refuse_for_want_of_descriptors();
        default:
            return fail(ErrorCode::closed, "the connection went away before it was accepted");
    }
}

Result<TcpSocket> TcpListener::refuse_for_want_of_descriptors() {
    spare_.reset();
    Descriptor refused(::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC));
    const bool was_refused = static_cast<bool>(refused);
    refused.reset();
    keep_spare();
    if (was_refused) {
        return fail(ErrorCode::unavailable, "no file descriptor left: a connection was refused");
    }
    return fail(ErrorCode::io, "no file descriptor left");
}

void TcpListener::keep_spare() {
    spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

Address TcpListener::local_address() const {
    sockaddr_in6 raw{};
    socklen_t size = sizeof(raw);
    auto* generic = reinterpret_cast<sockaddr*>(&raw);
    return ::getsockname(fd(), generic, &size) == 0 ? Address::from_kernel(generic, size) : Address();
}

}  // namespace muster::net
