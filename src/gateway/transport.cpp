#include "gateway/transport.h"

#include <algorithm>

#include "base/assert.h"
#include "gateway/listener.h"
#include "net/proxy_header.h"

namespace muster {
namespace {

constexpr std::size_t frame_payload_bytes_max = 16UL * 1024;  // as large as TLS's records

TransportFailure failure_of_start(const Error& error) {
    switch (error.code) {
        case ErrorCode::unsupported:
            return TransportFailure::proxy_version_1;
        case ErrorCode::too_large:
            return TransportFailure::proxy_malformed;
        default:
            return TransportFailure::proxy_missing;
    }
}

TransportFailure failure_of(websocket::ServerStream::State state) {
    switch (state) {
        case websocket::ServerStream::State::refused:
            return TransportFailure::websocket_refused;
        case websocket::ServerStream::State::broken:
            return TransportFailure::websocket_broken;
        default:
            return TransportFailure::none;
    }
}

}  // namespace

Transport::Transport(Listener& listener) : listener_(listener) {
    if (listener.options().has_proxy_header) {
        proxy_header_ = std::make_unique<std::string>();
    }
    if (listener.options().has_websocket()) {
        websocket_ = std::make_unique<websocket::ServerStream>(listener.websocket_rules());
    }
}

// ---- reading

Result<std::size_t> Transport::read(const net::TcpSocket& socket, std::span<char> into) {
    using State = websocket::ServerStream::State;
    if (failure_ != TransportFailure::none) {
        return fail(ErrorCode::closed, "the connection has failed");
    }
    if (proxy_header_) {
        return read_proxy_header(socket);
    }
    if (websocket_ && websocket_->state() != State::open && websocket_->state() != State::upgrading) {
        return fail_with(failure_of(websocket_->state()), "the WebSocket is closed");
    }
    Result<std::size_t> got = read_below(socket, into);
    if (!got || !websocket_) {
        return got;
    }
    got = websocket_->receive(into.first(*got), pending_);
    if (!got) {
        return fail_with(failure_of(websocket_->state()), got.error().text);
    }
    return got;
}

// Takes not a byte more than the header from the socket: what follows belongs to the next stage.
Result<std::size_t> Transport::read_proxy_header(const net::TcpSocket& socket) {
    std::string& header = *proxy_header_;
    const Result<std::size_t> wanted = net::proxy_header_bytes(header);
    MUSTER_ASSERT(wanted && *wanted > header.size());
    const std::size_t before = header.size();
    header.resize(*wanted);
    Result<std::size_t> got = socket.read(std::span(header).subspan(before));
    header.resize(before + (got ? *got : 0));
    if (!got) {
        return got;
    }
    const Result<std::size_t> bytes = net::proxy_header_bytes(header);
    if (!bytes) {
        return fail_with(failure_of_start(bytes.error()), bytes.error().text);
    }
    if (header.size() < *bytes) {
        return 0;
    }
    auto parsed = net::parse_proxy_header(header);
    if (!parsed) {
        return fail_with(TransportFailure::proxy_malformed, parsed.error().text);
    }
    client_ = parsed->client;
    if (listener_.options().identity == net::CertificateName::common_name) {
        certified_name_ = std::move(parsed->certificate_name);
        has_certificate_ = !certified_name_.empty();
    }
    proxy_header_.reset();
    return 0;
}

Result<std::size_t> Transport::read_below(const net::TcpSocket& socket, std::span<char> into) {
    if (!listener_.options().has_tls()) {
        return socket.read(into);
    }
    MUSTER_ASSERT(tls_ != nullptr);  // begin_handshake() comes first
    const bool was_established = tls_->is_established();
    Result<std::size_t> got = tls_->read(into);
    if (!was_established && tls_->is_established()) {
        if (const Result<void> met = meet_client(); !met) {
            return tl::unexpected(met.error());
        }
    }
    if (!got && got.error().code == ErrorCode::closed) {
        failure_ = transport_failure(tls_->failure());
    }
    return got;
}

// Who the client is, when the handshake is over. What was read in the same call is worth nothing when it fails.
Result<void> Transport::meet_client() {
    if (!tls_->has_peer_certificate()) {
        return {};
    }
    has_certificate_ = true;
    certified_name_ = tls_->peer_name(listener_.options().identity);
    certificates_ = tls_->peer_certificates();
    if (is_revoked()) {  // by a list that came while the hands were shaken
        return fail_with(TransportFailure::certificate_revoked_since, "the certificate is revoked");
    }
    return {};
}

bool Transport::is_revoked() const {
    return !certificates_.empty() && listener_.is_revoked(certificates_);
}

bool Transport::awaits_handshake() const {
    return listener_.options().has_tls() && !tls_ && !proxy_header_;
}

void Transport::begin_handshake(const net::TcpSocket& socket) {
    is_in_line = false;
    tls_ = std::make_unique<net::TlsStream>(listener_.tls(), socket.fd());
}

// ---- writing

bool Transport::is_open() const {
    return !proxy_header_ && (!listener_.options().has_tls() || (tls_ && tls_->is_established())) &&
           (!websocket_ || websocket_->state() == websocket::ServerStream::State::open);
}

Result<std::size_t> Transport::write(const net::TcpSocket& socket, std::string_view bytes) {
    if (!is_open()) {
        return send_pending(socket).map([&] { return bytes.size(); });
    }
    if (!websocket_) {
        return write_below(socket, bytes);
    }
    std::size_t taken = 0;
    while (true) {
        if (const Result<void> sent = send_pending(socket); !sent) {
            return tl::unexpected(sent.error());
        }
        if (!pending_.empty() || taken == bytes.size()) {
            return taken;
        }
        const std::string_view piece = bytes.substr(taken, frame_payload_bytes_max);
        websocket_->send(piece, pending_);
        taken += piece.size();
    }
}

Result<void> Transport::send_pending(const net::TcpSocket& socket) {
    if (pending_.empty()) {
        return {};
    }
    const Result<std::size_t> sent = write_below(socket, pending_);
    if (!sent) {
        return tl::unexpected(sent.error());
    }
    if (*sent == pending_.size()) {
        pending_ = {};  // an idle connection keeps no buffer
    } else {
        pending_.erase(0, *sent);
    }
    return {};
}

Result<std::size_t> Transport::write_below(const net::TcpSocket& socket, std::string_view bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {  // TLS takes one record at a time
        const std::string_view rest = bytes.substr(sent);
        const Result<std::size_t> written = tls_ ? tls_->write(rest) : socket.write(rest);
        if (!written && written.error().code == ErrorCode::would_block) {
            break;
        }
        if (!written) {
            return written;
        }
        sent += *written;
    }
    return sent;
}

void Transport::shut_down(const net::TcpSocket& socket) {
    if (websocket_ && is_open()) {
        websocket_->close(websocket::CloseCode::normal, pending_);
    }
    (void)send_pending(socket);
    if (tls_) {
        tls_->shut_down();
    }
}

tl::unexpected<Error> Transport::fail_with(TransportFailure failure, std::string_view why) {
    failure_ = failure;
    return fail(ErrorCode::closed, why);
}

}  // namespace muster
