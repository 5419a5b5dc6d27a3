#include "net/proxy_header.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"

namespace muster::net {
namespace {

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string number(std::size_t value) {
    return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xFFU)};
}

std::string extension(char type, const std::string& value) {
    return std::string(1, type) + number(value.size()) + value;
}

std::string header(char command, char family, const std::string& body) {
    return std::string(signature) + command + family + number(body.size()) + body;
}

const std::string v4 = {'\xcb', '\0', 'q', '\x07', '\x7f', '\0', '\0', '\x01', '\x1f', '\x90', '\x07', '\x5b'};

TEST(ProxyHeader, tells_an_ipv4_client) {
    const std::string bytes = header('\x21', '\x11', v4);
    ASSERT_EQ(proxy_header_bytes(bytes.substr(0, 15)), proxy_fixed_bytes);
    ASSERT_EQ(proxy_header_bytes(bytes.substr(0, 16)), bytes.size());
    const auto parsed = parse_proxy_header(bytes);
    ASSERT_TRUE(parsed) << parsed.error().message();
    ASSERT_TRUE(parsed->client);
    EXPECT_EQ(parsed->client->to_string(), "203.0.113.7:8080");
}

TEST(ProxyHeader, tells_an_ipv6_client) {
    std::string body = {'\x20', '\x01', '\x0d', '\xb8'};
    body += std::string(11, '\0') + '\x05' + std::string(16, '\0') + '\x1f' + '\x90' + std::string(2, '\0');
    const auto parsed = parse_proxy_header(header('\x21', '\x21', body));
    ASSERT_TRUE(parsed && parsed->client);
    EXPECT_EQ(parsed->client->to_string(), "[2001:db8::5]:8080");
}

TEST(ProxyHeader, a_health_check_has_no_client) {
    const auto parsed = parse_proxy_header(header('\x20', '\x11', v4));
    ASSERT_TRUE(parsed);
    EXPECT_FALSE(parsed->client);
    ASSERT_TRUE(parse_proxy_header(header('\x20', '\0', "")));
}

TEST(ProxyHeader, tells_the_name_in_a_verified_certificate_only) {
    const std::string name = extension('\x22', "meter-7");
    for (const auto& [flags, verified, expected] :
         {std::tuple{'\x07', '\0', "meter-7"}, {'\x05', '\0', "meter-7"}, {'\x01', '\0', ""}, {'\x07', '\x01', ""}}) {
        const std::string tls = std::string(1, flags) + std::string(3, '\0') + verified + name;
        const auto parsed = parse_proxy_header(header('\x21', '\x11', v4 + extension('\x20', tls)));
        ASSERT_TRUE(parsed);
        EXPECT_EQ(parsed->certificate_name, expected);
    }
}

TEST(ProxyHeader, its_checksum_is_verified) {
    std::string bytes = header('\x21', '\x11', v4 + extension('\x03', std::string(4, '\0')));
    const std::uint32_t sum = crc32c(bytes);
    for (std::size_t i = 0; i < 4; ++i) {
        bytes[bytes.size() - 4 + i] = static_cast<char>(sum >> (24 - 8 * i));
    }
    EXPECT_TRUE(parse_proxy_header(bytes));
    bytes[20] ^= 1;
    const auto broken = parse_proxy_header(bytes);
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, ErrorCode::corrupt);
}

TEST(ProxyHeader, the_text_of_version_1_is_told_apart) {
    for (const std::string_view start : {"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "PRO", "P"}) {
        const auto bytes = proxy_header_bytes(start);
        ASSERT_FALSE(bytes);
        EXPECT_EQ(bytes.error().code, ErrorCode::unsupported);
    }
}

TEST(ProxyHeader, anything_else_is_refused_at_its_first_wrong_byte) {
    EXPECT_EQ(proxy_header_bytes("").value_or(0), proxy_fixed_bytes);
    EXPECT_EQ(proxy_header_bytes("\x10\x10").error().code, ErrorCode::malformed);
    EXPECT_EQ(proxy_header_bytes("\r\n\r\nX").error().code, ErrorCode::malformed);
    EXPECT_EQ(proxy_header_bytes(header('\x21', '\x11', std::string(3000, '\0'))).error().code, ErrorCode::too_large);
    EXPECT_FALSE(parse_proxy_header(header('\x11', '\x11', v4)));             // version 1 in binary
    EXPECT_FALSE(parse_proxy_header(header('\x2f', '\x11', v4)));             // no such command
    EXPECT_FALSE(parse_proxy_header(header('\x21', '\x12', v4)));             // UDP
    EXPECT_FALSE(parse_proxy_header(header('\x21', '\x11', v4.substr(1))));   // no room for the addresses
    EXPECT_FALSE(parse_proxy_header(header('\x21', '\x11', v4 + "\x04\0")));  // half an extension
    EXPECT_FALSE(parse_proxy_header(header('\x21', '\x11', v4).substr(0, 20)));
}

}  // namespace
}  // namespace muster::net
