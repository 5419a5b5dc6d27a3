#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "gateway/gateway_fixture_test.h"
#include "net/test_certificates.h"
#include "net/tls_stream.h"
#include "websocket/frame.h"

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view proxy_signature("\r\n\r\n\0\r\nQUIT\n", 12);

/// A client's side of PROXY header, TLS and WebSocket, each where it is wanted.
class ClientWire final : public TestWire {
 public:
    struct Options {
        std::string proxy_header{};
        std::shared_ptr<const net::TlsContext> tls{};
        std::shared_ptr<void> session{};
        bool has_websocket = false;
    };
    explicit ClientWire(Options options) : options_(std::move(options)) {
        if (options_.has_websocket) {
            out_ =
                "GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n";
        }
    }
    Result<std::size_t> read(const net::TcpSocket& socket, std::span<char> into) override {
        (void)send(socket);
        if (!payload_.empty()) {
            return hand_out(into);
        }
        const Result<std::size_t> got = tls ? tls->read(into) : socket.read(into);
        if (!got || !options_.has_websocket) {
            return got;
        }
        in_.append(into.data(), *got);
        unwrap();
        return hand_out(into);
    }
    Result<std::size_t> write(const net::TcpSocket& socket, std::string_view bytes) override {
        if (options_.has_websocket) {
            std::string frame;
            websocket::write_frame(websocket::Opcode::binary, bytes, frame);
            frame[1] = static_cast<char>(static_cast<unsigned char>(frame[1]) | 0x80U);
            frame.insert(frame.size() - bytes.size(), 4, '\0');  // a mask that changes nothing
            out_ += frame;
        } else {
            out_ += bytes;
        }
        (void)send(socket);
        return bytes.size();
    }

    std::unique_ptr<net::TlsStream> tls;

 private:
    bool send(const net::TcpSocket& socket) {
        if (!options_.proxy_header.empty() && socket.write(options_.proxy_header)) {
            options_.proxy_header.clear();
        }
        if (!options_.proxy_header.empty()) {
            return false;
        }
        if (options_.tls && !tls) {
            tls = std::make_unique<net::TlsStream>(options_.tls, socket.fd(), "localhost");
            if (options_.session) {
                tls->resume(options_.session);
            }
        }
        while (!out_.empty()) {
            const Result<std::size_t> written = tls ? tls->write(out_) : socket.write(out_);
            if (!written) {
                return false;
            }
            out_.erase(0, *written);
        }
        return true;
    }
    std::size_t hand_out(std::span<char> into) {
        const std::size_t size = payload_.copy(into.data(), into.size());
        payload_.erase(0, size);
        return size;
    }
    /// The payload of the whole frames that have come.
    void unwrap() {
        if (!is_upgraded_) {
            const std::size_t end = in_.find("\r\n\r\n");
            if (end == std::string::npos) {
                return;
            }
            EXPECT_TRUE(in_.starts_with("HTTP/1.1 101 ")) << in_;
            in_.erase(0, end + 4);
            is_upgraded_ = true;
        }
        while (in_.size() >= 2) {
            const std::size_t header_bytes = websocket::frame_header_bytes(in_);
            if (in_.size() < header_bytes) {
                break;
            }
            const auto header = websocket::parse_frame_header(in_.substr(0, header_bytes));
            if (in_.size() < header_bytes + header.payload_bytes) {
                break;
            }
            if (!header.is_control()) {
                payload_.append(in_, header_bytes, header.payload_bytes);
            }
            in_.erase(0, header_bytes + header.payload_bytes);
        }
    }

    Options options_;
    std::string out_;
    std::string in_;
    std::string payload_;  ///< unwrapped and not yet handed out
    bool is_upgraded_ = false;
};

