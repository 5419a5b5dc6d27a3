// Input: one byte (bit 0: what follows comes after a good upgrade; the rest: how many bytes come at a time), then what
// a client sends. However it is cut, the payload and the state at the end must be the same.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "websocket/server_stream.h"

using namespace muster::websocket;

namespace {

constexpr std::string_view good_upgrade =
    "GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n";

struct Outcome {
    std::string payload;
    ServerStream::State state = ServerStream::State::upgrading;
    bool operator==(const Outcome&) const = default;
};

Outcome play(const ServerRules& rules, std::string_view all, std::size_t step) {
    ServerStream stream(rules);
    Outcome outcome;
    for (std::size_t at = 0; at < all.size(); at += step) {
        std::string piece(all.substr(at, step));
        std::string answers;
        const auto got = stream.receive(piece, answers);
        MUSTER_ASSERT(answers.size() <= rules.unsent_answers_bytes_max + 1024);
        if (!got) {
            MUSTER_ASSERT(stream.state() != ServerStream::State::open &&
                          stream.state() != ServerStream::State::upgrading);
            break;
        }
        MUSTER_ASSERT(*got <= piece.size());
        outcome.payload.append(piece, 0, *got);
    }
    outcome.state = stream.state();
    return outcome;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    ServerRules rules;
    rules.sha1_base64 = [](std::string_view) { return std::string("digest"); };
    rules.request_bytes_max = 512;
    rules.message_bytes_max = 4096;
    std::string all = (bytes[0] & 1U) != 0 ? std::string(good_upgrade) : std::string();
    all.append(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    const std::size_t step = std::max<std::size_t>(1, bytes[0] >> 1U);
    MUSTER_ASSERT(play(rules, all, step) == play(rules, all, std::max<std::size_t>(1, all.size())));
    return 0;
}
