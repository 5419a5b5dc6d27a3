#include "simulator/simulator.h"

#include <deque>
#include <filesystem>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/mqtt_topics.h"
#include "mqtt/encode.h"
#include "mqtt/server_connection.h"
#include "net/tcp_listener.h"

namespace muster {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// What a broker saw of one message.
struct Seen {
    std::string topic;
    std::string payload;
};

/// The least MQTT server that a device is content with, on the test's own reactor: accepts everybody, acknowledges
/// everything, remembers what it saw.
class SmallBroker final : net::IoHandler {
 public:
    SmallBroker(net::Reactor& reactor, const net::Address& address) : reactor_(reactor) {
        listener_.emplace(std::move(net::TcpListener::open(address).value()[0]));
        EXPECT_TRUE(reactor_.add(listener_->fd(), *this, net::io_readable));
    }
    ~SmallBroker() override {
        drop_all();
        reactor_.remove(listener_->fd());
    }

    void drop_all() {
        for (Link& link : links_) {
            link.close();
        }
    }
    void publish_to(const std::string& device, std::string_view topic, std::string_view payload) {
        for (Link& link : links_) {
            if (link.client_id == device && link.is_open()) {
                link.publish(topic, payload);
            }
        }
    }

    [[nodiscard]] net::Address address() const { return listener_->local_address(); }
    [[nodiscard]] std::size_t connected() const {
        return static_cast<std::size_t>(
            std::ranges::count_if(links_, [](const Link& link) { return link.is_connected(); }));
    }
    [[nodiscard]] std::vector<std::string> payloads(std::string_view topic) const {
        std::vector<std::string> found;
        for (const Seen& message : seen) {
            if (message.topic == topic) {
                found.push_back(message.payload);
            }
        }
        return found;
    }

    std::vector<Seen> seen;
    std::vector<Seen> wills;
    std::vector<std::string> subscriptions;
    std::vector<std::string> peers;
    std::size_t connects = 0;
    std::size_t goodbyes = 0;

 private:
    class Link final : public net::IoHandler, mqtt::ServerListener {
     public:
        Link(SmallBroker& broker, net::TcpSocket socket)
            : broker_(broker), socket_(std::move(socket)), mqtt_(limits_, broker.reactor_.monotonic()) {
            EXPECT_TRUE(broker_.reactor_.add(socket_.fd(), *this, net::io_readable | net::io_peer_ended));
        }
        void close() {
            if (socket_.is_open()) {
                broker_.reactor_.remove(socket_.fd());
                socket_.close();
            }
        }
        void publish(std::string_view topic, std::string_view payload) {
            mqtt::Publish packet;
            packet.topic = topic;
            packet.payload = payload;
            packet.qos = 1;
            packet.packet_id = 7;
            mqtt::encode(mqtt_.version(), packet, out_);
            flush();
        }
        [[nodiscard]] bool is_open() const { return socket_.is_open(); }
        [[nodiscard]] bool is_connected() const { return is_open() && !client_id.empty(); }

        std::string client_id;

     private:
        void on_io(std::uint32_t) override {
            char buffer[4096];
            while (socket_.is_open()) {
                const auto got = socket_.read(buffer);
                if (!got) {
                    if (got.error().code != ErrorCode::would_block) {
                        close();
                    }
                    return;
                }
                mqtt_.receive(std::string_view(buffer, *got), broker_.reactor_.monotonic(), *this);
                flush();
            }
        }
        void flush() {
            if (!out_.empty() && !socket_.write(out_)) {
                close();
            }
            out_.clear();
        }
        void on_connect(const mqtt::Connect& connect) override {
            client_id = connect.client_id;
            ++broker_.connects;
            broker_.wills.push_back({std::string(connect.will->topic), std::string(connect.will->payload)});
            mqtt_.accept({}, broker_.reactor_.monotonic(), out_);
        }
        void on_publish(const mqtt::Publish& publish) override {
            broker_.seen.push_back({std::string(publish.topic), std::string(publish.payload)});
            if (publish.qos == 1) {
                mqtt::encode(
                    mqtt_.version(),
                    mqtt::Ack{.type = mqtt::PacketType::puback, .packet_id = publish.packet_id, .properties = {}},
                    out_);
            }
        }
        void on_subscribe(const mqtt::Subscribe& subscribe) override {
            std::string reasons;
            for (const auto& entry : subscribe.entries) {
                broker_.subscriptions.emplace_back(entry.filter);
                reasons.push_back('\1');
            }
            mqtt::encode(mqtt_.version(),
                         mqtt::Suback{.packet_id = subscribe.packet_id, .properties = {}, .reasons = reasons}, out_);
        }
        void on_ack(const mqtt::Ack&) override {}
        void on_unsubscribe(const mqtt::Unsubscribe&) override {}
        void on_ping() override { mqtt::encode(mqtt_.version(), mqtt::Pingresp{}, out_); }
        void on_auth(const mqtt::Auth&) override {}
        void on_disconnect(const mqtt::Disconnect&) override { ++broker_.goodbyes; }
        void on_error(const mqtt::ProtocolError&) override { ADD_FAILURE() << "protocol error"; }

