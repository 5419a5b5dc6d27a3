#include <array>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "net/descriptor.h"
#include "net/digest.h"
#include "net/test_certificates.h"
#include "net/tls_stream.h"

namespace muster::net {
namespace {

using ::testing::HasSubstr;

/// A client and a server on two ends of a socket.
class Pair final {
 public:
    Pair(std::shared_ptr<const TlsContext> server_context, std::shared_ptr<const TlsContext> client_context,
         const std::string& server_name = "localhost", const std::shared_ptr<void>& session = {}) {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
        server_end.reset(ends[0]);
        client_end.reset(ends[1]);
        server = std::make_unique<TlsStream>(std::move(server_context), ends[0]);
        client = std::make_unique<TlsStream>(std::move(client_context), ends[1], server_name);
        if (session) {
            client->resume(session);
        }
    }
    /// Both sides go on until nothing moves.
    bool shake_hands() {
        std::array<char, 64> buffer{};
        for (int i = 0; i < 20; ++i) {
            (void)client->read(buffer);
            (void)server->read(buffer);
        }
        return client->is_established() && server->is_established();
    }

    Descriptor server_end;
    Descriptor client_end;
    std::unique_ptr<TlsStream> server;
    std::unique_ptr<TlsStream> client;
};

class Tls : public ::testing::Test {
 protected:
    TlsServerOptions server_options() {
        return {.certificate_file = server_certificate.certificate_file,
                .key_file = server_certificate.key_file,
                .client_ca_file = authority.ca_file(),
                .crl_file = authority.crl_file(),
                .protocols = {"mqtt", "x-amzn-mqtt-ca"}};
    }
    std::shared_ptr<const TlsContext> server() { return server(server_options()); }
    static std::shared_ptr<const TlsContext> server(const TlsServerOptions& options) {
        const auto context = TlsContext::server(options);
        EXPECT_TRUE(context) << context.error().message();
        return *context;
    }
    std::shared_ptr<const TlsContext> client(const TestAuthority::Issued& certificate,
                                             const std::vector<std::string>& protocols = {"mqtt"},
                                             TlsVersion version_max = TlsVersion::v1_3) {
        const auto context = TlsContext::client({.ca_file = authority.ca_file(),
                                                 .certificate_file = certificate.certificate_file,
                                                 .key_file = certificate.key_file,
                                                 .protocols = protocols,
                                                 .version_max = version_max});
        EXPECT_TRUE(context) << context.error().message();
        return *context;
    }
    TlsFailure failure_of(const TestAuthority::Issued& certificate) {
        Pair pair(server(), client(certificate));
        EXPECT_FALSE(pair.shake_hands() && pair.server->failure() == TlsFailure::none);
        return pair.server->failure();
    }

