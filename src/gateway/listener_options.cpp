#include "gateway/listener_options.h"

#include <array>
#include <charconv>
#include <utility>

namespace muster {
namespace {

using net::CertificateName;
using net::ClientCertificate;
using net::TlsVersion;

template <class Value>
using Words = std::pair<std::string_view, Value>;

constexpr std::array kinds = {
    Words<ListenerKind>{"mqtt", ListenerKind::mqtt}, Words<ListenerKind>{"mqtts", ListenerKind::mqtts},
    Words<ListenerKind>{"ws", ListenerKind::ws}, Words<ListenerKind>{"wss", ListenerKind::wss}};
constexpr std::array versions = {Words<TlsVersion>{"1.2", TlsVersion::v1_2},
                                 Words<TlsVersion>{"1.3", TlsVersion::v1_3}};
constexpr std::array client_certificates = {Words<ClientCertificate>{"required", ClientCertificate::required},
                                            Words<ClientCertificate>{"optional", ClientCertificate::optional},
                                            Words<ClientCertificate>{"none", ClientCertificate::none}};
constexpr std::array identities = {Words<CertificateName>{"cn", CertificateName::common_name},
                                   Words<CertificateName>{"san-uri", CertificateName::san_uri},
                                   Words<CertificateName>{"san-dns", CertificateName::san_dns},
                                   Words<CertificateName>{"none", CertificateName::none}};
constexpr std::array switches = {Words<bool>{"on", true}, Words<bool>{"off", false}};

// What clients offer by ALPN: MQTT's own name, AWS devices' name for mTLS on port 443, and HTTP/1.1 under WebSocket.
constexpr std::array mqtt_protocols = {"mqtt", "x-amzn-mqtt-ca"};
constexpr std::array websocket_protocols = {"http/1.1"};

tl::unexpected<Error> bad_option(std::string_view key, std::string_view value) {
    return fail(ErrorCode::invalid_argument, "a listener has no such option or value; see 'muster serve --help'",
                std::string(key) + "=" + std::string(value));
}

template <class Value, std::size_t size>
Result<void> choose(const std::array<Words<Value>, size>& words, std::string_view key, std::string_view text,
                    Value& out) {
    for (const auto& [word, value] : words) {
        if (word == text) {
            out = value;
            return {};
        }
    }
    return bad_option(key, text);
}

/// Splits off what stands before the separator; all of it when there is none.
std::string_view take_until(std::string_view& text, char separator) {
    const std::size_t at = text.find(separator);
    const std::string_view taken = text.substr(0, at);
    text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
    return taken;
}

Result<void> read_ranges(std::string_view text, std::vector<net::AddressRange>& out) {
    while (!text.empty()) {
        const auto range = net::AddressRange::parse(take_until(text, ','));
        if (!range) {
            return tl::unexpected(range.error());
        }
        out.push_back(*range);
    }
    return {};
}

Result<void> read_option(std::string_view key, std::string_view value, ListenerOptions& options) {
    const std::pair<std::string_view, std::string*> files[] = {{"cert", &options.tls.certificate_file},
                                                               {"key", &options.tls.key_file},
                                                               {"client-ca", &options.tls.client_ca_file},
                                                               {"crl", &options.tls.crl_file}};
    for (const auto& [name, file] : files) {
        if (name == key) {
            *file = value;
            return {};
        }
    }
    if (key == "min-version") {
        return choose(versions, key, value, options.tls.version_min);
    }
    if (key == "client-certificate") {
        return choose(client_certificates, key, value, options.tls.client_certificate);
    }
    if (key == "identity") {
        return choose(identities, key, value, options.identity);
    }
    if (key == "proxy") {
        return choose(switches, key, value, options.has_proxy_header);
    }
    if (key == "proxy-from") {
        return read_ranges(value, options.proxies);
    }
    if (key == "connections-max") {
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options.connections_max);
        const bool is_whole = error == std::errc{} && end == value.data() + value.size();
        return is_whole && options.connections_max > 0 ? Result<void>() : bad_option(key, value);
    }
    return bad_option(key, value);
}

Result<void> check_tls(const ListenerOptions& options) {
    const net::TlsServerOptions& tls = options.tls;
    const std::string where = options.url(options.address);
    if (tls.certificate_file.empty() || tls.key_file.empty()) {
        return fail(ErrorCode::invalid_argument,
                    "TLS needs a certificate and its key: give --tls-cert and --tls-key (PEM files)", where);
    }
    if (tls.client_certificate != ClientCertificate::none && tls.client_ca_file.empty()) {
        return fail(ErrorCode::invalid_argument,
                    "devices show certificates over TLS: give the authority that issues them by --tls-client-ca, or "
                    "let operators alone in by ?client-certificate=none",
                    where);
    }
    const bool anybody_is_a_device =
        options.identity == CertificateName::none && tls.client_certificate != ClientCertificate::required;
    if (anybody_is_a_device && !options.address.is_loopback()) {
        return fail(ErrorCode::forbidden,
                    "beyond loopback a device needs a certificate: ?identity=none goes with "
                    "?client-certificate=required only",
                    where);
    }
    return {};
}

}  // namespace