class Transports : public GatewayFixture {
 protected:
    /// Listens plain, and by this.
    void listen(std::string_view text, GatewayOptions options = {}) {
        const ListenerDefaults files{.certificate_file = server_certificate.certificate_file,
                                     .key_file = server_certificate.key_file,
                                     .client_ca_file = authority.ca_file(),
                                     .crl_file = authority.crl_file()};
        auto listener = parse_listener(text, files);
        ASSERT_TRUE(listener) << listener.error().message();
        options.listeners.push_back(std::move(*listener));
        options.tls_look_interval = Millis(20);
        start(std::move(options));
    }
    /// Where the first listener that is not plain is.
    net::Address address() const {
        std::string url = gateway->urls().at(1);
        url = url.substr(url.find("://") + 3);
        return *net::Address::parse(url.substr(0, url.find('/')));
    }
    std::shared_ptr<const net::TlsContext> tls(const net::TestAuthority::Issued& certificate,
                                               std::vector<std::string> protocols = {"mqtt"}) const {
        const auto context = net::TlsContext::client({.ca_file = authority.ca_file(),
                                                      .certificate_file = certificate.certificate_file,
                                                      .key_file = certificate.key_file,
                                                      .protocols = std::move(protocols)});
        EXPECT_TRUE(context) << context.error().message();
        return *context;
    }
    std::unique_ptr<TestClient> begin(const TestClient::Options& options, ClientWire::Options wire,
                                      ClientWire** wire_out = nullptr) {
        auto made = std::make_unique<ClientWire>(std::move(wire));
        if (wire_out != nullptr) {
            *wire_out = made.get();
        }
        return std::make_unique<TestClient>(*reactor, address(), options, std::move(made));
    }
    /// A device with a certificate of its own, connected.
    std::unique_ptr<TestClient> tls_device(const std::string& id) {
        auto client = begin({.id = id}, {.tls = tls(authority.issue({id}))});
        EXPECT_TRUE(wait([&] { return client->connected; }));
        return client;
    }
    bool refused(const TestClient& client, mqtt::ReasonCode reason) {
        return wait([&] { return client.ended; }) && client.refusal == reason && !client.connected;
    }
    double failures(const std::string& reason) const {
        return counter("muster_gateway_transport_failures_total", "reason=\"" + reason + "\"");
    }
    static std::string proxy_header(const std::string& body, char command = '\x21', char family = '\x11') {
        return std::string(proxy_signature) + command + family + '\0' + static_cast<char>(body.size()) + body;
    }

    net::TestAuthority authority;
    net::TestAuthority::Issued server_certificate = authority.issue_server();
    const std::string client_203_0_113_7 = {'\xcb', '\0',   'q',    '\x07', '\x7f', '\0',
                                            '\0',   '\x01', '\x1f', '\x90', '\x07', '\x5b'};
};

TEST_F(Transports, a_device_over_tls_is_one_like_the_others) {
    listen("mqtts://127.0.0.1:0");
    const auto device = tls_device("meter-7");
    const auto watcher = fleet_operator();
    subscribe(*watcher, "telemetry/meter-7");
    EXPECT_EQ(device->publish("telemetry/meter-7", R"({"battery":87})", 1), 1);
    ASSERT_TRUE(wait([&] { return device->acknowledged.size() == 1 && watcher->received.size() == 1; }));
    EXPECT_EQ(watcher->received[0].payload, R"({"battery":87})");
    device->disconnect();
    ASSERT_TRUE(wait([&] { return story_of("meter-7").size() == 3; }));
    EXPECT_THAT(story_of("meter-7"), ElementsAre("connect", "telemetry", "disconnect client_disconnect"));
    EXPECT_EQ(counter("muster_gateway_tls_handshakes_full_total"), 1);
}

