#include "gateway/listener.h"

#include <algorithm>

#include "net/digest.h"

namespace muster {

Result<std::unique_ptr<Listener>> Listener::open(ListenerOptions options, std::size_t threads) {
    if (const Result<void> checked = check_listener(options); !checked) {
        return tl::unexpected(checked.error());
    }
    Result<std::vector<net::TcpListener>> sockets = net::TcpListener::open(options.address, threads);
    if (!sockets) {
        Error error = sockets.error();
        if (error.code == ErrorCode::conflict) {
            error.text = "another program already listens on the MQTT address; choose another port";
        }
        return tl::unexpected(std::move(error));
    }
    std::unique_ptr<Listener> listener(new Listener(std::move(options), std::move(*sockets)));
    if (const Result<void> loaded = listener->reload_tls(); !loaded) {
        return tl::unexpected(loaded.error());
    }
    return listener;
}

Listener::Listener(ListenerOptions options, std::vector<net::TcpListener> sockets)
    : options_(std::move(options)), sockets_(std::move(sockets)), address_(sockets_.front().local_address()) {
    websocket_rules_.path = options_.path;
    websocket_rules_.sha1_base64 = net::sha1_base64;
}

bool Listener::trusts_proxy(const net::Address& peer) const {
    return std::any_of(options_.proxies.begin(), options_.proxies.end(),
                       [&](const net::AddressRange& range) { return range.contains(peer); });
}

std::shared_ptr<const net::TlsContext> Listener::tls() const {
    const std::lock_guard lock(mutex_);
    return tls_;
}

bool Listener::is_revoked(std::span<const net::CertificateId> certificates) const {
    const std::shared_ptr<const net::TlsContext> now = tls();
    return now && now->is_revoked(certificates);
}

Result<void> Listener::reload_tls() {
    if (!options_.has_tls()) {
        return {};
    }
    Result<std::shared_ptr<const net::TlsContext>> loaded = net::TlsContext::server(options_.tls);
    if (!loaded) {
        return tl::unexpected(loaded.error());
    }
    const std::lock_guard lock(mutex_);
    tls_ = std::move(*loaded);
    return {};
}

}  // namespace muster