        SmallBroker& broker_;
        mqtt::ServerLimits limits_;
        net::TcpSocket socket_;
        mqtt::ServerConnection mqtt_;
        std::string out_;
    };

    void on_io(std::uint32_t) override {
        net::Address peer;
        while (auto socket = listener_->accept(peer)) {
            peers.push_back(peer.host());
            links_.emplace_back(*this, std::move(*socket));
        }
    }

    net::Reactor& reactor_;
    std::optional<net::TcpListener> listener_;
    std::deque<Link> links_;
};

/// A fleet, its broker and the test on one thread: time passes only in turn().
class Fleet : public testing::Test {
 protected:
    static constexpr int turns_max = 3000;  ///< of at most 10 ms each

    static Scenario quiet(std::uint32_t devices) {
        Scenario scenario;
        scenario.devices = devices;
        scenario.regions = {"jp/tokyo"};
        scenario.flappers = 0;
        scenario.sleepers = 0;
        scenario.outages.clear();
        return scenario;
    }

    void open_broker(const net::Address& address = net::Address::parse("127.0.0.1:0").value()) {
        broker_ = std::make_unique<SmallBroker>(*reactor_, address);
        options_.broker = broker_->address().to_string();
    }
    void play(const Scenario& scenario) {
        options_.scenario = scenario;
        options_.connect_rate = 10'000;
        options_.back_off = {Millis(50), Millis(200)};
        plan_ = make_plan(scenario);
        shard_ = std::make_unique<FleetShard>(plan_, options_, 0, *reactor_, *truth_, registry_);
        shard_->start();
    }
    template <class Condition>
    [[nodiscard]] bool turn_until(Condition condition) {
        for (int i = 0; i < turns_max && !condition(); ++i) {
            reactor_->run_once(Millis(10));
        }
        return condition();
    }
    [[nodiscard]] bool turn_until_connected() {
        return turn_until([&] {
            return shard_->progress().connected == plan_.devices.size() && broker_->connected() == plan_.devices.size();
        });
    }
    [[nodiscard]] std::uint64_t count(TruthReason why) const { return truth_->counts()[static_cast<std::size_t>(why)]; }
    [[nodiscard]] const std::string& id(std::size_t i) const { return plan_.devices[i].id; }

