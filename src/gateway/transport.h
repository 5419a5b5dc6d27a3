#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/address.h"
#include "net/tcp_socket.h"

namespace muster {

/// Why a connection failed below MQTT.
enum class TransportFailure : std::uint8_t {
    none,
    proxy_missing,    ///< the first bytes are no PROXY header
    proxy_version_1,  ///< they are one of version 1
    proxy_malformed,
};
inline constexpr std::size_t transport_failures = 4;
[[nodiscard]] std::string_view name_of(TransportFailure failure);

/// What stands between the socket and MQTT on connections that are not plain: the load balancer's PROXY header. Owned
/// by its connection, whose socket is passed in; passes between threads with it. A plain connection has none.
class Transport final {
 public:
    explicit Transport(bool expects_proxy_header);

    /// The next bytes of MQTT. 0: something was read, but nothing of MQTT; ask again. would_block: nothing more now.
    /// closed: the peer has gone or broke a rule: see failure().
    [[nodiscard]] Result<std::size_t> read(const net::TcpSocket& socket, std::span<char> into);
    /// How many of `bytes` were taken; what was taken and not yet sent counts in unsent_bytes(). Never would_block: 0.
    [[nodiscard]] Result<std::size_t> write(const net::TcpSocket& socket, std::string_view bytes);
    [[nodiscard]] std::size_t unsent_bytes() const { return 0; }
    /// It could not go on reading because the socket takes no more: read when it is writable.
    [[nodiscard]] bool wants_to_write() const { return false; }

    [[nodiscard]] TransportFailure failure() const { return failure_; }
    /// The client, when a load balancer told it.
    [[nodiscard]] const std::optional<net::Address>& client() const { return client_; }

 private:
    [[nodiscard]] Result<std::size_t> read_proxy_header(const net::TcpSocket& socket);
    [[nodiscard]] tl::unexpected<Error> fail_with(TransportFailure failure, const Error& error);

    std::unique_ptr<std::string> proxy_header_;  ///< as far as it has come; null when none is expected any more
    std::optional<net::Address> client_;
    TransportFailure failure_ = TransportFailure::none;
};

}  // namespace muster
