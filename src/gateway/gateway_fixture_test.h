#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "contract/bus_topics.h"
#include "contract/presence.h"
#include "gateway/fake_bus_test.h"
#include "gateway/gateway.h"
#include "mqtt/client_connection.h"
#include "net/reactor.h"
#include "net/tcp_socket.h"

namespace muster {

/// Epochs from a counter, kept sessions in memory; when batches are stored the test decides: at once, or when it says
/// so.
class CountingSessionStore final : public SessionStore {
 public:
    using Sessions = std::map<std::string, StoredSession>;

    Result<Incarnation> begin_incarnation(std::string_view) override { return ++incarnation_; }
    void claim(std::string_view, std::string_view, std::function<void(Result<SessionClaim>)> done) override {
        if (is_down) {
            done(fail(ErrorCode::unavailable, "down"));
        } else {
            done(SessionClaim{.epoch = ++epoch_});
        }
    }
    Result<std::shared_ptr<void>> watch(std::string_view, OnLost) override { return nullptr; }
    void give_up(std::string_view, const LostSession&) override {}
    void store(std::string_view, std::vector<SessionChange> changes,
               std::function<void(const Result<void>&)> done) override {
        const std::lock_guard lock(mutex_);
        if (fails) {
            done(fail(ErrorCode::io, "no room"));
            return;
        }
        waiting_.emplace_back(std::move(changes), std::move(done));
        if (!holds_back_) {
            store_waiting();
        }
    }
    Result<void> load(std::string_view, FunctionRef<void(StoredSession&&)> visit) override {
        for (const auto& [key, session] : sessions()) {
            visit(StoredSession(session));
        }
        return {};
    }

    void hold_back() {
        const std::lock_guard lock(mutex_);
        holds_back_ = true;
    }
    void release() {
        const std::lock_guard lock(mutex_);
        holds_back_ = false;
        store_waiting();
    }
    [[nodiscard]] Sessions sessions() const {
        const std::lock_guard lock(mutex_);
        return sessions_;
    }
    /// As it was, for what a gateway finds after it was killed.
    void reset_to(Sessions sessions) {
        const std::lock_guard lock(mutex_);
        sessions_ = std::move(sessions);
    }
    [[nodiscard]] std::size_t changes() const {
        const std::lock_guard lock(mutex_);
        return changes_;
    }
    std::atomic<bool> is_down{false};
    std::atomic<bool> fails{false};

 private:
    void store_waiting() {
        for (auto& [changes, done] : waiting_) {
            for (SessionChange& change : changes) {
                apply(change);
            }
            changes_ += changes.size();
            done({});
        }
        waiting_.clear();
    }
    void apply(SessionChange& change) {
        using Kind = SessionChange::Kind;
        StoredSession& session = sessions_[change.session];
        session.key = change.session;
        const auto packet_id = static_cast<std::uint16_t>(change.number);
        switch (change.kind) {
            case Kind::put_session:
            case Kind::erase_session:
                session.document = change.value;
                break;
            case Kind::put_message:
            case Kind::erase_message:
                std::erase_if(session.messages, [&](const auto& message) { return message.number == change.number; });
                if (change.kind == Kind::put_message) {
                    session.messages.push_back({change.number, change.value});
                    std::sort(session.messages.begin(), session.messages.end(),
                              [](const auto& a, const auto& b) { return a.number < b.number; });
                }
                break;
            case Kind::put_packet_id:
                session.packet_ids.push_back(packet_id);
                break;
            case Kind::erase_packet_id:
                std::erase(session.packet_ids, packet_id);
                break;
        }
        if (session.document.empty() && session.messages.empty() && session.packet_ids.empty()) {
            sessions_.erase(change.session);
        }
    }

    mutable std::mutex mutex_;
    Sessions sessions_;
    std::vector<std::pair<std::vector<SessionChange>, std::function<void(const Result<void>&)>>> waiting_;
    std::size_t changes_ = 0;
    bool holds_back_ = false;
    std::atomic<SessionEpoch> epoch_{0};
    std::atomic<Incarnation> incarnation_{0};
};

/// What a test's client puts between its socket and MQTT.
class TestWire {
 public:
    virtual ~TestWire() = default;
    virtual Result<std::size_t> read(const net::TcpSocket& socket, std::span<char> into) = 0;
    virtual Result<std::size_t> write(const net::TcpSocket& socket, std::string_view bytes) = 0;
};

/// An MQTT client on a real socket, driven by the test's own reactor.
class TestClient final : public net::IoHandler, private mqtt::ClientListener {
 public:
    struct Received {
        std::string topic;
        std::string payload;
        std::uint8_t qos = 0;
        bool retain = false;
        bool operator==(const Received&) const = default;
    };
    struct Options {
        std::string id{};
        bool clean = true;
        std::uint16_t keep_alive_s = 0;
        std::string user{};
        std::string password{};
        std::string will_topic{};
        std::string will_payload{};
        bool will_retain = false;
    };

