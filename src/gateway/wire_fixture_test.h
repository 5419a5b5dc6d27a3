#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/gateway_fixture_test.h"
#include "gateway/wire_client_test.h"

namespace muster {

/// A running gateway and clients whose every byte the test chooses.
class WireFixture : public GatewayFixture {
 protected:
    static constexpr mqtt::ProtocolVersion v3 = mqtt::ProtocolVersion::v3_1_1;
    static constexpr mqtt::ProtocolVersion v5 = mqtt::ProtocolVersion::v5;

    std::unique_ptr<WireClient> dial(mqtt::ProtocolVersion version = v5) {
        return std::make_unique<WireClient>(*reactor, gateway->address(), version);
    }
    /// Answered.
    std::unique_ptr<WireClient> join(const WireClient::Hello& hello, mqtt::ProtocolVersion version = v5) {
        auto client = dial(version);
        client->connect(hello);
        EXPECT_TRUE(hears(*client, 1));
        return client;
    }
    bool hears(const WireClient& client, std::size_t packets) {
        return wait([&] { return client.heard.size() >= packets; });
    }
    bool closes(const WireClient& client) {
        return wait([&] { return client.ended; });
    }
    bool nobody_is_connected() {
        return wait([&] { return gateway->connections() == 0; });
    }
    /// Waits for its SUBACK.
    void subscribe(WireClient& client, std::string_view filter, std::uint8_t options = 0,
                   const PropertyBlock& properties = {}) {
        const std::size_t before = client.heard.size();
        client.subscribe(filter, options, properties);
        EXPECT_TRUE(hears(client, before + 1));
    }
    /// What it hears before the answer to a ping that is sent now.
    std::vector<std::string> heard_until_now(WireClient& client, std::size_t from = 1) {
        const auto pings = [&] { return std::count(client.heard.begin(), client.heard.end(), "pingresp"); };
        const auto before = pings();
        client.send("C0 00");
        EXPECT_TRUE(wait([&] { return client.ended || pings() > before; }));
        std::vector<std::string> heard(client.heard.begin() + static_cast<std::ptrdiff_t>(from), client.heard.end());
        std::erase(heard, "pingresp");
        return heard;
    }
    static PropertyBlock session_expiry(std::uint32_t seconds) {
        return PropertyBlock().number(mqtt::PropertyId::session_expiry, seconds);
    }
    static PropertyBlock will_delay(std::uint32_t seconds) {
        return PropertyBlock().number(mqtt::PropertyId::will_delay, seconds);
    }
};

}  // namespace muster