TEST_F(Transports, much_goes_both_ways_over_each) {
    for (const std::string_view url : {"mqtts://127.0.0.1:0", "ws://127.0.0.1:0", "wss://127.0.0.1:0"}) {
        gateway.reset();
        GatewayOptions options;  // all 60 come before the first is acknowledged
        options.limits.session.queued_bytes_max = 8U << 20U;
        options.limits.output_bytes_ceiling = 8U << 20U;
        listen(url, options);
        const bool is_websocket = url.starts_with("ws");
        const bool is_tls = !url.starts_with("ws:");
        const auto client =
            begin({.id = "meter-7"},
                  {.tls = is_tls ? tls(authority.issue({"meter-7"}), {is_websocket ? "http/1.1" : "mqtt"}) : nullptr,
                   .has_websocket = is_websocket});
        ASSERT_TRUE(wait([&] { return client->connected; })) << url;
        subscribe(*client, "room/1", 1);
        std::vector<std::string> sent;
        for (std::size_t i = 0; i < 60; ++i) {
            sent.push_back(std::string(i * 500, static_cast<char>('a' + i % 26)));
            client->publish("room/1", sent.back(), 1);
        }
        ASSERT_TRUE(wait([&] { return client->received.size() == sent.size(); }))
            << url << ": " << client->received.size() << " of " << sent.size() << ", dropped "
            << counter("muster_gateway_drops_total") << ", ended " << client->ended;
        for (std::size_t i = 0; i < sent.size(); ++i) {
            EXPECT_TRUE(client->received[i].payload == sent[i]) << url << " " << i;
        }
    }
}

TEST_F(Transports, the_client_id_must_be_the_one_in_the_certificate) {
    listen("mqtts://127.0.0.1:0");
    const auto thief = begin({.id = "meter-8"}, {.tls = tls(authority.issue({"meter-7"}))});
    EXPECT_TRUE(refused(*thief, mqtt::ReasonCode::not_authorized));
    const auto nameless = begin({.id = ""}, {.tls = tls(authority.issue({"meter-7"}))});
    EXPECT_TRUE(refused(*nameless, mqtt::ReasonCode::not_authorized));
    EXPECT_TRUE(events_of("meter-8").empty());
}

TEST_F(Transports, the_id_may_stand_in_an_alternative_name) {
    listen("mqtts://127.0.0.1:0?identity=san-uri");
    const auto device = begin({.id = "meter-7"}, {.tls = tls(authority.issue({"x", "URI:spiffe://muster/meter-7"}))});
    EXPECT_TRUE(wait([&] { return device->connected; }));
}

TEST_F(Transports, a_user_name_without_a_password_is_accepted_over_mtls) {
    listen("mqtts://127.0.0.1:0");
    const auto device =
        begin({.id = "meter-7", .user = "?SDK=Python&Version=1.4"}, {.tls = tls(authority.issue({"meter-7"}))});
    EXPECT_TRUE(wait([&] { return device->connected; }));
}

TEST_F(Transports, an_operator_comes_by_password_and_a_device_does_not_without_a_certificate) {
    listen("mqtts://127.0.0.1:0?client-certificate=none");
    const auto console = begin({.user = "operator", .password = "secret"}, {.tls = tls({})});
    EXPECT_TRUE(wait([&] { return console->connected; }));
    const auto stranger = begin({.id = "meter-7"}, {.tls = tls({})});
    EXPECT_TRUE(refused(*stranger, mqtt::ReasonCode::not_authorized));
}

TEST_F(Transports, handshakes_that_fail_are_counted_by_reason) {
    net::TestAuthority stranger("Stranger");
    listen("mqtts://127.0.0.1:0");
    const auto unknown = begin({.id = "a"}, {.tls = tls(stranger.issue({"a"}))});
    const auto bare = begin({.id = "b"}, {.tls = tls({})});
    const auto expired = begin({.id = "c"}, {.tls = tls(authority.issue({"c", "", true}))});
    const auto plain = begin({.id = "d"}, {});
    ASSERT_TRUE(wait([&] { return unknown->ended && bare->ended && expired->ended && plain->ended; }));
    for (const std::string reason :
         {"tls_certificate_untrusted", "tls_certificate_missing", "tls_certificate_expired", "tls_not_tls"}) {
        EXPECT_TRUE(wait([&] { return failures(reason) == 1; })) << reason;
    }
    EXPECT_TRUE(events().empty() || story_of("a").empty());
}

