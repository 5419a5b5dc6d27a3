#include "websocket/upgrade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::websocket {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

ServerRules rules() {
    ServerRules rules;
    rules.sha1_base64 = [](std::string_view bytes) {  // RFC 6455 1.3
        EXPECT_EQ(bytes, "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        return std::string("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    };
    return rules;
}

/// A good request in which the first occurrence of `part` is replaced.
std::string request(std::string_view part = "", std::string_view by = "") {
    std::string text =
        "GET /mqtt HTTP/1.1\r\nHost: muster.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqttv3.1, mqtt\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n";
    return part.empty() ? text : text.replace(text.find(part), part.size(), by);
}

std::string answer_to(const std::string& text) {
    return read_upgrade(text, rules()).answer;
}

TEST(WebsocketUpgrade, a_good_request_is_accepted_with_the_key_of_the_standard) {
    const Upgrade upgrade = read_upgrade(request() + "frames", rules());
    EXPECT_EQ(upgrade.status, Upgrade::Status::accepted);
    EXPECT_EQ(upgrade.request_bytes, request().size());
    EXPECT_THAT(upgrade.answer, StartsWith("HTTP/1.1 101 "));
    EXPECT_THAT(upgrade.answer, HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    EXPECT_THAT(upgrade.answer, HasSubstr("Sec-WebSocket-Protocol: mqtt\r\n"));
}

TEST(WebsocketUpgrade, header_names_and_most_values_have_no_case) {
    EXPECT_THAT(answer_to(request("Upgrade: websocket", "UPGRADE:WebSocket")), StartsWith("HTTP/1.1 101 "));
    EXPECT_THAT(answer_to(request("keep-alive, Upgrade", "upgrade")), StartsWith("HTTP/1.1 101 "));
    EXPECT_THAT(answer_to(request("/mqtt ", "/mqtt?x=1 ")), StartsWith("HTTP/1.1 101 "));
}

TEST(WebsocketUpgrade, a_part_of_a_request_wants_more) {
    const std::string whole = request();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_EQ(read_upgrade(whole.substr(0, size), rules()).status, Upgrade::Status::incomplete);
    }
}

TEST(WebsocketUpgrade, a_bad_request_gets_the_status_that_http_has_for_it) {
    const auto status = [](std::string_view part, std::string_view by) {
        const Upgrade upgrade = read_upgrade(request(part, by), rules());
        EXPECT_EQ(upgrade.status, Upgrade::Status::refused) << by;
        return upgrade.answer.substr(9, 3);
    };
    EXPECT_EQ(status("GET", "POST"), "405");
    EXPECT_EQ(status("/mqtt ", "/other "), "404");
    EXPECT_EQ(status("HTTP/1.1", "HTTP/1.0"), "505");
    EXPECT_EQ(status("HTTP/1.1", "SMTP"), "400");
    EXPECT_EQ(status("Upgrade: websocket\r\n", ""), "426");
    EXPECT_EQ(status("keep-alive, Upgrade", "keep-alive"), "426");
    EXPECT_EQ(status("Version: 13", "Version: 8"), "426");
    EXPECT_EQ(status("dGhlIHNhbXBsZSBub25jZQ==", "short"), "400");
    EXPECT_EQ(status("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), "400");
    EXPECT_EQ(status("mqttv3.1, mqtt", "mqttv3.1"), "400");
    EXPECT_EQ(status("Host: muster.example\r\n", ""), "400");
    EXPECT_EQ(status("Host: ", "Content-Length: 5\r\nHost: "), "400");
    EXPECT_EQ(status("Host: ", "Transfer-Encoding: chunked\r\nHost: "), "400");
    EXPECT_EQ(status("Host: ", " folded\r\nHost: "), "400");
    EXPECT_EQ(status("Host: ", "no colon\r\nHost: "), "400");
    EXPECT_EQ(status("muster.example", "muster\x01"), "400");
}

TEST(WebsocketUpgrade, tells_the_version_that_is_spoken) {
    EXPECT_THAT(answer_to(request("Version: 13", "Version: 8")), HasSubstr("Sec-WebSocket-Version: 13\r\n"));
}

TEST(WebsocketUpgrade, a_request_without_end_is_refused) {
    const std::string endless = "GET /mqtt HTTP/1.1\r\nX: " + std::string(rules().request_bytes_max, 'x');
    EXPECT_EQ(answer_to(endless).substr(9, 3), "431");
}

}  // namespace
}  // namespace muster::websocket
