#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/address.h"
#include "net/address_range.h"
#include "net/tls_context.h"

namespace muster {

/// How MQTT is carried: as it is or over WebSocket, each with TLS or without.
enum class ListenerKind : std::uint8_t { mqtt, mqtts, ws, wss };
[[nodiscard]] std::string_view name_of(ListenerKind kind);

/// One address on which a gateway listens, and by what rules.
struct ListenerOptions {
    ListenerKind kind = ListenerKind::mqtt;
    net::Address address = *net::Address::parse("127.0.0.1:1883");
    std::string path = "/mqtt";  ///< of WebSocket
    net::TlsServerOptions tls{};
    /// What in the client's certificate is the device id that CONNECT must give. none: any valid id is taken.
    net::CertificateName identity = net::CertificateName::none;
    bool has_proxy_header = false;  ///< each connection begins with a PROXY header, version 2
    /// Who may connect when it does: the load balancers.
    std::vector<net::AddressRange> proxies{};
    std::size_t connections_max = 1'000'000;

    [[nodiscard]] bool has_tls() const { return kind == ListenerKind::mqtts || kind == ListenerKind::wss; }
    [[nodiscard]] bool has_websocket() const { return kind == ListenerKind::ws || kind == ListenerKind::wss; }
    /// "wss://127.0.0.1:8443/mqtt", with another address: the one that the kernel gave.
    [[nodiscard]] std::string url(const net::Address& at) const;
};

/// What --tls-* says for all listeners; a listener's own words win.
struct ListenerDefaults {
    std::string certificate_file{};
    std::string key_file{};
    std::string client_ca_file{};
    std::string crl_file{};
};

/// Reads KIND://ADDRESS:PORT[/PATH][?OPTION=VALUE&...]. Options: cert, key, client-ca, crl (files), min-version (1.2,
/// 1.3), client-certificate (required, optional, none), identity (cn, san-uri, san-dns, none), proxy (on, off),
/// proxy-from (address ranges, joined by commas), connections-max. Then checks it as check_listener() does.
[[nodiscard]] Result<ListenerOptions> parse_listener(std::string_view text, const ListenerDefaults& defaults);

/// Shut by default (G10): without TLS only on loopback; with TLS beyond it, nobody becomes a device without a
/// certificate. Says what to do.
[[nodiscard]] Result<void> check_listener(const ListenerOptions& options);

}  // namespace muster