TEST_F(Transports, a_session_is_resumed) {
    listen("mqtts://127.0.0.1:0", {.threads = 1});
    const auto context = tls(authority.issue({"meter-7"}));
    ClientWire* wire = nullptr;
    auto first = begin({.id = "meter-7"}, {.tls = context}, &wire);
    ASSERT_TRUE(wait([&] { return first->connected; }));
    const auto session = wire->tls->session();
    ASSERT_TRUE(session);
    const auto second = begin({.id = "meter-7"}, {.tls = context, .session = session});
    ASSERT_TRUE(wait([&] { return second->connected; }));
    EXPECT_EQ(counter("muster_gateway_tls_handshakes_resumed_total"), 1);
}

TEST_F(Transports, a_revoked_certificates_live_session_is_closed_and_does_not_come_back) {
    listen("mqtts://127.0.0.1:0");
    const auto bad = authority.issue({"bad"});
    const auto context = tls(bad);
    ClientWire* wire = nullptr;
    const auto revoked = begin({.id = "bad"}, {.tls = context}, &wire);
    ASSERT_TRUE(wait([&] { return revoked->connected; }));
    const auto session = wire->tls->session();
    const auto good = tls_device("good");
    authority.revoke({bad.serial});
    ASSERT_TRUE(wait([&] { return revoked->ended; }));
    EXPECT_FALSE(good->ended);
    ASSERT_TRUE(wait([&] { return story_of("bad").size() == 2; }));
    EXPECT_THAT(story_of("bad"), ElementsAre("connect", "disconnect auth_error"));
    EXPECT_EQ(counter("muster_gateway_revoked_closed_total"), 1);
    const auto again = begin({.id = "bad"}, {.tls = context, .session = session});
    ASSERT_TRUE(wait([&] { return again->ended; }));
    EXPECT_FALSE(again->connected);
    EXPECT_TRUE(wait([&] { return failures("tls_certificate_revoked") == 1; }));
}

TEST_F(Transports, new_certificates_are_taken_up_without_a_restart_and_bad_ones_are_not) {
    listen("mqtts://127.0.0.1:0");
    const std::string file = server_certificate.certificate_file;
    std::ofstream(file, std::ios::trunc) << "half a cert";
    ASSERT_TRUE(wait([&] { return counter("muster_gateway_tls_reloads_total", "failed") > 0; }));
    const auto meanwhile = tls_device("meter-7");
    const auto renewed = authority.issue_server();
    std::filesystem::rename(renewed.certificate_file, file);
    std::filesystem::rename(renewed.key_file, server_certificate.key_file);
    ASSERT_TRUE(wait([&] { return counter("muster_gateway_tls_reloads_total", "ok") > 0; }));
    const auto later = tls_device("meter-8");
    EXPECT_FALSE(meanwhile->ended);
    gateway->reload_tls();
    EXPECT_TRUE(wait([&] { return counter("muster_gateway_tls_reloads_total", "ok") > 1; }));
}