    TestClient(net::Reactor& reactor, const net::Address& address, const Options& options,
               std::unique_ptr<TestWire> wire = {})
        : reactor_(reactor), socket_(*net::TcpSocket::connect(address)), wire_(std::move(wire)), protocol_(limits()) {
        EXPECT_TRUE(reactor_.add(socket_.fd(), *this, net::io_readable | net::io_writable));
        mqtt::Connect connect;
        connect.client_id = options.id;
        connect.clean_start = options.clean;
        connect.keep_alive_s = options.keep_alive_s;
        if (!options.user.empty()) {
            connect.user_name = options.user;
            if (!options.password.empty()) {
                connect.password = options.password;
            }
        }
        if (!options.will_topic.empty()) {
            connect.will = mqtt::Will{.topic = options.will_topic,
                                      .payload = options.will_payload,
                                      .properties = {},
                                      .qos = 0,
                                      .retain = options.will_retain};
        }
        protocol_.connect(connect, reactor_.monotonic(), out_);
    }
    ~TestClient() override { vanish(); }

    /// The packet id.
    std::uint16_t publish(std::string_view topic, std::string_view payload, std::uint8_t qos = 0, bool retain = false) {
        mqtt::Publish packet;
        packet.topic = topic;
        packet.payload = payload;
        packet.qos = qos;
        packet.retain = retain;
        const auto id = protocol_.publish(packet, reactor_.monotonic(), out_);
        EXPECT_TRUE(id) << id.error().message();
        write();
        return id.value_or(0);
    }
    void subscribe(std::string_view filter, std::uint8_t qos = 0) {
        const mqtt::SubscribeEntry entry{filter, mqtt::SubscriptionOptions::of_qos(qos)};
        EXPECT_TRUE(protocol_.subscribe({&entry, 1}, reactor_.monotonic(), out_));
        write();
    }
    void unsubscribe(std::string_view filter) {
        const mqtt::UnsubscribeEntry entry{filter};
        EXPECT_TRUE(protocol_.unsubscribe({&entry, 1}, reactor_.monotonic(), out_));
        write();
    }
    void send_raw(std::string_view bytes) {
        out_ += bytes;
        write();
    }
    void disconnect() {
        protocol_.disconnect(out_);
        write();
    }
    /// As when its power is cut.
    void vanish() {
        if (socket_.is_open()) {
            reactor_.remove(socket_.fd());
            socket_.close();
        }
    }
    void stop_reading() { reads_ = false; }
    void read_again() {
        reads_ = true;
        on_io(net::io_readable);
    }

    bool connected = false;
    bool session_present = false;
    bool ended = false;
    mqtt::ReasonCode refusal = mqtt::ReasonCode::success;
    std::vector<std::uint16_t> acknowledged;
    std::vector<std::uint8_t> granted;
    std::size_t unsubscribed = 0;
    std::vector<Received> received;
    std::vector<bool> duplicates;  ///< the DUP flag of each

 private:
    static const mqtt::ClientLimits& limits() {
        static const mqtt::ClientLimits limits{.in_flight_max = 10'000};
        return limits;
    }
    void on_io(std::uint32_t events) override {
        write();
        if (!reads_ || ((events & ~net::io_writable) == 0 && !wire_)) {
            return;
        }
        std::vector<char> buffer(64 * 1024);
        while (socket_.is_open()) {
            const auto got = wire_ ? wire_->read(socket_, buffer) : socket_.read(buffer);
            if (!got) {
                ended = ended || got.error().code == ErrorCode::closed;
                return;
            }
            protocol_.receive({buffer.data(), *got}, reactor_.monotonic(), out_, *this);
            write();
        }
    }
    void write() {
        while (!out_.empty()) {
            const auto written = wire_ ? wire_->write(socket_, out_) : socket_.write(out_);
            if (!written) {
                return;
            }
            out_.erase(0, *written);
        }
    }
    void on_connack(const mqtt::Connack& connack) override {
        connected = connack.reason == mqtt::ReasonCode::success;
        refusal = connack.reason;
        session_present = connack.session_present;
    }
    void on_publish(const mqtt::Publish& publish) override {
        received.push_back({std::string(publish.topic), std::string(publish.payload), publish.qos, publish.retain});
        duplicates.push_back(publish.duplicate);
    }
    void on_ack(const mqtt::Ack& ack) override { acknowledged.push_back(ack.packet_id); }
    void on_suback(const mqtt::Suback& suback) override {
        granted.insert(granted.end(), suback.reasons.begin(), suback.reasons.end());
    }
    void on_unsuback(const mqtt::Unsuback&) override { ++unsubscribed; }
    void on_disconnect(const mqtt::Disconnect&) override {}
    void on_error(const mqtt::ProtocolError&) override { ended = true; }

    net::Reactor& reactor_;
    net::TcpSocket socket_;
    std::unique_ptr<TestWire> wire_;  ///< null for plain TCP
    mqtt::ClientConnection protocol_;
    std::string out_;
    bool reads_ = true;
};

/// A running gateway on a fake bus, and clients.
class GatewayFixture : public ::testing::Test {
 protected:
    GatewayFixture() { spdlog::set_level(spdlog::level::off); }
    /// A gateway that stops waits for the bus and the store.
    ~GatewayFixture() override {
        bus.release();
        store.release();
    }

