#include "websocket/server_stream.h"

#include <gtest/gtest.h>

namespace muster::websocket {
namespace {

using State = ServerStream::State;

constexpr std::string_view upgrade_request =
    "GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A client's frame.
std::string frame(unsigned first, std::string payload, bool masked = true) {
    std::string plain;
    write_frame(Opcode::binary, payload, plain);
    std::string out(plain, 0, plain.size() - payload.size());
    out[0] = static_cast<char>(first);
    if (!masked) {
        return out + payload;
    }
    const std::array<char, 4> mask = {'\x37', '\xfa', '\x21', '\x3d'};
    out[1] = static_cast<char>(static_cast<unsigned char>(out[1]) | 0x80U);
    out.append(mask.data(), mask.size());
    apply_mask(payload, mask, 0);
    return out + payload;
}

constexpr unsigned whole_binary = 0x82;
constexpr unsigned whole_text = 0x81;
constexpr unsigned first_binary = 0x02;
constexpr unsigned next = 0x00;
constexpr unsigned last = 0x80;
constexpr unsigned close_frame = 0x88;
constexpr unsigned ping = 0x89;
constexpr unsigned pong = 0x8A;

class WebsocketStream : public ::testing::Test {
 protected:
    WebsocketStream() {
        rules.sha1_base64 = [](std::string_view) { return std::string("digest"); };
    }
    /// The payload in these bytes.
    std::string feed(std::string bytes) {
        const auto got = stream.receive(bytes, answers);
        return got ? bytes.substr(0, *got) : "closed";
    }
    void upgrade() {
        EXPECT_EQ(feed(std::string(upgrade_request)), "");
        EXPECT_EQ(stream.state(), State::open);
        answers.clear();
    }

    ServerRules rules;
    ServerStream stream{rules};
    std::string answers;
};

TEST_F(WebsocketStream, hands_on_payload_wherever_the_bytes_are_cut) {
    std::string all(upgrade_request);
    std::string expected;
    for (const std::size_t size : {0UL, 1UL, 125UL, 126UL, 65'535UL, 65'536UL, 70'000UL}) {
        std::string payload;
        for (std::size_t i = 0; i < size; ++i) {
            payload.push_back(static_cast<char>(i * 31));
        }
        all += frame(whole_binary, payload);
        expected += payload;
    }
    all += frame(first_binary, "a") + frame(ping, "?") + frame(next, "b") + frame(last, "c");
    expected += "abc";
    for (const std::size_t step : {1UL, 2UL, 7UL, 300UL, 65'536UL, all.size()}) {
        ServerStream fresh(rules);
        std::string got;
        std::string said;
        for (std::size_t at = 0; at < all.size(); at += step) {
            std::string piece = all.substr(at, step);
            const auto size = fresh.receive(piece, said);
            ASSERT_TRUE(size);
            got.append(piece, 0, *size);
        }
        EXPECT_TRUE(got == expected) << step;
        EXPECT_TRUE(said.starts_with("HTTP/1.1 101 ") && said.ends_with("\x8a\x01?")) << step;
    }
}

TEST_F(WebsocketStream, a_ping_is_answered_with_its_payload_and_a_pong_is_not) {
    upgrade();
    EXPECT_EQ(feed(frame(ping, "are you there") + frame(pong, "x")), "");
    EXPECT_EQ(answers,
              "\x8a\x0d"
              "are you there");
}

TEST_F(WebsocketStream, pings_that_are_not_read_from_are_not_all_answered) {
    upgrade();
    std::string pings;
    for (int i = 0; i < 1000; ++i) {
        pings += frame(ping, std::string(125, 'p'));
    }
    EXPECT_EQ(feed(pings), "");
    EXPECT_LE(answers.size(), rules.unsent_answers_bytes_max + control_bytes_max + 2);
}

TEST_F(WebsocketStream, a_close_is_answered_with_its_code_and_ends_the_stream) {
    upgrade();
    EXPECT_EQ(feed(frame(whole_binary, "last words") + frame(close_frame, "\x03\xe9 bye")), "last words");
    EXPECT_EQ(answers, "\x88\x02\x03\xe9");
    EXPECT_EQ(stream.state(), State::closed);
    EXPECT_EQ(feed("more"), "closed");
    stream.close(CloseCode::normal, answers);
    EXPECT_EQ(answers, "\x88\x02\x03\xe9") << "only one close frame is sent";
}

TEST_F(WebsocketStream, frames_against_the_rules_are_told_and_end_it) {
    const auto code_after = [this](const std::string& bytes) {
        ServerStream fresh(rules);
        std::string said;
        std::string request(upgrade_request);
        EXPECT_TRUE(fresh.receive(request, said));
        said.clear();
        std::string piece = bytes;
        EXPECT_FALSE(fresh.receive(piece, said));
        EXPECT_EQ(fresh.state(), State::broken);
        EXPECT_EQ(said.size(), 4U);
        return (static_cast<unsigned char>(said[2]) * 256) + static_cast<unsigned char>(said[3]);
    };
    EXPECT_EQ(code_after(frame(whole_binary, "x", false)), 1002) << "not masked";
    EXPECT_EQ(code_after(frame(0xC2, "x")), 1002) << "a reserved bit";
    EXPECT_EQ(code_after(frame(0x83, "x")), 1002) << "a reserved opcode";
    EXPECT_EQ(code_after(frame(last, "x")), 1002) << "goes on with nothing";
    EXPECT_EQ(code_after(frame(first_binary, "") + frame(whole_binary, "")), 1002) << "two messages at once";
    EXPECT_EQ(code_after(frame(0x09, "x")), 1002) << "a control frame in parts";
    EXPECT_EQ(code_after(frame(ping, std::string(126, 'x'))), 1002) << "a long control frame";
    EXPECT_EQ(code_after(frame(close_frame, "x")), 1002) << "half a code";
    EXPECT_EQ(code_after(frame(close_frame, "\x03\xed")), 1002) << "a code that is never sent";
    EXPECT_EQ(code_after(frame(whole_text, "x")), 1003);
    EXPECT_EQ(code_after(std::string("\x82\xfe\0\x05", 4) + "mask"), 1002)
        << "a length that is not in its shortest form";
    EXPECT_EQ(code_after(std::string("\x82\xff\xff\0\0\0\0\0\0\0", 10) + "mask"), 1002) << "a negative length";
    EXPECT_EQ(code_after(std::string("\x82\xff\0\0\0\0\x7f\0\0\0", 10) + "mask"), 1009);
}

TEST_F(WebsocketStream, many_small_frames_of_one_message_are_over_the_limit_too) {
    rules.message_bytes_max = 100;
    upgrade();
    EXPECT_EQ(feed(frame(first_binary, std::string(60, 'x'))).size(), 60U);
    EXPECT_EQ(feed(frame(next, std::string(41, 'x'))), "closed");
    EXPECT_EQ(answers, "\x88\x02\x03\xf1");
}

TEST_F(WebsocketStream, a_refused_upgrade_is_answered_and_ends_it) {
    EXPECT_EQ(feed("GET / HTTP/1.1\r\n\r\n"), "closed");
    EXPECT_EQ(answers.substr(0, 13), "HTTP/1.1 404 ");
    EXPECT_EQ(stream.state(), State::refused);
}

TEST_F(WebsocketStream, sends_one_message_for_what_it_is_given) {
    std::string out;
    stream.send("mqtt", out);
    stream.send(std::string(300, 'x'), out);
    EXPECT_EQ(out, std::string("\x82\x04mqtt\x82\x7e\x01\x2c") + std::string(300, 'x'));
}

}  // namespace
}  // namespace muster::websocket
