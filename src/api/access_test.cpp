#include "api/access.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(ListenAddress, takes_loopback_addresses) {
    EXPECT_EQ(parse_listen_address("127.0.0.1:8080")->port, 8080);
    EXPECT_EQ(parse_listen_address("[::1]:0")->address, "::1");
    EXPECT_EQ(parse_listen_address("localhost:80")->address, "127.0.0.1");
    EXPECT_EQ(parse_listen_address("127.3.2.1:1")->address, "127.3.2.1");
}

TEST(ListenAddress, refuses_to_serve_the_network_without_tls) {
    for (const char* text : {"0.0.0.0:8080", "[::]:8080", "10.0.0.1:8080", "example.org:80"}) {
        const auto listen = parse_listen_address(text);
        ASSERT_FALSE(listen) << text;
        EXPECT_NE(listen.error().message().find("without TLS"), std::string::npos) << listen.error().message();
    }
}

TEST(ListenAddress, says_what_it_should_look_like) {
    for (const char* text : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "[::1", "[::1]8080"}) {
        const auto listen = parse_listen_address(text);
        ASSERT_FALSE(listen) << text;
        EXPECT_NE(listen.error().message().find("127.0.0.1:8080"), std::string::npos) << text;
    }
}

TEST(Host, of_this_machine_is_allowed) {
    for (const char* host : {"localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:8080", "[::1]:8080"}) {
        EXPECT_TRUE(is_host_allowed(host, {})) << host;
    }
}

TEST(Host, of_a_rebound_name_is_not) {
    for (const char* host :
         {"", "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "[::1", "localhost.evil"}) {
        EXPECT_FALSE(is_host_allowed(host, {})) << host;
    }
    EXPECT_TRUE(is_host_allowed("muster.example:443", {"muster.example"}));
}

TEST(Origin, must_be_the_host_that_is_asked) {
    EXPECT_TRUE(is_origin_allowed("", "127.0.0.1:8080"));
    EXPECT_TRUE(is_origin_allowed("http://127.0.0.1:8080", "127.0.0.1:8080"));
    for (const char* origin : {"null", "http://evil.example", "http://127.0.0.1:8081", "127.0.0.1:8080"}) {
        EXPECT_FALSE(is_origin_allowed(origin, "127.0.0.1:8080")) << origin;
    }
}

TEST(BearerToken, is_what_follows_the_scheme) {
    HttpRequest request;
    request.authorization = "Bearer abc";
    EXPECT_EQ(bearer_token(request), "abc");
    request.authorization = "bearer  abc";
    EXPECT_EQ(bearer_token(request), "abc");
    for (const char* text : {"", "Bearer", "Bearer ", "Basic abc"}) {
        request.authorization = text;
        EXPECT_EQ(bearer_token(request), "") << text;
    }
}

}  // namespace
}  // namespace muster
