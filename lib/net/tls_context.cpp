#include "net/tls_context.h"

#include <algorithm>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/assert.h"
#include "net/tls_openssl.h"

namespace muster::net {
namespace {

// TLS 1.2: forward secret and authenticated only. 1.3's own are all sane.
constexpr const char* ciphers_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!DSS";
constexpr std::size_t protocol_name_bytes_max = 255;
constexpr unsigned char session_context[] = "muster";

/// An encrypted key must not make the server ask at a terminal.
int no_password(char*, int, int, void*) {
    return 0;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned offered_size, void* ours) {
    const auto& accepted = *static_cast<const std::string*>(ours);
    unsigned char* chosen = nullptr;
    const int found = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(accepted.data()),
                                            static_cast<unsigned>(accepted.size()), offered, offered_size);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

tl::unexpected<Error> file_failure(std::string_view text, const std::string& file) {
    return fail(ErrorCode::invalid_argument, text, file + ": " + take_openssl_error());
}

int version_number(TlsVersion version) {
    return version == TlsVersion::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

}  // namespace

TlsContext::TlsContext(bool is_server)
    : context_(SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method())), is_server_(is_server) {
    MUSTER_ASSERT(context_ != nullptr);
    // Buffers only while bytes are in them; writes may come back with another buffer and in part.
    SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context_, 1);  // one system call a record, not two
    SSL_CTX_set_default_passwd_cb(context_, no_password);
    (void)SSL_CTX_set_cipher_list(context_, ciphers_1_2);
}

TlsContext::~TlsContext() {
    SSL_CTX_free(context_);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const TlsServerOptions& options) {
    std::shared_ptr<TlsContext> context(new TlsContext(true));
    context->set_server_rules(options);
    const Result<void> loaded = context->load_own(options.certificate_file, options.key_file)
                                    .and_then([&] { return context->load_client_ca(options); })
                                    .and_then([&] { return context->set_protocols(options.protocols); });
    if (!loaded) {
        return tl::unexpected(loaded.error());
    }
    return context;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const TlsClientOptions& options) {
    std::shared_ptr<TlsContext> context(new TlsContext(false));
    SSL_CTX_set_verify(context->context_, SSL_VERIFY_PEER, nullptr);
    (void)SSL_CTX_set_min_proto_version(context->context_, TLS1_2_VERSION);
    (void)SSL_CTX_set_max_proto_version(context->context_, version_number(options.version_max));
    if (SSL_CTX_load_verify_file(context->context_, options.ca_file.c_str()) != 1) {
        return file_failure("cannot read the certificates of the authorities", options.ca_file);
    }
    Result<void> loaded;
    if (!options.certificate_file.empty()) {
        loaded = context->load_own(options.certificate_file, options.key_file);
    }
    loaded = loaded.and_then([&] { return context->set_protocols(options.protocols); });
    if (!loaded) {
        return tl::unexpected(loaded.error());
    }
    return context;
}

void TlsContext::set_server_rules(const TlsServerOptions& options) {
    SSL_CTX_set_options(context_, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    (void)SSL_CTX_set_min_proto_version(context_, version_number(options.version_min));
    (void)SSL_CTX_set_dh_auto(context_, 1);
    (void)SSL_CTX_set_num_tickets(context_, 1);
    (void)SSL_CTX_set_session_id_context(context_, session_context, sizeof(session_context) - 1);
    keep_certificate_ids_in_tickets(context_);
    int verify = SSL_VERIFY_NONE;
    if (options.client_certificate == ClientCertificate::required) {
        verify = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    } else if (options.client_certificate == ClientCertificate::optional) {
        verify = SSL_VERIFY_PEER;
    }
    SSL_CTX_set_verify(context_, verify, nullptr);
}

Result<void> TlsContext::load_own(const std::string& certificate_file, const std::string& key_file) {
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context_, certificate_file.c_str()) != 1) {
        return file_failure("cannot read the TLS certificate (PEM)", certificate_file);
    }
    if (SSL_CTX_use_PrivateKey_file(context_, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        return file_failure("cannot use the TLS key (PEM, without a password, of the certificate)", key_file);
    }
    return {};
}

Result<void> TlsContext::load_client_ca(const TlsServerOptions& options) {
    if (options.client_certificate == ClientCertificate::none) {
        return {};
    }
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(options.client_ca_file.c_str());
    if (names == nullptr || SSL_CTX_load_verify_file(context_, options.client_ca_file.c_str()) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return file_failure("cannot read the certificates of the clients' authorities (PEM)", options.client_ca_file);
    }
    SSL_CTX_set_client_CA_list(context_, names);
    return options.crl_file.empty() ? Result<void>() : load_crl(options.crl_file);
}

Result<void> TlsContext::load_crl(const std::string& file) {
    const OpensslPtr<BIO> source(BIO_new_file(file.c_str(), "rb"));
    if (!source) {
        return file_failure("cannot read the revocation list (PEM)", file);
    }
    X509_STORE* store = SSL_CTX_get_cert_store(context_);
    std::size_t lists = 0;
    while (const OpensslPtr<X509_CRL> list{PEM_read_bio_X509_CRL(source.get(), nullptr, nullptr, nullptr)}) {
        ++lists;
        if (X509_STORE_add_crl(store, list.get()) != 1) {
            return file_failure("cannot use the revocation list", file);
        }
        const STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(list.get());
        for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
            revoked_.push_back(certificate_id(X509_CRL_get_issuer(list.get()),
                                              X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(entries, i))));
        }
    }
    const unsigned long end = ERR_peek_last_error();
    if (lists == 0 || ERR_GET_REASON(end) != PEM_R_NO_START_LINE) {
        return file_failure("cannot read the revocation list (PEM)", file);
    }
    ERR_clear_error();
    std::sort(revoked_.begin(), revoked_.end());
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return {};
}

Result<void> TlsContext::set_protocols(const std::vector<std::string>& protocols) {
    for (const std::string& protocol : protocols) {
        if (protocol.empty() || protocol.size() > protocol_name_bytes_max) {
            return fail(ErrorCode::invalid_argument, "an application protocol has 1 to 255 bytes", protocol);
        }
        protocols_ += static_cast<char>(protocol.size());
        protocols_ += protocol;
    }
    if (protocols_.empty()) {
        return {};
    }
    if (is_server_) {
        SSL_CTX_set_alpn_select_cb(context_, choose_protocol, &protocols_);
    } else {
        (void)SSL_CTX_set_alpn_protos(context_, reinterpret_cast<const unsigned char*>(protocols_.data()),
                                      static_cast<unsigned>(protocols_.size()));
    }
    return {};
}

bool TlsContext::is_revoked(std::span<const CertificateId> certificates) const {
    return std::any_of(certificates.begin(), certificates.end(),
                       [this](CertificateId id) { return std::binary_search(revoked_.begin(), revoked_.end(), id); });
}

}  // namespace muster::net
