#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/tls_context.h"

namespace muster::net {

/// Why a TLS handshake failed.
enum class TlsFailure : std::uint8_t {
    none,
    not_tls,  ///< the first bytes are something else
    version,  ///< the peer speaks only older versions than are allowed
    no_shared_cipher,
    protocol_not_agreed,  ///< ALPN: it offers only protocols that are not served
    certificate_missing,
    certificate_untrusted,  ///< not issued by a known authority, or not for this purpose
    certificate_expired,    ///< or not yet valid
    certificate_revoked,
    revocation_list_unusable,  ///< it has expired, or there is none of this authority
    refused_by_peer,           ///< the peer sent an alert
    peer_gone,
    other,
};

/// The TLS of one connection, on a non-blocking descriptor that it does not own and that is passed in: it may change
/// threads with its connection. read() and write() shake hands first. Bounded by OpenSSL: one record of 16 KB each way,
/// only while bytes are in it.
class TlsStream final {
 public:
    /// `server_name`, of a client: who the certificate must be for, a name or an address; empty: anybody.
    TlsStream(std::shared_ptr<const TlsContext> context, int fd, const std::string& server_name = {});
    ~TlsStream();
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    /// How many bytes were read, at least 1. would_block: none now. closed: the peer has ended or failed; failure()
    /// says why when it was the handshake.
    [[nodiscard]] Result<std::size_t> read(std::span<char> into);
    /// How many bytes were taken, perhaps only some. would_block: none now; call again with the same bytes first.
    [[nodiscard]] Result<std::size_t> write(std::string_view bytes);
    /// Tells the peer that nothing follows (close_notify), as far as the socket takes it. Does not wait for an answer.
    void shut_down();

    /// The last call could not go on because the socket takes no more: call again when it is writable.
    [[nodiscard]] bool wants_to_write() const;
    [[nodiscard]] bool is_established() const { return is_established_; }
    /// The handshake went on from an earlier session, without certificates.
    [[nodiscard]] bool was_resumed() const;
    [[nodiscard]] TlsFailure failure() const { return failure_; }

    // Of an established stream.

    /// The peer's name in its verified certificate; empty: it has shown none, or the certificate has no such name.
    [[nodiscard]] std::string peer_name(CertificateName kind) const;
    [[nodiscard]] bool has_peer_certificate() const;
    /// The peer's certificate and those between it and the root.
    [[nodiscard]] std::vector<CertificateId> peer_certificates() const;
    /// "TLSv1.3".
    [[nodiscard]] std::string_view version() const;
    /// ALPN; empty: none was agreed.
    [[nodiscard]] std::string_view protocol() const;

    /// Of a client: what the server gave to resume this session with; null when it has given nothing yet.
    [[nodiscard]] std::shared_ptr<void> session() const;
    /// Of a client, before the first read or write.
    void resume(const std::shared_ptr<void>& session);

 private:
    [[nodiscard]] Result<void> shake_hands();
    [[nodiscard]] tl::unexpected<Error> fail_after(int result);

    std::shared_ptr<const TlsContext> context_;
    int fd_;  ///< where OpenSSL finds it: this object stays in its place
    ssl_st* tls_;
    bool is_established_ = false;
    bool is_broken_ = false;
    TlsFailure failure_ = TlsFailure::none;
};

}  // namespace muster::net