    TestAuthority authority;
    TestAuthority::Issued server_certificate = authority.issue_server();
};

TEST(Digest, is_the_one_of_the_websocket_standard) {
    EXPECT_EQ(sha1_base64("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"),
              "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_F(Tls, both_sides_know_each_other_and_talk) {
    Pair pair(server(), client(authority.issue({"meter-7", "URI:spiffe://muster/device/uri-7,DNS:dns-7"})));
    ASSERT_TRUE(pair.shake_hands());
    EXPECT_EQ(pair.server->version(), "TLSv1.3");
    EXPECT_EQ(pair.server->protocol(), "mqtt");
    EXPECT_EQ(pair.server->peer_name(CertificateName::common_name), "meter-7");
    EXPECT_EQ(pair.server->peer_name(CertificateName::san_uri), "uri-7");
    EXPECT_EQ(pair.server->peer_name(CertificateName::san_dns), "dns-7");
    EXPECT_EQ(pair.server->peer_name(CertificateName::none), "");
    EXPECT_EQ(pair.server->peer_certificates().size(), 1);
    ASSERT_EQ(pair.client->write("hello").value_or(0), 5);
    std::array<char, 64> buffer{};
    const auto got = pair.server->read(buffer);
    ASSERT_TRUE(got);
    EXPECT_EQ(std::string_view(buffer.data(), *got), "hello");
    EXPECT_EQ(pair.server->read(buffer).error().code, ErrorCode::would_block);
    pair.client->shut_down();
    EXPECT_EQ(pair.server->read(buffer).error().code, ErrorCode::closed);
    EXPECT_EQ(pair.server->failure(), TlsFailure::none);
}

TEST_F(Tls, a_large_write_goes_in_parts) {
    Pair pair(server(), client(authority.issue({"a"})));
    ASSERT_TRUE(pair.shake_hands());
    std::string sent;
    for (std::size_t i = 0; i < 3'000'000; ++i) {
        sent.push_back(static_cast<char>(i * 7 + i / 251));
    }
    std::string received;
    std::string_view rest = sent;
    std::size_t blocked = 0;
    std::vector<char> buffer(64 * 1024);
    for (int i = 0; i < 100'000 && received.size() < sent.size(); ++i) {
        if (const auto written = pair.server->write(rest)) {
            rest.remove_prefix(*written);
            continue;
        }
        blocked += pair.server->wants_to_write() ? 1U : 0U;
        if (const auto got = pair.client->read(buffer)) {
            received.append(buffer.data(), *got);
        }
    }
    while (const auto got = pair.client->read(buffer)) {
        received.append(buffer.data(), *got);
    }
    EXPECT_GT(blocked, 0);
    EXPECT_TRUE(received == sent);
}

TEST_F(Tls, a_session_is_resumed_with_its_ticket_and_keeps_its_certificate) {
    for (const TlsVersion version : {TlsVersion::v1_2, TlsVersion::v1_3}) {
        const auto server_context = server();
        const auto client_context = client(authority.issue({"meter-7"}), {"mqtt"}, version);
        Pair first(server_context, client_context);
        ASSERT_TRUE(first.shake_hands());
        EXPECT_FALSE(first.server->was_resumed());
        const auto session = first.client->session();
        ASSERT_TRUE(session);
        Pair second(server_context, client_context, "localhost", session);
        ASSERT_TRUE(second.shake_hands());
        EXPECT_TRUE(second.server->was_resumed());
        EXPECT_EQ(second.server->peer_name(CertificateName::common_name), "meter-7");
        EXPECT_EQ(second.server->peer_certificates(), first.server->peer_certificates());
        // New files make new ticket keys: nobody comes in with what an older list allowed.
        Pair third(server(), client_context, "localhost", session);
        ASSERT_TRUE(third.shake_hands());
        EXPECT_FALSE(third.server->was_resumed());
    }
}

TEST_F(Tls, a_revoked_certificate_is_known_by_the_list) {
    const auto good = authority.issue({"good"});
    const auto bad = authority.issue({"bad"});
    Pair pair(server(), client(bad));
    ASSERT_TRUE(pair.shake_hands());
    EXPECT_FALSE(server()->is_revoked(pair.server->peer_certificates()));
    authority.revoke({bad.serial});
    EXPECT_TRUE(server()->is_revoked(pair.server->peer_certificates()));
    EXPECT_EQ(failure_of(bad), TlsFailure::certificate_revoked);
    Pair other(server(), client(good));
    ASSERT_TRUE(other.shake_hands());
    EXPECT_FALSE(server()->is_revoked(other.server->peer_certificates()));
}

TEST_F(Tls, each_failure_has_its_reason) {
    TestAuthority stranger("Stranger");
    EXPECT_EQ(failure_of({}), TlsFailure::certificate_missing);
    EXPECT_EQ(failure_of(stranger.issue({"meter-7"})), TlsFailure::certificate_untrusted);
    EXPECT_EQ(failure_of(authority.issue({"meter-7", "", true})), TlsFailure::certificate_expired);
    {
        Pair pair(server(), client(authority.issue({"a"}), {"h2"}));
        EXPECT_FALSE(pair.shake_hands());
        EXPECT_EQ(pair.server->failure(), TlsFailure::protocol_not_agreed);
    }
    {
        TlsServerOptions options = server_options();
        options.version_min = TlsVersion::v1_3;
        Pair pair(server(options), client(authority.issue({"a"}), {}, TlsVersion::v1_2));
        EXPECT_FALSE(pair.shake_hands());
        EXPECT_EQ(pair.server->failure(), TlsFailure::version);
    }
    {
        Pair pair(server(), client(authority.issue({"a"})));
        ASSERT_EQ(::write(pair.client_end.get(), "\x10\x0c\0\4MQTT\4\2\0\0\0\0", 14), 14);
        std::array<char, 64> buffer{};
        EXPECT_EQ(pair.server->read(buffer).error().code, ErrorCode::closed);
        EXPECT_EQ(pair.server->failure(), TlsFailure::not_tls);
    }
    {
        Pair pair(server(), client(authority.issue({"a"})));
        pair.client_end.reset();
        std::array<char, 64> buffer{};
        EXPECT_EQ(pair.server->read(buffer).error().code, ErrorCode::closed);
        EXPECT_EQ(pair.server->failure(), TlsFailure::peer_gone);
    }
}

TEST_F(Tls, a_client_refuses_a_server_that_is_another) {
    Pair pair(server(), client(authority.issue({"a"})), "muster.example");
    EXPECT_FALSE(pair.shake_hands());
    EXPECT_EQ(pair.client->failure(), TlsFailure::certificate_untrusted);
    Pair by_address(server(), client(authority.issue({"a"})), "127.0.0.1");
    EXPECT_TRUE(by_address.shake_hands());
}

TEST_F(Tls, an_optional_certificate_may_be_missing_but_not_wrong) {
    TestAuthority stranger("Stranger");
    TlsServerOptions options = server_options();
    options.client_certificate = ClientCertificate::optional;
    Pair without(server(options), client({}));
    ASSERT_TRUE(without.shake_hands());
    EXPECT_FALSE(without.server->has_peer_certificate());
    Pair wrong(server(options), client(stranger.issue({"a"})));
    (void)wrong.shake_hands();
    EXPECT_EQ(wrong.server->failure(), TlsFailure::certificate_untrusted);
}

TEST_F(Tls, files_that_cannot_be_read_are_named) {
    const auto message = [](const TlsServerOptions& options) {
        const auto context = TlsContext::server(options);
        return context ? std::string("no error") : context.error().message();
    };
    const auto with = [&](auto&& change) {
        TlsServerOptions options = server_options();
        change(options);
        return message(options);
    };
    const std::string rubbish = authority.path("rubbish.pem");
    std::ofstream(rubbish) << "rubbish\n";
    EXPECT_THAT(with([](auto& o) { o.certificate_file = "/no/such.pem"; }), HasSubstr("/no/such.pem"));
    EXPECT_THAT(with([&](auto& o) { o.certificate_file = rubbish; }), HasSubstr("TLS certificate"));
    EXPECT_THAT(with([&](auto& o) { o.key_file = rubbish; }), HasSubstr("TLS key"));
    EXPECT_THAT(with([&](auto& o) { o.key_file = authority.issue({"a"}).key_file; }), HasSubstr("TLS key"));
    EXPECT_THAT(with([&](auto& o) { o.client_ca_file = rubbish; }), HasSubstr("authorities"));
    EXPECT_THAT(with([&](auto& o) { o.crl_file = rubbish; }), HasSubstr("revocation list"));
    EXPECT_THAT(with([&](auto& o) { o.crl_file = "/no/such.pem"; }), HasSubstr("/no/such.pem"));
}

}  // namespace
}  // namespace muster::net