    void start(GatewayOptions options = {}) {
        if (options.listen) {
            options.listen = *net::Address::parse("127.0.0.1:0");
        }
        if (!options.is_operator) {
            options.is_operator = [](std::string_view user, std::string_view password) {
                return user == "operator" && password == "secret";
            };
        }
        auto started = Gateway::start(std::move(options), bus, store, metrics);
        ASSERT_TRUE(started) << started.error().message();
        gateway = std::move(*started);
    }

    std::unique_ptr<TestClient> begin(const TestClient::Options& options) {
        return std::make_unique<TestClient>(*reactor, gateway->address(), options);
    }
    /// Connected.
    std::unique_ptr<TestClient> connect(const TestClient::Options& options) {
        auto client = begin(options);
        EXPECT_TRUE(wait([&] { return client->connected; })) << "no CONNACK";
        return client;
    }
    std::unique_ptr<TestClient> device(const std::string& id) { return connect({.id = id}); }
    std::unique_ptr<TestClient> fleet_operator() { return connect({.user = "operator", .password = "secret"}); }
    void subscribe(TestClient& client, std::string_view filter, std::uint8_t qos = 0) {
        const std::size_t before = client.granted.size();
        client.subscribe(filter, qos);
        EXPECT_TRUE(wait([&] { return client.granted.size() > before; })) << "no SUBACK";
    }

    /// Turns the clients' reactor until the condition holds, at most for half a minute.
    template <class Condition>
    bool wait(Condition condition) {
        for (int i = 0; i < 6000; ++i) {
            if (condition()) {
                return true;
            }
            reactor->run_once(Millis(5));
        }
        return false;
    }

    std::vector<FakeBus::Stored> events() const { return bus.sent(bus_topics::events); }
    std::vector<FakeBus::Stored> events_of(std::string_view device) const {
        std::vector<FakeBus::Stored> all = events();
        std::erase_if(all, [&](const FakeBus::Stored& record) { return record.key != device; });
        return all;
    }
    /// The kinds of a device's records, with the cause of a disconnect.
    std::vector<std::string> story_of(std::string_view device) const {
        static const std::map<EventKind, std::string> names = {
            {EventKind::telemetry, "telemetry"}, {EventKind::connect, "connect"}, {EventKind::disconnect, "disconnect"},
            {EventKind::will, "will"},           {EventKind::status, "status"},   {EventKind::ping, "ping"}};
        std::vector<std::string> story;
        for (const FakeBus::Stored& record : events_of(device)) {
            const EventHeader header = record.event();
            story.push_back(names.at(header.kind));
            if (header.kind == EventKind::disconnect) {
                story.back().append(" ").append(name_of(header.cause));
            }
        }
        return story;
    }
    /// The sum of a counter over all labels that contain `label`.
    double counter(const std::string& name, const std::string& label = "") const {
        double sum = 0;
        const std::string text = metrics.render();
        for (std::size_t at = text.find("\n" + name); at != std::string::npos; at = text.find("\n" + name, at + 1)) {
            const std::string line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
            if (line.find(label) != std::string::npos) {
                sum += std::stod(line.substr(line.rfind(' ') + 1));
            }
        }
        return sum;
    }

    FakeBus bus;
    CountingSessionStore store;
    MetricRegistry metrics;
    std::unique_ptr<Gateway> gateway;
    std::unique_ptr<net::Reactor> reactor = std::move(*net::Reactor::create());
};

}  // namespace muster
