#include "net/tls_stream.h"

#include <algorithm>
#include <cerrno>
#include <limits>

#include <openssl/err.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "net/address.h"
#include "net/tls_openssl.h"

namespace muster::net {
namespace {

constexpr int alert_reasons = 1000;  // OpenSSL: 1000 + the number of the alert that the peer sent

// ---- OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE

int descriptor_of(BIO* bio) {
    return *static_cast<const int*>(BIO_get_data(bio));
}

int moved_or_retry(BIO* bio, ssize_t moved, int retry) {
    BIO_clear_retry_flags(bio);
    if (moved < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    } else if (moved == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    }
    return static_cast<int>(moved);
}

int read_socket(BIO* bio, char* into, int size) {
    return moved_or_retry(bio, ::recv(descriptor_of(bio), into, static_cast<std::size_t>(size), 0), BIO_FLAGS_READ);
}

int write_socket(BIO* bio, const char* bytes, int size) {
    return moved_or_retry(bio, ::send(descriptor_of(bio), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL),
                          BIO_FLAGS_WRITE);
}

long control_socket(BIO* bio, int command, long, void*) {
    switch (command) {
        case BIO_CTRL_FLUSH:
        case BIO_CTRL_DUP:
            return 1;
        case BIO_CTRL_EOF:
            return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
        default:
            return 0;
    }
}

int create_socket(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
}

const BIO_METHOD* socket_method() {
    static const BIO_METHOD* method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "muster socket");
        MUSTER_ASSERT(made != nullptr);
        BIO_meth_set_create(made, create_socket);
        BIO_meth_set_read(made, read_socket);
        BIO_meth_set_write(made, write_socket);
        BIO_meth_set_ctrl(made, control_socket);
        return made;  // for the life of the process
    }();
    return method;
}

// ---- reasons

TlsFailure failure_of_verification(long result) {
    switch (result) {
        case X509_V_ERR_CERT_REVOKED:
            return TlsFailure::certificate_revoked;
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return TlsFailure::certificate_expired;
        case X509_V_ERR_CRL_HAS_EXPIRED:
        case X509_V_ERR_CRL_NOT_YET_VALID:
        case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        case X509_V_ERR_UNABLE_TO_GET_CRL:
            return TlsFailure::revocation_list_unusable;
        default:
            return TlsFailure::certificate_untrusted;
    }
}

TlsFailure failure_of_reason(int reason, const SSL* tls) {
    switch (reason) {
        case SSL_R_HTTP_REQUEST:
        case SSL_R_HTTPS_PROXY_REQUEST:
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_UNEXPECTED_MESSAGE:
        case SSL_R_BAD_RECORD_TYPE:
            return TlsFailure::not_tls;
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_VERSION_TOO_LOW:
        case SSL_R_WRONG_SSL_VERSION:
        case SSL_R_UNKNOWN_PROTOCOL:
            return TlsFailure::version;
        case SSL_R_NO_SHARED_CIPHER:
        case SSL_R_NO_SHARED_GROUPS:
        case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
        case SSL_R_NO_SUITABLE_KEY_SHARE:
            return TlsFailure::no_shared_cipher;
        case SSL_R_NO_APPLICATION_PROTOCOL:
            return TlsFailure::protocol_not_agreed;
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return TlsFailure::certificate_missing;
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            return failure_of_verification(SSL_get_verify_result(tls));
        case SSL_R_UNEXPECTED_EOF_WHILE_READING:
            return TlsFailure::peer_gone;
        default:
            return reason >= alert_reasons ? TlsFailure::refused_by_peer : TlsFailure::other;
    }
}

int int_size(std::size_t size) {
    return static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
}

}  // namespace