    std::unique_ptr<net::Reactor> reactor_ = net::Reactor::create().value();
    std::unique_ptr<TruthLog> truth_ = TruthLog::open("").value();
    MetricRegistry registry_;
    SimulatorOptions options_;
    FleetPlan plan_;
    std::unique_ptr<SmallBroker> broker_;
    std::unique_ptr<FleetShard> shard_;
};

TEST_F(Fleet, every_device_connects_with_a_will_and_declares_itself) {
    open_broker();
    play(quiet(20));
    ASSERT_TRUE(turn_until_connected());
    EXPECT_EQ(broker_->wills.front().payload, "OFFLINE");
    ASSERT_TRUE(turn_until([&] { return !broker_->payloads(shadow_topic(id(19), "get")).empty(); }));
    for (const auto& device : plan_.devices) {
        ASSERT_TRUE(turn_until([&] { return !broker_->payloads(status_topic(device.id)).empty(); }));
        EXPECT_THAT(broker_->payloads(status_topic(device.id)).front(),
                    StartsWith(R"({"status":"ONLINE","region":"jp/tokyo")"));
    }
    EXPECT_THAT(broker_->subscriptions, testing::Contains(shadow_topic(id(0), "update/delta")));
    EXPECT_EQ(count(TruthReason::connect), 20U);
}

TEST_F(Fleet, devices_connect_from_many_addresses) {
    open_broker();
    play(quiet(100));
    ASSERT_TRUE(turn_until_connected());
    EXPECT_THAT(broker_->peers, testing::IsSupersetOf({"127.1.0.1", "127.1.0.2"}));
}

TEST_F(Fleet, devices_publish_telemetry_at_their_interval) {
    open_broker();
    auto scenario = quiet(3);
    scenario.telemetry_interval = Millis(100);
    play(scenario);
    ASSERT_TRUE(turn_until([&] { return broker_->payloads(telemetry_topic(id(0))).size() >= 3; }));
    EXPECT_THAT(broker_->payloads(telemetry_topic(id(0))).front(), HasSubstr(R"("battery":)"));
}

TEST_F(Fleet, a_delta_is_obeyed_and_reported) {
    open_broker();
    play(quiet(2));
    ASSERT_TRUE(turn_until_connected());
    broker_->publish_to(id(1), shadow_topic(id(1), "update/delta"), R"({"version":2,"state":{"logLevel":"debug"}})");
    EXPECT_TRUE(turn_until([&] {
        const auto reports = broker_->payloads(shadow_topic(id(1), "update"));
        return std::ranges::count(reports, R"({"state":{"reported":{"logLevel":"debug"}}})") == 1;
    })) << testing::PrintToString(broker_->payloads(shadow_topic(id(1), "update")));
}

TEST_F(Fleet, a_rebooting_device_says_good_bye_comes_back_and_reports_success) {
    open_broker();
    play(quiet(2));
    ASSERT_TRUE(turn_until_connected());
    broker_->publish_to(id(0), command_topic(id(0), "e1", "request/json"),
                        R"({"executionId":"e1","command":"reboot","parameters":{}})");
    ASSERT_TRUE(turn_until([&] { return broker_->goodbyes == 1; }));
    const auto answers = [&] { return broker_->payloads(command_topic(id(0), "e1", "response/json")); };
    EXPECT_THAT(answers(), testing::ElementsAre(R"({"status":"IN_PROGRESS"})"));
    ASSERT_TRUE(turn_until([&] { return answers().size() == 2; }));
    EXPECT_EQ(answers().back(), R"({"status":"SUCCEEDED"})");
    EXPECT_EQ(count(TruthReason::reboot), 1U);
}

TEST_F(Fleet, devices_come_back_after_the_broker_dropped_them) {
    open_broker();
    play(quiet(10));
    ASSERT_TRUE(turn_until_connected());
    broker_->drop_all();
    ASSERT_TRUE(turn_until([&] { return count(TruthReason::broker) == 10; }));
    ASSERT_TRUE(turn_until_connected());
    EXPECT_EQ(shard_->progress().reconnects, 10U);
    EXPECT_EQ(broker_->goodbyes, 0U);
}

TEST_F(Fleet, devices_are_spread_over_brokers_and_go_to_the_next_when_theirs_is_gone) {
    open_broker();
    const auto other = std::make_unique<SmallBroker>(*reactor_, net::Address::parse("127.0.0.1:0").value());
    options_.broker += "," + other->address().to_string();
    play(quiet(10));
    ASSERT_TRUE(turn_until([&] { return broker_->connected() == 5 && other->connected() == 5; }));
    broker_.reset();
    EXPECT_TRUE(turn_until([&] { return other->connected() == 10; }));
}

TEST_F(Fleet, devices_wait_for_a_broker_that_is_not_there_yet) {
    open_broker();
    const auto address = broker_->address();
    broker_.reset();
    play(quiet(3));
    ASSERT_TRUE(turn_until([&] { return shard_->progress().connect_failures >= 3; }));
    open_broker(address);
    EXPECT_TRUE(turn_until_connected());
}

TEST_F(Fleet, a_device_without_network_breaks_off_without_good_bye_and_stays_away_until_it_is_back) {
    open_broker();
    play(quiet(2));
    ASSERT_TRUE(turn_until_connected());
    shard_->device(0).lose_network();
    EXPECT_EQ(count(TruthReason::outage), 1U);
    ASSERT_TRUE(turn_until([&] { return broker_->connected() == 1; }));
    EXPECT_EQ(broker_->goodbyes, 0U);
    for (int i = 0; i < 50; ++i) {
        reactor_->run_once(Millis(10));
    }
    EXPECT_EQ(broker_->connects, 2U);
    shard_->device(0).restore_network();
    EXPECT_TRUE(turn_until_connected());
}

TEST_F(Fleet, a_planned_outage_keeps_its_devices_away_until_its_end) {
    open_broker();
    auto scenario = quiet(5);
    scenario.outages = {Outage{.region = "jp/tokyo", .start = Millis(0), .duration = Millis(400), .share = 1}};
    const auto began = reactor_->monotonic();
    play(scenario);
    ASSERT_TRUE(turn_until([&] { return shard_->progress().connected > 0; }));
    EXPECT_GE(reactor_->monotonic() - began, Millis(400));
    EXPECT_TRUE(turn_until_connected());
}

TEST_F(Fleet, after_a_storm_all_come_back_by_themselves) {
    open_broker();
    play(quiet(10));
    ASSERT_TRUE(turn_until_connected());
    for (std::size_t i = 0; i < shard_->size(); ++i) {
        shard_->device(i).break_connection();
    }
    EXPECT_EQ(shard_->progress().connected, 0U);
    EXPECT_TRUE(turn_until_connected());
    EXPECT_EQ(shard_->progress().reconnects, 10U);
}

TEST_F(Fleet, a_device_whose_network_is_gone_ignores_a_second_outage_until_both_have_ended) {
    open_broker();
    play(quiet(1));
    ASSERT_TRUE(turn_until_connected());
    auto& device = shard_->device(0);
    device.lose_network();
    device.lose_network();
    device.restore_network();
    ASSERT_TRUE(turn_until([&] { return broker_->connected() == 0; }));
    EXPECT_FALSE(device.is_online());
    device.restore_network();
    EXPECT_TRUE(turn_until_connected());
}

TEST_F(Fleet, stopping_says_good_bye_for_every_device) {
    open_broker();
    play(quiet(10));
    ASSERT_TRUE(turn_until_connected());
    shard_->stop();
    ASSERT_TRUE(turn_until([&] { return broker_->goodbyes == 10; }));
    EXPECT_EQ(count(TruthReason::stop), 10U);
}

TEST(Simulator, starts_reports_and_stops_by_itself_without_a_broker) {
    MetricRegistry registry;
    SimulatorOptions options;
    options.scenario.devices = 20;
    options.broker = "127.0.0.1:1";
    options.threads = 2;
    auto simulator = Simulator::start(options, registry);
    ASSERT_TRUE(simulator) << simulator.error().message();
    (*simulator)->stop();
    EXPECT_EQ((*simulator)->progress().devices, 20U);
    EXPECT_EQ((*simulator)->progress().connected, 0U);
    EXPECT_THAT((*simulator)->summary(), HasSubstr("20 devices, seed 42"));
}

TEST(Simulator, options_that_make_no_sense_are_refused_with_a_sentence) {
    SimulatorOptions options;
    EXPECT_TRUE(validate(options));
    options.broker = "somewhere";
    EXPECT_THAT(validate(options).error().message(), HasSubstr("numeric address with a port"));
    options = {};
    options.broker = "localhost:1883";
    EXPECT_TRUE(validate(options));
    options.threads = 0;
    EXPECT_FALSE(validate(options));
    options = {};
    options.connect_rate = 0;
    EXPECT_FALSE(validate(options));
}

}  // namespace
}  // namespace muster
