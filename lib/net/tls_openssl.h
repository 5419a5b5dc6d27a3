#pragma once

#include <memory>
#include <string>
#include <vector>

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/tls_context.h"

namespace muster::net {

// For lib/net's own TLS files.

/// Frees what OpenSSL made.
struct OpensslFree {
    void operator()(BIO* bio) const { BIO_free_all(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(X509_CRL* list) const { X509_CRL_free(list); }
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
    void operator()(unsigned char* bytes) const { OPENSSL_free(bytes); }
};
template <class T>
using OpensslPtr = std::unique_ptr<T, OpensslFree>;

/// The oldest error of this thread in OpenSSL's words; forgets them all.
[[nodiscard]] std::string take_openssl_error();

[[nodiscard]] CertificateId certificate_id(const X509_NAME* issuer, const ASN1_INTEGER* serial);
/// Empty when the certificate has no such name.
[[nodiscard]] std::string certificate_name(const X509& certificate, CertificateName kind);

/// The verified client's certificates but the root, of this handshake or of the one that is resumed.
[[nodiscard]] std::vector<CertificateId> peer_certificate_ids(SSL* tls);
/// Puts them into the session tickets of a context.
void keep_certificate_ids_in_tickets(SSL_CTX* context);

}  // namespace muster::net
