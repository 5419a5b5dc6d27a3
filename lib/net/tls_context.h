#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// OpenSSL's own names for SSL_CTX and SSL: its headers are included by lib/net's .cpp files only.
struct ssl_ctx_st;
struct ssl_st;

namespace muster::net {

enum class TlsVersion : std::uint8_t { v1_2, v1_3 };

/// Whether a server asks its clients for a certificate. One that is shown must be valid, asked for or required.
enum class ClientCertificate : std::uint8_t { none, optional, required };

/// What names the peer in its certificate.
enum class CertificateName : std::uint8_t {
    none,
    common_name,  ///< the subject's CN, if there is exactly one
    san_uri,      ///< the first URI of the subject alternative names, what follows its last '/'
    san_dns,      ///< the first DNS name of the subject alternative names
};

/// Names a certificate by its issuer and serial number: what a revocation list holds. 64 bits of their SHA-256.
using CertificateId = std::uint64_t;

/// What a TLS server is told. Files are PEM.
struct TlsServerOptions {
    std::string certificate_file{};  ///< the server's own, then the intermediate ones
    std::string key_file{};
    std::string client_ca_file{};  ///< who may issue client certificates; empty: nobody is asked
    std::string crl_file{};        ///< revocation lists of the client CAs; empty: none is checked
    TlsVersion version_min = TlsVersion::v1_2;
    ClientCertificate client_certificate = ClientCertificate::required;
    /// Application protocols (ALPN) that are agreed to. A client that offers none is served, one that offers only
    /// others is not.
    std::vector<std::string> protocols{};
    bool operator==(const TlsServerOptions&) const = default;
};

/// What a TLS client is told. Files are PEM.
struct TlsClientOptions {
    std::string ca_file{};           ///< who may issue the server's certificate
    std::string certificate_file{};  ///< empty: it has none
    std::string key_file{};
    std::vector<std::string> protocols{};
    TlsVersion version_max = TlsVersion::v1_3;
};

/// Keys, certificates, revocation lists and rules that TLS streams of one listener or client share. Immutable: new
/// files make a new context, and with it new ticket keys, so that no session begun under older lists can be resumed.
/// Any thread; lives as long as the last stream made from it.
class TlsContext final {
 public:
    /// Every error is one that an administrator can act on: it names the file.
    [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> server(const TlsServerOptions& options);
    [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> client(const TlsClientOptions& options);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    /// Whether a revocation list names any of these.
    [[nodiscard]] bool is_revoked(std::span<const CertificateId> certificates) const;
    [[nodiscard]] std::size_t revoked_certificates() const { return revoked_.size(); }
    [[nodiscard]] bool is_server() const { return is_server_; }
    [[nodiscard]] ssl_ctx_st* get() const { return context_; }

 private:
    explicit TlsContext(bool is_server);
    [[nodiscard]] Result<void> load_own(const std::string& certificate_file, const std::string& key_file);
    [[nodiscard]] Result<void> load_client_ca(const TlsServerOptions& options);
    [[nodiscard]] Result<void> load_crl(const std::string& file);
    [[nodiscard]] Result<void> set_protocols(const std::vector<std::string>& protocols);
    void set_server_rules(const TlsServerOptions& options);

    ssl_ctx_st* context_;
    std::string protocols_;               ///< as on the wire: each after its length
    std::vector<CertificateId> revoked_;  ///< sorted
    bool is_server_;
};

}  // namespace muster::net
