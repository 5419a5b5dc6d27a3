#include <algorithm>
#include <array>
#include <cstring>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "net/tls_openssl.h"

namespace muster::net {
namespace {

constexpr std::size_t chain_length_max = 8;

std::string text_of(const ASN1_STRING* value) {
    unsigned char* utf8 = nullptr;
    const int size = value != nullptr ? ASN1_STRING_to_UTF8(&utf8, value) : -1;
    const OpensslPtr<unsigned char> owned(utf8);
    return size > 0 ? std::string(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)) : std::string();
}

std::string common_name(const X509& certificate) {
    const X509_NAME* subject = X509_get_subject_name(&certificate);
    const int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0) {
        return {};
    }
    return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
}

std::string alternative_name(const X509& certificate, int type) {
    const OpensslPtr<GENERAL_NAMES> names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == type) {
            return text_of(name->d.ia5);
        }
    }
    return {};
}

/// The ids that a ticket has kept.
std::vector<CertificateId> ids_of_session(SSL_SESSION* session) {
    void* bytes = nullptr;
    std::size_t size = 0;
    std::vector<CertificateId> ids;
    if (session != nullptr && SSL_SESSION_get0_ticket_appdata(session, &bytes, &size) == 1 && bytes != nullptr) {
        ids.resize(size / sizeof(CertificateId));
        std::memcpy(ids.data(), bytes, ids.size() * sizeof(CertificateId));
    }
    return ids;
}

std::vector<CertificateId> ids_of_chain(const STACK_OF(X509) * chain) {
    std::vector<CertificateId> ids;
    // The root comes last and cannot be revoked by a list of its own.
    for (int i = 0; chain != nullptr && i + 1 < std::max(sk_X509_num(chain), 2) && i < sk_X509_num(chain); ++i) {
        if (ids.size() < chain_length_max) {
            const X509* certificate = sk_X509_value(chain, i);
            ids.push_back(certificate_id(X509_get_issuer_name(certificate), X509_get0_serialNumber(certificate)));
        }
    }
    return ids;
}

int fill_ticket(SSL* tls, void*) {
    const std::vector<CertificateId> ids = ids_of_chain(SSL_get0_verified_chain(tls));
    if (!ids.empty()) {
        (void)SSL_SESSION_set1_ticket_appdata(SSL_get_session(tls), ids.data(), ids.size() * sizeof(CertificateId));
    }
    return 1;
}

SSL_TICKET_RETURN use_ticket(SSL*, SSL_SESSION*, const unsigned char*, std::size_t, SSL_TICKET_STATUS status, void*) {
    switch (status) {
        case SSL_TICKET_SUCCESS:
            return SSL_TICKET_RETURN_USE;
        case SSL_TICKET_SUCCESS_RENEW:
            return SSL_TICKET_RETURN_USE_RENEW;
        default:
            return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
}

}  // namespace

std::string take_openssl_error() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = ERR_reason_error_string(code);
    if (reason != nullptr) {
        return reason;
    }
    return ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code)) : "unknown error";
}

CertificateId certificate_id(const X509_NAME* issuer, const ASN1_INTEGER* serial) {
    const unsigned char* name = nullptr;
    std::size_t name_size = 0;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    std::string bytes;
    // As an X509_NAME is compared: its canonical form would be better still, but issuers write their name in one way.
    if (X509_NAME_get0_der(issuer, &name, &name_size) == 1) {
        bytes.assign(reinterpret_cast<const char*>(name), name_size);
    }
    bytes.append(reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)),
                 static_cast<std::size_t>(ASN1_STRING_length(serial)));
    CertificateId id = 0;
    (void)EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    std::memcpy(&id, digest.data(), sizeof(id));
    return id;
}

std::string certificate_name(const X509& certificate, CertificateName kind) {
    switch (kind) {
        case CertificateName::none:
            return {};
        case CertificateName::common_name:
            return common_name(certificate);
        case CertificateName::san_uri: {
            const std::string uri = alternative_name(certificate, GEN_URI);
            return uri.substr(uri.rfind('/') + 1);  // all of it when there is no '/'
        }
        case CertificateName::san_dns:
            return alternative_name(certificate, GEN_DNS);
    }
    return {};
}

std::vector<CertificateId> peer_certificate_ids(SSL* tls) {
    std::vector<CertificateId> ids = ids_of_chain(SSL_get0_verified_chain(tls));
    if (ids.empty()) {
        ids = ids_of_session(SSL_get_session(tls));
    }
    return ids;
}

void keep_certificate_ids_in_tickets(SSL_CTX* context) {
    SSL_CTX_set_session_ticket_cb(context, fill_ticket, use_ticket, nullptr);
}

}  // namespace muster::net
