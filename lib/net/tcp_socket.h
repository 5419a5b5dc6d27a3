#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include <sys/uio.h>

#include "base/result.h"
#include "net/address.h"
#include "net/descriptor.h"

namespace muster::net {

/// One TCP connection: owns its non-blocking descriptor, nothing else. Used by one thread.
class TcpSocket final {
 public:
    TcpSocket() = default;
    explicit TcpSocket(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

    /// Begins to connect, from `source` (port 0: the kernel chooses one for each destination, so that every source
    /// address gives another 28,000 connections). Ready when writable: then ask connect_result().
    [[nodiscard]] static Result<TcpSocket> connect(const Address& to, const std::optional<Address>& source = {});
    /// unavailable with the kernel's reason when the connection could not be made.
    [[nodiscard]] Result<void> connect_result() const;

    /// How many bytes were read, at least 1. would_block: none now; closed: the peer has ended or reset the connection.
    [[nodiscard]] Result<std::size_t> read(std::span<char> into) const;
    /// How many bytes the kernel took. would_block: none now; closed: the connection is gone.
    [[nodiscard]] Result<std::size_t> write(std::string_view bytes) const;
    [[nodiscard]] Result<std::size_t> write(std::span<const iovec> pieces) const;

    /// Sends small packets at once (TCP_NODELAY): an acknowledgement must not wait for the peer's delayed ACK.
    void set_no_delay() const;
    /// close() will reset the connection instead of waiting for the peer in the kernel.
    void set_reset_on_close() const;
    void shutdown_write() const;
    void close() { descriptor_.reset(); }

    [[nodiscard]] Address local_address() const;
    [[nodiscard]] Address peer_address() const;
    [[nodiscard]] int fd() const { return descriptor_.get(); }
    [[nodiscard]] bool is_open() const { return static_cast<bool>(descriptor_); }

 private:
    Descriptor descriptor_;
};

}  // namespace muster::net