TEST_F(Transports, handshakes_wait_for_their_turn_while_those_who_are_on_are_served) {
    GatewayOptions options;
    options.threads = 1;
    options.limits.handshakes_per_second = 20;
    options.limits.handshakes_per_turn = 1;
    options.limits.handshakes_waiting_max = 5;
    options.limits.connection.connect_timeout = Millis(60'000);
    listen("mqtts://127.0.0.1:0", options);
    const auto served = tls_device("served");
    const auto context = tls(authority.issue({"x"}));
    std::vector<std::unique_ptr<TestClient>> storm;
    for (std::size_t i = 0; i < 40; ++i) {
        storm.push_back(begin({.id = "x"}, {.tls = context}));
    }
    ASSERT_TRUE(wait([&] { return counter("muster_gateway_tls_handshakes_deferred_total") > 0; }));
    EXPECT_LE(counter("muster_gateway_tls_handshakes_waiting"), 5);
    served->publish("telemetry/served", R"({"a":1})", 1);
    EXPECT_TRUE(wait([&] { return served->acknowledged.size() == 1; }));
    EXPECT_LT(counter("muster_gateway_tls_handshakes_begun_total"), 41) << "it was served before the storm was over";
    EXPECT_TRUE(wait([&] {
        return counter("muster_gateway_tls_handshakes_full_total") + counter("muster_gateway_accepts_refused_total") ==
               41;
    }));
    EXPECT_GT(counter("muster_gateway_tls_handshakes_full_total"), 5);
    EXPECT_GT(counter("muster_gateway_tls_handshakes_deferred_total"), 0);
    EXPECT_EQ(counter("muster_gateway_tls_handshakes_waiting"), 0);
}

TEST_F(Transports, who_says_nothing_takes_no_handshake_from_others) {
    listen("mqtts://127.0.0.1:0");
    std::vector<net::TcpSocket> silent;
    for (std::size_t i = 0; i < 20; ++i) {
        silent.push_back(*net::TcpSocket::connect(address()));
    }
    ASSERT_TRUE(wait([&] { return counter("muster_gateway_listener_connections", "mqtts://") == 20; }));
    const auto device = tls_device("meter-7");
    EXPECT_EQ(counter("muster_gateway_tls_handshakes_begun_total"), 1);
}

TEST_F(Transports, a_listener_has_its_own_limit) {
    listen("ws://127.0.0.1:0?connections-max=1");
    const auto first = begin({.id = "a"}, {.has_websocket = true});
    ASSERT_TRUE(wait([&] { return first->connected; }));
    const auto second = begin({.id = "b"}, {.has_websocket = true});
    EXPECT_TRUE(wait([&] { return second->ended; }));
    EXPECT_TRUE(device("c")->connected);
    EXPECT_EQ(counter("muster_gateway_listener_connections", "ws://"), 1);
    first->disconnect();
    ASSERT_TRUE(wait([&] { return counter("muster_gateway_listener_connections", "ws://") == 0; }));
}

TEST_F(Transports, a_bad_upgrade_gets_an_http_error) {
    listen("ws://127.0.0.1:0");
    auto socket = *net::TcpSocket::connect(address());
    const std::string request = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    ASSERT_TRUE(wait([&] { return socket.write(request).has_value(); }));
    std::string answer;
    std::array<char, 4096> buffer{};
    ASSERT_TRUE(wait([&] {
        const auto got = socket.read(buffer);
        answer.append(buffer.data(), got.value_or(0));
        return !got && got.error().code == ErrorCode::closed;
    }));
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 404 "));
    EXPECT_EQ(failures("websocket_refused"), 1);
}

TEST_F(Transports, a_load_balancer_tells_the_clients_address_and_certificate) {
    listen("mqtt://127.0.0.1:0?proxy=on");
    const std::string name = "\x22" + std::string(1, '\0') + "\x07meter-7";
    const std::string tls_part = "\x07" + std::string(4, '\0') + name;
    const std::string extension = std::string("\x20") + '\0' + static_cast<char>(tls_part.size()) + tls_part;
    const auto device = begin({.id = "meter-7"}, {.proxy_header = proxy_header(client_203_0_113_7 + extension)});
    ASSERT_TRUE(wait([&] { return device->connected; }));
    ASSERT_TRUE(wait([&] { return !events_of("meter-7").empty(); }));
    EXPECT_THAT(events_of("meter-7")[0].value, HasSubstr("203.0.113.7:8080"));
    const auto thief = begin({.id = "meter-8"}, {.proxy_header = proxy_header(client_203_0_113_7 + extension)});
    EXPECT_TRUE(refused(*thief, mqtt::ReasonCode::not_authorized));
    const auto bare = begin({.id = "meter-9"}, {.proxy_header = proxy_header(client_203_0_113_7)});
    EXPECT_TRUE(refused(*bare, mqtt::ReasonCode::not_authorized));
}

TEST_F(Transports, tls_and_websocket_follow_a_proxy_header) {
    listen("wss://127.0.0.1:0?proxy=on");
    const auto device = begin({.id = "meter-7"}, {.proxy_header = proxy_header(client_203_0_113_7),
                                                  .tls = tls(authority.issue({"meter-7"}), {"http/1.1"}),
                                                  .has_websocket = true});
    ASSERT_TRUE(wait([&] { return device->connected; }));
    ASSERT_TRUE(wait([&] { return !events_of("meter-7").empty(); }));
    EXPECT_THAT(events_of("meter-7")[0].value, HasSubstr("203.0.113.7:8080"));
}

TEST_F(Transports, a_connection_without_its_proxy_header_is_refused_and_counted) {
    listen("mqtt://127.0.0.1:0?proxy=on&identity=none");
    const auto bare = begin({.id = "a"}, {});
    const auto text = begin({.id = "b"}, {.proxy_header = "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"});
    const auto broken = begin({.id = "c"}, {.proxy_header = proxy_header(client_203_0_113_7.substr(1))});
    ASSERT_TRUE(wait([&] { return bare->ended && text->ended && broken->ended; }));
    EXPECT_EQ(failures("proxy_missing"), 1);
    EXPECT_EQ(failures("proxy_version_1"), 1);
    EXPECT_EQ(failures("proxy_malformed"), 1);
    EXPECT_TRUE(begin({.id = "d"}, {.proxy_header = proxy_header("", '\x20', '\0')}));
}

TEST_F(Transports, an_address_that_a_load_balancer_tells_is_held_to_its_limits) {
    GatewayOptions options;
    options.limits.address_strangers_max = 1;
    listen("mqtt://127.0.0.1:0?proxy=on&identity=none", options);
    std::string neighbour = client_203_0_113_7;
    neighbour[3] = '\x08';
    const auto dial = [&](const std::string& client) {
        auto socket = *net::TcpSocket::connect(address());
        EXPECT_TRUE(wait([&] { return socket.write(proxy_header(client)).has_value(); }));
        return socket;
    };
    const auto is_closed = [](const net::TcpSocket& socket) {
        std::array<char, 16> answer{};
        const auto got = socket.read(answer);
        return !got && got.error().code == ErrorCode::closed;
    };
    const auto stranger = dial(client_203_0_113_7);
    ASSERT_TRUE(wait([&] { return counter("muster_gateway_addresses ") == 1; }));
    const auto second = dial(client_203_0_113_7);
    ASSERT_TRUE(wait([&] { return is_closed(second); }));
    EXPECT_EQ(counter("muster_gateway_address_refusals_total"), 1);
    const auto other = dial(neighbour);
    const auto device = begin({.id = "d"}, {.proxy_header = proxy_header(client_203_0_113_7)});
    EXPECT_TRUE(wait([&] { return device->ended; }));
    EXPECT_FALSE(is_closed(stranger));
    EXPECT_FALSE(is_closed(other));
}

TEST_F(Transports, a_told_address_is_free_again_when_its_client_has_said_who_it_is) {
    GatewayOptions options;
    options.limits.address_strangers_max = 1;
    listen("mqtt://127.0.0.1:0?proxy=on&identity=none", options);
    std::vector<std::unique_ptr<TestClient>> devices;
    for (const char* id : {"a", "b", "c"}) {
        devices.push_back(begin({.id = id}, {.proxy_header = proxy_header(client_203_0_113_7)}));
        ASSERT_TRUE(wait([&] { return devices.back()->connected; })) << id;
    }
    EXPECT_EQ(counter("muster_gateway_address_refusals_total"), 0);
}

TEST_F(Transports, only_the_load_balancers_may_connect_where_they_are_expected) {
    listen("mqtt://127.0.0.1:0?proxy=on&proxy-from=10.0.0.0/8");
    const auto other = begin({.id = "a"}, {.proxy_header = proxy_header(client_203_0_113_7)});
    ASSERT_TRUE(wait([&] { return other->ended; }));
    EXPECT_EQ(failures("proxy_untrusted"), 1);
}

}  // namespace
}  // namespace muster
