#include "gateway/transport_failure.h"

#include <array>

namespace muster {
namespace {

constexpr std::array<std::string_view, transport_failures> names = {
    "none",
    "proxy_untrusted",
    "proxy_missing",
    "proxy_version_1",
    "proxy_malformed",
    "websocket_refused",
    "websocket_broken",
    "certificate_revoked_since",
    "tls_not_tls",
    "tls_version",
    "tls_no_shared_cipher",
    "tls_protocol_not_agreed",
    "tls_certificate_missing",
    "tls_certificate_untrusted",
    "tls_certificate_expired",
    "tls_certificate_revoked",
    "tls_revocation_list_unusable",
    "tls_refused_by_peer",
    "tls_peer_gone",
    "tls_other",
};

constexpr auto first_tls = static_cast<std::size_t>(TransportFailure::tls_not_tls) - 1;
static_assert(first_tls + static_cast<std::size_t>(net::TlsFailure::other) ==
              static_cast<std::size_t>(TransportFailure::tls_other));
static_assert(static_cast<std::size_t>(TransportFailure::tls_other) + 1 == transport_failures);

}  // namespace

std::string_view name_of(TransportFailure failure) {
    return names.at(static_cast<std::size_t>(failure));
}

TransportFailure transport_failure(net::TlsFailure failure) {
    return failure == net::TlsFailure::none
               ? TransportFailure::none
               : static_cast<TransportFailure>(first_tls + static_cast<std::size_t>(failure));
}

}  // namespace muster
