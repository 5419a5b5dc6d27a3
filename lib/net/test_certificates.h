#pragma once

#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/entropy.h"

namespace muster::net {

/// For tests: a certificate authority that keeps what it issues in a folder of its own, which goes when it does. Keys
/// are on P-256, so that a hundred of them take no time.
class TestAuthority final {
 public:
    /// A certificate and its key, as files.
    struct Issued {
        std::string certificate_file;
        std::string key_file;
        long serial = 0;
    };
    /// What a certificate says.
    struct Subject {
        std::string common_name;
        std::string alternative_names{};  ///< "DNS:localhost,IP:127.0.0.1", "URI:urn:x"
        bool has_expired = false;
    };

    explicit TestAuthority(const std::string& name = "Test authority")
        : folder_(std::filesystem::temp_directory_path() / ("muster-ca-" + random_hex(8))) {
        std::filesystem::create_directories(folder_);
        key_ = EVP_EC_gen("P-256");
        certificate_ = make({name}, key_, key_, nullptr);
        write_certificate(path("ca.pem"), certificate_);
        revoke({});
    }
    ~TestAuthority() {
        X509_free(certificate_);
        EVP_PKEY_free(key_);
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    TestAuthority(const TestAuthority&) = delete;
    TestAuthority& operator=(const TestAuthority&) = delete;

    [[nodiscard]] std::string ca_file() const { return path("ca.pem"); }
    [[nodiscard]] std::string crl_file() const { return path("crl.pem"); }
    [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }

    [[nodiscard]] Issued issue(const Subject& subject) {
        EVP_PKEY* key = EVP_EC_gen("P-256");
        X509* certificate = make(subject, key, key_, certificate_);
        const std::string name = std::to_string(serial_);
        Issued issued{path(name + ".pem"), path(name + ".key"), serial_};
        write_certificate(issued.certificate_file, certificate);
        FILE* file = std::fopen(issued.key_file.c_str(), "w");
        EXPECT_EQ(PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr), 1);
        std::fclose(file);
        X509_free(certificate);
        EVP_PKEY_free(key);
        return issued;
    }
    [[nodiscard]] Issued issue_server() { return issue({"localhost", "DNS:localhost,IP:127.0.0.1"}); }

    /// Writes a revocation list of exactly these serial numbers, in place of the one before, in one step.
    void revoke(const std::vector<long>& serials) {
        X509_CRL* list = X509_CRL_new();
        X509_CRL_set_version(list, 1);
        X509_CRL_set_issuer_name(list, X509_get_subject_name(certificate_));
        ASN1_TIME* now = X509_gmtime_adj(nullptr, 0);
        ASN1_TIME* later = X509_gmtime_adj(nullptr, 86'400);
        X509_CRL_set1_lastUpdate(list, now);
        X509_CRL_set1_nextUpdate(list, later);
        for (const long serial : serials) {
            X509_REVOKED* entry = X509_REVOKED_new();
            ASN1_INTEGER* number = ASN1_INTEGER_new();
            ASN1_INTEGER_set(number, serial);
            X509_REVOKED_set_serialNumber(entry, number);
            X509_REVOKED_set_revocationDate(entry, now);
            X509_CRL_add0_revoked(list, entry);
            ASN1_INTEGER_free(number);
        }
        X509_CRL_sort(list);
        EXPECT_GT(X509_CRL_sign(list, key_, EVP_sha256()), 0);
        FILE* file = std::fopen(path("crl.new").c_str(), "w");
        EXPECT_EQ(PEM_write_X509_CRL(file, list), 1);
        std::fclose(file);
        std::filesystem::rename(path("crl.new"), crl_file());
        ASN1_TIME_free(now);
        ASN1_TIME_free(later);
        X509_CRL_free(list);
    }

 private:
    /// Null issuer: signs itself, as an authority.
    [[nodiscard]] X509* make(const Subject& subject, EVP_PKEY* key, EVP_PKEY* issuer_key, X509* issuer) {
        X509* certificate = X509_new();
        X509_set_version(certificate, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
        X509_gmtime_adj(X509_getm_notAfter(certificate), subject.has_expired ? -3600 : 86'400);
        X509_NAME* name = X509_get_subject_name(certificate);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(subject.common_name.c_str()), -1, -1, 0);
        X509_set_issuer_name(certificate, issuer != nullptr ? X509_get_subject_name(issuer) : name);
        X509_set_pubkey(certificate, key);
        X509V3_CTX context;
        X509V3_set_ctx(&context, issuer != nullptr ? issuer : certificate, certificate, nullptr, nullptr, 0);
        add_extension(certificate, context, NID_basic_constraints, issuer != nullptr ? "CA:FALSE" : "critical,CA:TRUE");
        if (!subject.alternative_names.empty()) {
            add_extension(certificate, context, NID_subject_alt_name, subject.alternative_names);
        }
        EXPECT_GT(X509_sign(certificate, issuer_key, EVP_sha256()), 0);
        return certificate;
    }
    static void add_extension(X509* certificate, X509V3_CTX& context, int kind, const std::string& value) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
        ASSERT_NE(extension, nullptr) << value;
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    static void write_certificate(const std::string& file_name, X509* certificate) {
        FILE* file = std::fopen(file_name.c_str(), "w");
        EXPECT_EQ(PEM_write_X509(file, certificate), 1);
        std::fclose(file);
    }

    const std::filesystem::path folder_;
    EVP_PKEY* key_ = nullptr;
    X509* certificate_ = nullptr;
    long serial_ = 0;
};

}  // namespace muster::net
