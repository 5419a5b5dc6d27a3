#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/result.h"
#include "gateway/listener_options.h"
#include "net/tcp_listener.h"
#include "net/tls_context.h"
#include "websocket/upgrade.h"

namespace muster {

/// One listening address of a gateway, and what the connections that came in there share. Owned by the Gateway,
/// outlives its workers. Any thread.
class Listener final {
 public:
    /// One socket for each of `threads`. Every error is one that an administrator can act on.
    [[nodiscard]] static Result<std::unique_ptr<Listener>> open(ListenerOptions options, std::size_t threads);

    [[nodiscard]] const ListenerOptions& options() const { return options_; }
    [[nodiscard]] const net::Address& address() const { return address_; }
    [[nodiscard]] std::string url() const { return options_.url(address_); }
    [[nodiscard]] const websocket::ServerRules& websocket_rules() const { return websocket_rules_; }
    /// Before the workers start: the socket of one of them.
    [[nodiscard]] net::TcpListener take_socket(std::size_t thread) { return std::move(sockets_[thread]); }

    /// Something stands between its sockets and MQTT.
    [[nodiscard]] bool has_transport() const {
        return options_.has_proxy_header || options_.has_tls() || options_.has_websocket();
    }
    [[nodiscard]] bool trusts_proxy(const net::Address& peer) const;
    /// As of the last time its files were read; null without TLS.
    [[nodiscard]] std::shared_ptr<const net::TlsContext> tls() const;
    [[nodiscard]] bool is_revoked(std::span<const net::CertificateId> certificates) const;
    /// Reads its files again. When it fails, the old keys and lists go on.
    [[nodiscard]] Result<void> reload_tls();

    std::atomic<std::size_t> connections{0};

 private:
    Listener(ListenerOptions options, std::vector<net::TcpListener> sockets);

    const ListenerOptions options_;
    std::vector<net::TcpListener> sockets_;
    const net::Address address_;
    websocket::ServerRules websocket_rules_;
    mutable std::mutex mutex_;
    std::shared_ptr<const net::TlsContext> tls_;  ///< under mutex
};

}  // namespace muster
