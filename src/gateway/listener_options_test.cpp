#include "gateway/listener_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster {
namespace {

using ::testing::HasSubstr;

const ListenerDefaults files{.certificate_file = "s.pem", .key_file = "s.key", .client_ca_file = "ca.pem"};

std::string error_of(std::string_view text, const ListenerDefaults& defaults = files) {
    const auto options = parse_listener(text, defaults);
    return options ? "no error" : options.error().message();
}

TEST(ListenerOptions, tls_takes_the_common_files_and_wants_certificates) {
    const auto options = parse_listener("mqtts://0.0.0.0:8883", files);
    ASSERT_TRUE(options) << options.error().message();
    EXPECT_EQ(options->kind, ListenerKind::mqtts);
    EXPECT_EQ(options->address.to_string(), "0.0.0.0:8883");
    EXPECT_EQ(options->tls.certificate_file, "s.pem");
    EXPECT_EQ(options->tls.client_ca_file, "ca.pem");
    EXPECT_EQ(options->tls.client_certificate, net::ClientCertificate::required);
    EXPECT_EQ(options->identity, net::CertificateName::common_name);
    EXPECT_EQ(options->tls.version_min, net::TlsVersion::v1_2);
    EXPECT_THAT(options->tls.protocols, testing::ElementsAre("mqtt", "x-amzn-mqtt-ca"));
    EXPECT_FALSE(options->has_proxy_header);
}

TEST(ListenerOptions, a_listeners_own_words_win) {
    const auto options = parse_listener(
        "wss://[::1]:8443/live?cert=own.pem&key=own.key&client-ca=own-ca.pem&crl=own.crl&min-version=1.3&"
        "client-certificate=optional&identity=san-uri&proxy=on&proxy-from=10.0.0.0/8,::1&connections-max=7",
        files);
    ASSERT_TRUE(options) << options.error().message();
    EXPECT_EQ(options->kind, ListenerKind::wss);
    EXPECT_EQ(options->path, "/live");
    EXPECT_EQ(options->url(options->address), "wss://[::1]:8443/live");
    EXPECT_EQ(options->tls.certificate_file, "own.pem");
    EXPECT_EQ(options->tls.key_file, "own.key");
    EXPECT_EQ(options->tls.client_ca_file, "own-ca.pem");
    EXPECT_EQ(options->tls.crl_file, "own.crl");
    EXPECT_EQ(options->tls.version_min, net::TlsVersion::v1_3);
    EXPECT_EQ(options->tls.client_certificate, net::ClientCertificate::optional);
    EXPECT_EQ(options->identity, net::CertificateName::san_uri);
    EXPECT_TRUE(options->has_proxy_header);
    EXPECT_EQ(options->proxies.size(), 2);
    EXPECT_EQ(options->connections_max, 7);
    EXPECT_THAT(options->tls.protocols, testing::ElementsAre("http/1.1"));
}

TEST(ListenerOptions, a_load_balancer_before_a_plain_listener_names_the_devices_and_is_on_this_machine) {
    const auto options = parse_listener("mqtt://127.0.0.1:0?proxy=on", files);
    ASSERT_TRUE(options) << options.error().message();
    EXPECT_EQ(options->identity, net::CertificateName::common_name);
    ASSERT_EQ(options->proxies.size(), 2);
    EXPECT_TRUE(options->proxies[0].contains(*net::Address::parse("127.0.0.9:1")));
}

TEST(ListenerOptions, without_tls_it_is_shut_beyond_loopback) {
    EXPECT_TRUE(parse_listener("ws://127.0.0.1:8083", {}));
    EXPECT_THAT(error_of("mqtt://0.0.0.0:1883"), HasSubstr("mqtts://"));
    EXPECT_THAT(error_of("ws://10.0.0.1:8083"), HasSubstr("loopback"));
    EXPECT_THAT(error_of("mqtt://127.0.0.1:1883?identity=cn"), HasSubstr("proxy=on"));
}

TEST(ListenerOptions, with_tls_nobody_is_a_device_without_a_certificate_beyond_loopback) {
    EXPECT_THAT(error_of("mqtts://0.0.0.0:8883?client-certificate=none&identity=none"), HasSubstr("certificate"));
    EXPECT_THAT(error_of("mqtts://0.0.0.0:8883?client-certificate=optional&identity=none"), HasSubstr("certificate"));
    EXPECT_TRUE(parse_listener("mqtts://0.0.0.0:8883?identity=none", files)) << "any certificate, any name";
    EXPECT_TRUE(parse_listener("wss://0.0.0.0:8443?client-certificate=none", files)) << "operators by password";
    EXPECT_TRUE(parse_listener("mqtts://127.0.0.1:8883?client-certificate=none&identity=none", files));
}

TEST(ListenerOptions, a_mistake_is_told_with_what_to_do) {
    EXPECT_THAT(error_of("mqtts://0.0.0.0:8883", {}), HasSubstr("--tls-cert"));
    EXPECT_THAT(error_of("mqtts://0.0.0.0:8883", {.certificate_file = "s.pem", .key_file = "s.key"}),
                HasSubstr("--tls-client-ca"));
    EXPECT_THAT(error_of("http://127.0.0.1:80"), HasSubstr("wss://"));
    EXPECT_THAT(error_of("127.0.0.1:1883"), HasSubstr("wss://"));
    EXPECT_THAT(error_of("mqtt://localhost:1883"), HasSubstr("127.0.0.1:1883"));
    EXPECT_THAT(error_of("mqtt://127.0.0.1:1883/mqtt"), HasSubstr("path"));
    EXPECT_THAT(error_of("mqtts://127.0.0.1:8883?colour=red"), HasSubstr("colour=red"));
    EXPECT_THAT(error_of("mqtts://127.0.0.1:8883?min-version=1.1"), HasSubstr("min-version=1.1"));
    EXPECT_THAT(error_of("mqtts://127.0.0.1:8883?connections-max=0"), HasSubstr("connections-max=0"));
    EXPECT_THAT(error_of("mqtt://127.0.0.1:1883?proxy=on&proxy-from=ten"), HasSubstr("ten"));
}

}  // namespace
}  // namespace muster
