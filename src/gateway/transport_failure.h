#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/tls_stream.h"

namespace muster {

/// Why a connection failed below MQTT: a label of muster_gateway_transport_failures_total.
enum class TransportFailure : std::uint8_t {
    none,
    proxy_untrusted,  ///< the peer is none of the listener's load balancers
    proxy_missing,    ///< the first bytes are no PROXY header
    proxy_version_1,  ///< they are one of version 1
    proxy_malformed,
    websocket_refused,          ///< the upgrade was answered with an HTTP error
    websocket_broken,           ///< frames against the protocol or over a limit
    certificate_revoked_since,  ///< after the handshake, by a newer list
    tls_not_tls,                ///< from here on as net::TlsFailure
    tls_version,
    tls_no_shared_cipher,
    tls_protocol_not_agreed,
    tls_certificate_missing,
    tls_certificate_untrusted,
    tls_certificate_expired,
    tls_certificate_revoked,
    tls_revocation_list_unusable,
    tls_refused_by_peer,
    tls_peer_gone,
    tls_other,
};
inline constexpr std::size_t transport_failures = 20;
[[nodiscard]] std::string_view name_of(TransportFailure failure);
/// none for none.
[[nodiscard]] TransportFailure transport_failure(net::TlsFailure failure);

}  // namespace muster