std::string_view name_of(ListenerKind kind) {
    return kinds.at(static_cast<std::size_t>(kind)).first;
}

std::string ListenerOptions::url(const net::Address& at) const {
    return std::string(name_of(kind)) + "://" + at.to_string() + (has_websocket() ? path : std::string());
}

Result<ListenerOptions> parse_listener(std::string_view text, const ListenerDefaults& defaults) {
    const std::string_view whole = text;
    ListenerOptions options;
    const std::size_t scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos ||
        !choose(kinds, "kind", text.substr(0, scheme_end), options.kind).has_value()) {
        return fail(ErrorCode::invalid_argument, "a listener is mqtt://, mqtts://, ws:// or wss:// and address:port",
                    std::string(whole));
    }
    text.remove_prefix(scheme_end + 3);
    std::string_view place = take_until(text, '?');
    const std::size_t path_at = place.find('/');
    if (path_at != std::string_view::npos) {
        if (!options.has_websocket()) {
            return fail(ErrorCode::invalid_argument, "only ws:// and wss:// have a path", std::string(whole));
        }
        options.path = place.substr(path_at);
    }
    const auto address = net::Address::parse(place.substr(0, path_at));
    if (!address) {
        return tl::unexpected(address.error());
    }
    options.address = *address;
    options.tls.certificate_file = defaults.certificate_file;
    options.tls.key_file = defaults.key_file;
    options.tls.client_ca_file = defaults.client_ca_file;
    options.tls.crl_file = defaults.crl_file;
    bool says_identity = false;
    while (!text.empty()) {
        std::string_view value = take_until(text, '&');
        const std::string_view key = take_until(value, '=');
        says_identity = says_identity || key == "identity";
        if (const Result<void> read = read_option(key, value, options); !read) {
            return tl::unexpected(read.error());
        }
    }
    // A load balancer stands between a plain listener and the world: it, too, tells who the certificate is for.
    if (!says_identity && (options.has_tls() || options.has_proxy_header)) {
        options.identity = CertificateName::common_name;
    }
    if (options.has_proxy_header && options.proxies.empty()) {
        options.proxies = {*net::AddressRange::parse("127.0.0.0/8"), *net::AddressRange::parse("::1")};
    }
    if (options.has_tls() && options.has_websocket()) {
        options.tls.protocols.assign(websocket_protocols.begin(), websocket_protocols.end());
    } else if (options.has_tls()) {
        options.tls.protocols.assign(mqtt_protocols.begin(), mqtt_protocols.end());
    }
    return check_listener(options).map([&] { return options; });
}

Result<void> check_listener(const ListenerOptions& options) {
    if (options.has_tls()) {
        return check_tls(options);
    }
    if (!options.address.is_loopback()) {
        return fail(ErrorCode::forbidden,
                    "MQTT without TLS is served on loopback only, this machine's own: listen on 127.0.0.1 or [::1], or "
                    "with TLS by --listen mqtts://ADDRESS:PORT",
                    options.address.to_string());
    }
    if (options.identity != CertificateName::none && !options.has_proxy_header) {
        return fail(ErrorCode::invalid_argument,
                    "without TLS only a load balancer can tell what a certificate says: ?identity goes with ?proxy=on",
                    options.url(options.address));
    }
    return {};
}

}  // namespace muster