TlsStream::TlsStream(std::shared_ptr<const TlsContext> context, int fd, const std::string& server_name)
    : context_(std::move(context)), fd_(fd), tls_(SSL_new(context_->get())) {
    MUSTER_ASSERT(tls_ != nullptr);
    BIO* bio = BIO_new(socket_method());
    MUSTER_ASSERT(bio != nullptr);
    BIO_set_data(bio, &fd_);
    SSL_set_bio(tls_, bio, bio);
    if (context_->is_server()) {
        SSL_set_accept_state(tls_);
        return;
    }
    SSL_set_connect_state(tls_);
    if (server_name.empty()) {
        return;
    }
    X509_VERIFY_PARAM* rules = SSL_get0_param(tls_);
    if (X509_VERIFY_PARAM_set1_ip_asc(rules, server_name.c_str()) != 1) {
        (void)SSL_set1_host(tls_, server_name.c_str());
        (void)SSL_set_tlsext_host_name(tls_, server_name.c_str());
    }
}

TlsStream::~TlsStream() {
    SSL_free(tls_);
}

Result<void> TlsStream::shake_hands() {
    if (is_established_) {
        return {};
    }
    ERR_clear_error();
    if (const int result = SSL_do_handshake(tls_); result != 1) {
        return fail_after(result);
    }
    is_established_ = true;
    return {};
}

Result<std::size_t> TlsStream::read(std::span<char> into) {
    return shake_hands().and_then([&]() -> Result<std::size_t> {
        ERR_clear_error();
        const int got = SSL_read(tls_, into.data(), int_size(into.size()));
        if (got <= 0) {
            return fail_after(got);
        }
        return static_cast<std::size_t>(got);
    });
}

Result<std::size_t> TlsStream::write(std::string_view bytes) {
    return shake_hands().and_then([&]() -> Result<std::size_t> {
        ERR_clear_error();
        const int written = SSL_write(tls_, bytes.data(), int_size(bytes.size()));
        if (written <= 0) {
            return fail_after(written);
        }
        return static_cast<std::size_t>(written);
    });
}

tl::unexpected<Error> TlsStream::fail_after(int result) {
    const int kind = SSL_get_error(tls_, result);
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        return fail(ErrorCode::would_block, "the socket is not ready");
    }
    if (!is_established_ && failure_ == TlsFailure::none) {
        const bool has_words = kind == SSL_ERROR_SSL;
        failure_ = has_words ? failure_of_reason(ERR_GET_REASON(ERR_peek_error()), tls_) : TlsFailure::peer_gone;
    }
    // After these OpenSSL forbids any further call on the stream.
    is_broken_ = is_broken_ || kind == SSL_ERROR_SSL || kind == SSL_ERROR_SYSCALL;
    ERR_clear_error();
    return fail(ErrorCode::closed, "the TLS connection has ended");
}

void TlsStream::shut_down() {
    if (is_established_ && !is_broken_) {
        ERR_clear_error();
        (void)SSL_shutdown(tls_);
        ERR_clear_error();
    }
}

bool TlsStream::wants_to_write() const {
    return SSL_want_write(tls_) != 0;
}

bool TlsStream::was_resumed() const {
    return SSL_session_reused(tls_) == 1;
}

std::string TlsStream::peer_name(CertificateName kind) const {
    const X509* certificate = SSL_get0_peer_certificate(tls_);
    return certificate != nullptr ? certificate_name(*certificate, kind) : std::string();
}

bool TlsStream::has_peer_certificate() const {
    return SSL_get0_peer_certificate(tls_) != nullptr;
}

std::vector<CertificateId> TlsStream::peer_certificates() const {
    return peer_certificate_ids(tls_);
}

std::string_view TlsStream::version() const {
    return SSL_get_version(tls_);
}

std::string_view TlsStream::protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(tls_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

std::shared_ptr<void> TlsStream::session() const {
    SSL_SESSION* session = SSL_get1_session(tls_);
    if (session == nullptr || SSL_SESSION_is_resumable(session) != 1) {
        SSL_SESSION_free(session);
        return nullptr;
    }
    return {session, [](void* held) { SSL_SESSION_free(static_cast<SSL_SESSION*>(held)); }};
}

void TlsStream::resume(const std::shared_ptr<void>& session) {
    (void)SSL_set_session(tls_, static_cast<SSL_SESSION*>(session.get()));
}

}  // namespace muster::net
