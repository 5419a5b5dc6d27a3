#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/transport_failure.h"
#include "net/address.h"
#include "net/tcp_socket.h"
#include "net/tls_stream.h"
#include "websocket/server_stream.h"

namespace muster {

class Listener;

/// What stands between the socket and MQTT on connections that are not plain TCP: the load balancer's PROXY header,
/// then TLS, then WebSocket, each where the listener asks for it. Owned by its connection, whose socket is passed in;
/// passes between threads with it. A plain connection has none. Bounded: a header of 2 KB, an upgrade of 8 KB, one
/// piece of output of 16 KB, and what OpenSSL keeps of a record.
class Transport final {
 public:
    explicit Transport(Listener& listener);

    /// The next bytes of MQTT. 0: something was read, but nothing of MQTT; ask again. would_block: nothing more now.
    /// closed: the peer has gone or broke a rule: see failure().
    [[nodiscard]] Result<std::size_t> read(const net::TcpSocket& socket, std::span<char> into);
    /// How many of `bytes` were taken, perhaps 0; what was taken and not yet sent counts in unsent_bytes(). Before
    /// there is somebody to whom MQTT could be said, everything is taken and forgotten.
    [[nodiscard]] Result<std::size_t> write(const net::TcpSocket& socket, std::string_view bytes);
    /// Says that nothing follows, as far as the socket takes it: WebSocket's close frame, TLS's close_notify.
    void shut_down(const net::TcpSocket& socket);

    [[nodiscard]] std::size_t unsent_bytes() const { return pending_.size(); }
    /// It could not go on reading because the socket takes no more: read when it is writable.
    [[nodiscard]] bool wants_to_write() const { return tls_ && tls_->wants_to_write(); }

    /// The next read would begin a TLS handshake: the worker's HandshakeGate decides when.
    [[nodiscard]] bool awaits_handshake() const;
    void begin_handshake(const net::TcpSocket& socket);
    /// Null before the handshake begins, and without TLS.
    [[nodiscard]] const net::TlsStream* tls() const { return tls_.get(); }

    [[nodiscard]] TransportFailure failure() const { return failure_; }
    /// The client, when a load balancer told it.
    [[nodiscard]] const std::optional<net::Address>& client() const { return client_; }
    /// The device id that the client's certificate says; empty: it has none.
    [[nodiscard]] const std::string& certified_name() const { return certified_name_; }
    [[nodiscard]] bool has_certificate() const { return has_certificate_; }
    /// By the listener's newest lists.
    [[nodiscard]] bool is_revoked() const;
    [[nodiscard]] Listener& listener() const { return listener_; }

    /// Waits in the HandshakeGate's line.
    bool is_in_line = false;

 private:
    [[nodiscard]] bool is_open() const;
    [[nodiscard]] Result<std::size_t> read_proxy_header(const net::TcpSocket& socket);
    [[nodiscard]] Result<std::size_t> read_below(const net::TcpSocket& socket, std::span<char> into);
    [[nodiscard]] Result<void> meet_client();
    /// Sends what the socket takes; how many bytes that is.
    [[nodiscard]] Result<std::size_t> write_below(const net::TcpSocket& socket, std::string_view bytes);
    [[nodiscard]] Result<void> send_pending(const net::TcpSocket& socket);
    [[nodiscard]] tl::unexpected<Error> fail_with(TransportFailure failure, std::string_view why);

    Listener& listener_;
    std::unique_ptr<std::string> proxy_header_;  ///< as far as it has come; null when none is expected any more
    std::unique_ptr<net::TlsStream> tls_;
    std::unique_ptr<websocket::ServerStream> websocket_;
    std::string pending_;  ///< WebSocket's frames and answers, on their way down
    std::optional<net::Address> client_;
    std::string certified_name_;
    std::vector<net::CertificateId> certificates_;
    TransportFailure failure_ = TransportFailure::none;
    bool has_certificate_ = false;
};

}  // namespace muster
