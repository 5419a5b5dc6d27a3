#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "net/address.h"
#include "net/descriptor.h"
#include "net/tcp_socket.h"

namespace muster::net {

/// A listening TCP socket, non-blocking; used by one thread. Its backlog is the system's maximum (net.core.somaxconn):
/// a shorter one leaves a reconnect storm to SYN retransmission after 1, 3 and 7 s.
class TcpListener final {
 public:
    /// `count` listeners on one address, between which the kernel spreads connections (SO_REUSEPORT), one for each
    /// thread. Port 0: the kernel chooses one, the same for all. conflict: another program listens there; forbidden: a
    /// port below 1024 without the right to it; io: the address is not this machine's.
    [[nodiscard]] static Result<std::vector<TcpListener>> open(const Address& address, std::size_t count = 1);

    /// A connection that is waiting, with its peer; it sends small packets at once (TCP_NODELAY). would_block: none.
    /// closed: it went away while it waited. unavailable: the process or the system has no descriptor left: the
    /// connection was refused by closing it. io: as unavailable, and it is still waiting, try again later.
    [[nodiscard]] Result<TcpSocket> accept(Address& peer);

    [[nodiscard]] Address local_address() const;
    [[nodiscard]] int fd() const { return descriptor_.get(); }

 private:
    explicit TcpListener(Descriptor descriptor) : descriptor_(std::move(descriptor)) { keep_spare(); }
    [[nodiscard]] static Result<TcpListener> open_one(const Address& address, bool shared);
    [[nodiscard]] Result<TcpSocket> refuse_for_want_of_descriptors();
    void keep_spare();

    Descriptor descriptor_;
    Descriptor spare_;  ///< given up when there is no descriptor left, to be able to accept and close
};

}  // namespace muster::net
