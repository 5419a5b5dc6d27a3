// Several gateways in one process on one embedded bus, with clients on real sockets.

#include <algorithm>
#include <set>

#include <gmock/gmock.h>

#include "bus/embedded_bus.h"
#include "gateway/gateway_fixture_test.h"
#include "gateway/wire_client_test.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

using ::testing::ElementsAre;
using Received = TestClient::Received;

class GatewayCluster : public ::testing::Test {
 protected:
    /// One gateway, and what belongs to its process alone.
    struct Node {
        CountingSessionStore store;
        MetricRegistry metrics;
        std::unique_ptr<Gateway> gateway;

        [[nodiscard]] double metric(const std::string& name, const std::string& label = "") const {
            double sum = 0;
            const std::string text = metrics.render();
            for (std::size_t at = text.find("\n" + name); at != std::string::npos;
                 at = text.find("\n" + name, at + 1)) {
                const std::string line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
                if (line.find(label) != std::string::npos) {
                    sum += std::stod(line.substr(line.rfind(' ') + 1));
                }
            }
            return sum;
        }
    };

    GatewayCluster() {
        spdlog::set_level(spdlog::level::off);
        auto opened = EmbeddedBus::open({.directory = directory_.path(), .partitions = 1}, bus_metrics_);
        EXPECT_TRUE(opened) << opened.error().message();
        bus_ = std::move(*opened);
    }
    /// Before their bus.
    ~GatewayCluster() override { nodes_.clear(); }

    /// "gw-1" and so on, all of which have heard of each other.
    void start(std::size_t gateways) {
        for (std::size_t i = 0; i < gateways; ++i) {
            start_one("gw-" + std::to_string(i + 1));
        }
        for (const auto& node : nodes_) {
            const auto others = static_cast<double>(gateways - 1);
            ASSERT_TRUE(wait([&] { return node->metric("muster_gateway_routes_gateways ") == others; }));
        }
    }
    void start_one(const std::string& name) {
        nodes_.push_back(std::make_unique<Node>());
        GatewayOptions options;
        options.name = name;
        options.listen = *net::Address::parse("127.0.0.1:0");
        options.relay_messages = true;
        options.routes_look_interval = Millis(10);
        options.routes_farewell = Millis(0);
        options.is_operator = [](std::string_view user, std::string_view) { return user == "operator"; };
        auto started = Gateway::start(std::move(options), *bus_, nodes_.back()->store, nodes_.back()->metrics);
        ASSERT_TRUE(started) << started.error().message();
        nodes_.back()->gateway = std::move(*started);
    }
    Node& node(std::size_t number) { return *nodes_[number]; }

    std::unique_ptr<TestClient> connect(std::size_t gateway, const TestClient::Options& options) {
        auto client = std::make_unique<TestClient>(*reactor_, node(gateway).gateway->address(), options);
        EXPECT_TRUE(wait([&] { return client->connected; })) << "no CONNACK";
        return client;
    }
    std::unique_ptr<TestClient> device(std::size_t gateway, const std::string& id) {
        return connect(gateway, {.id = id});
    }
    std::unique_ptr<TestClient> fleet_operator(std::size_t gateway) {
        return connect(gateway, {.user = "operator", .password = "secret"});
    }
    void subscribe(TestClient& client, std::string_view filter, std::uint8_t qos = 0) {
        const std::size_t before = client.granted.size();
        client.subscribe(filter, qos);
        ASSERT_TRUE(wait([&] { return client.granted.size() > before; })) << "no SUBACK";
        ASSERT_LE(client.granted.back(), 2);
    }
    /// Until each of the gateways knows of so many groups at others.
    void await_groups(const std::vector<double>& groups) {
        for (std::size_t i = 0; i < groups.size(); ++i) {
            ASSERT_TRUE(wait([&] { return node(i).metric("muster_gateway_routes_groups ") == groups[i]; })) << i;
        }
    }
    void await_wanted(std::size_t gateway, const std::string& topic_class, bool is_wanted = true) {
        ASSERT_TRUE(wait([&] {
            return node(gateway).metric("muster_gateway_routes_wanted", topic_class) == (is_wanted ? 1.0 : 0.0);
        }));
    }
    /// Turns the clients' reactor until the condition holds, at most for half a minute.
    template <class Condition>
    bool wait(Condition condition) {
        for (int i = 0; i < 6000; ++i) {
            if (condition()) {
                return true;
            }
            reactor_->run_once(Millis(5));
        }
        return false;
    }
    static std::set<std::string> payloads_of(const std::vector<std::unique_ptr<TestClient>>& clients) {
        std::set<std::string> payloads;
        for (const auto& client : clients) {
            for (const Received& received : client->received) {
                payloads.insert(received.payload);
            }
        }
        return payloads;
    }
    static std::size_t received_by(const std::vector<std::unique_ptr<TestClient>>& clients) {
        std::size_t sum = 0;
        for (const auto& client : clients) {
            sum += client->received.size();
        }
        return sum;
    }
    /// Until everything relayed so far has come through: one more message to each, behind it in the one partition.
    void settle(std::string_view topic) {
        std::vector<std::unique_ptr<TestClient>> listeners;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (node(i).gateway) {
                listeners.push_back(device(i, "settle-" + std::to_string(i)));
                subscribe(*listeners.back(), topic);
            }
        }
        listeners.front()->publish(topic, "settled", 1);
        for (const auto& listener : listeners) {
            ASSERT_TRUE(wait([&] { return !listener->received.empty(); }));
        }
    }

    ScratchDirectory directory_;
    MetricRegistry bus_metrics_;
    std::unique_ptr<EmbeddedBus> bus_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::unique_ptr<net::Reactor> reactor_ = std::move(*net::Reactor::create());
};

TEST_F(GatewayCluster, telemetry_and_status_reach_subscribers_of_other_gateways) {
    start(2);
    auto watcher = fleet_operator(1);
    subscribe(*watcher, "telemetry/#", 1);
    subscribe(*watcher, "status/+");
    await_wanted(0, "telemetry");
    await_wanted(0, "status");
    auto client = device(0, "dev-1");
    client->publish("telemetry/dev-1", "1", 1);
    ASSERT_TRUE(wait([&] { return watcher->received.size() == 1; }));
    client->publish("status/dev-1", "ONLINE");
    ASSERT_TRUE(wait([&] { return watcher->received.size() == 2; }));
    EXPECT_THAT(watcher->received,
                ElementsAre(Received{"telemetry/dev-1", "1", 1, false}, Received{"status/dev-1", "ONLINE", 0, false}));
    EXPECT_TRUE(wait([&] { return client->acknowledged.size() == 1; }));
    EXPECT_EQ(node(0).metric("muster_gateway_relayed_total", "telemetry"), 1);
}

TEST_F(GatewayCluster, what_devices_say_is_relayed_no_more_when_nobody_else_wants_it) {
    start(2);
    auto watcher = fleet_operator(1);
    subscribe(*watcher, "+/dev-1");
    await_wanted(0, "telemetry");
    watcher->disconnect();
    await_wanted(0, "telemetry", false);
    auto client = device(0, "dev-1");
    client->publish("telemetry/dev-1", "1", 1);
    ASSERT_TRUE(wait([&] { return client->acknowledged.size() == 1; }));
    EXPECT_EQ(node(0).metric("muster_gateway_relayed_total"), 0);
}

TEST_F(GatewayCluster, the_will_of_a_device_reaches_subscribers_of_other_gateways) {
    start(2);
    auto watcher = fleet_operator(1);
    subscribe(*watcher, "status/#");
    await_wanted(0, "status");
    auto client = connect(0, {.id = "dev-1", .will_topic = "status/dev-1", .will_payload = "OFFLINE"});
    client->vanish();
    ASSERT_TRUE(wait([&] { return !watcher->received.empty(); }));
    EXPECT_THAT(watcher->received, ElementsAre(Received{"status/dev-1", "OFFLINE", 0, false}));
}

/// A client that answers every QoS as it must.
class Talker final {
 public:
    Talker(net::Reactor& reactor, const net::Address& address, const std::string& id)
        : wire(std::make_unique<WireClient>(reactor, address)) {
        wire->connect({.id = id});
    }
    void answer() {
        for (; read_ < wire->heard.size(); ++read_) {
            const std::string said = wire->heard[read_];
            const std::size_t mark = said.find('#');
            const auto id =
                static_cast<std::uint16_t>(mark == std::string::npos ? 0 : std::stoul(said.substr(mark + 1)));
            if (said.starts_with("publish ")) {
                const std::size_t from = said.find('\'') + 1;
                payloads.push_back(said.substr(from, said.find('\'', from) - from));
                if (id != 0) {
                    wire->ack(
                        said.find(" q1 ") != std::string::npos ? mqtt::PacketType::puback : mqtt::PacketType::pubrec,
                        id);
                }
            } else if (said.starts_with("pubrec")) {
                wire->ack(mqtt::PacketType::pubrel, id);
            } else if (said.starts_with("pubrel")) {
                wire->ack(mqtt::PacketType::pubcomp, id);
            }
        }
    }

    std::unique_ptr<WireClient> wire;
    std::vector<std::string> payloads;

 private:
    std::size_t read_ = 0;
};

TEST_F(GatewayCluster, a_group_on_three_gateways_gets_each_of_600_messages_once) {
    start(3);
    std::vector<Talker> members;
    std::vector<Talker> publishers;
    for (std::size_t i = 0; i < 3; ++i) {
        const net::Address address = node(i).gateway->address();
        publishers.emplace_back(*reactor_, address, "publisher-" + std::to_string(i));
        members.emplace_back(*reactor_, address, "member-" + std::to_string(i));
        members.back().wire->subscribe("$share/workers/jobs/#", 2);
    }
    await_groups({2, 2, 2});
    constexpr std::size_t messages = 600;
    const auto received = [&] {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            publishers[i].answer();
            members[i].answer();
            sum += members[i].payloads.size();
        }
        return sum;
    };
    for (std::size_t i = 0; i < messages; ++i) {
        const auto qos = static_cast<std::uint8_t>(i / 3 % 3);
        publishers[i % 3].wire->publish({.topic = "jobs/x",
                                         .payload = std::to_string(i),
                                         .qos = qos,
                                         .packet_id = static_cast<std::uint16_t>(qos == 0 ? 0 : i + 1)});
        if (i % 60 == 59) {
            ASSERT_TRUE(wait([&] { return received() >= i + 1; })) << received() << " of " << i + 1;
        }
    }
    settle("jobs-are-done");
    EXPECT_EQ(received(), messages);
    std::set<std::string> payloads;
    for (const Talker& member : members) {
        payloads.insert(member.payloads.begin(), member.payloads.end());
        EXPECT_GE(member.payloads.size(), 150U);
        EXPECT_LE(member.payloads.size(), 250U);
    }
    EXPECT_EQ(payloads.size(), messages);
}

TEST_F(GatewayCluster, a_group_shares_the_telemetry_of_devices_on_all_gateways) {
    start(2);
    std::vector<std::unique_ptr<TestClient>> members;
    std::vector<std::unique_ptr<TestClient>> devices;
    for (std::size_t i = 0; i < 2; ++i) {
        members.push_back(fleet_operator(i));
        subscribe(*members.back(), "$share/store/telemetry/#", 1);
        devices.push_back(device(i, "dev-" + std::to_string(i)));
    }
    await_groups({1, 1});
    for (int i = 0; i < 40; ++i) {
        const std::string number = std::to_string(i % 2);
        devices[static_cast<std::size_t>(i) % 2]->publish("telemetry/dev-" + number, std::to_string(i), 1);
    }
    ASSERT_TRUE(wait([&] { return received_by(members) >= 40; })) << received_by(members);
    settle("other/x");
    EXPECT_EQ(payloads_of(members).size(), 40U);
    EXPECT_EQ(received_by(members), 40U);
    EXPECT_EQ(members[0]->received.size(), 20U);
    EXPECT_EQ(node(0).metric("muster_gateway_relayed_total", "telemetry"), 10) << "own share stays off the bus";
}

TEST_F(GatewayCluster, a_request_stays_with_the_members_of_its_own_gateway) {
    start(2);
    auto here = fleet_operator(0);
    auto there = fleet_operator(1);
    subscribe(*here, "$share/g/$aws/things/+/shadow/get");
    subscribe(*there, "$share/g/$aws/things/+/shadow/get");
    await_groups({1, 1});
    auto client = device(0, "dev-1");
    for (int i = 0; i < 4; ++i) {
        client->publish("$aws/things/dev-1/shadow/get", std::to_string(i), 1);
    }
    EXPECT_TRUE(wait([&] { return here->received.size() == 4; }));
}

TEST_F(GatewayCluster, when_a_member_leaves_and_when_its_gateway_stops_the_others_get_everything) {
    start(3);
    std::vector<std::unique_ptr<TestClient>> members;
    for (std::size_t i = 0; i < 3; ++i) {
        members.push_back(device(i, "member-" + std::to_string(i)));
        subscribe(*members.back(), "$share/workers/jobs/#", 1);
    }
    await_groups({2, 2, 2});
    auto publisher = device(0, "publisher");
    members[1]->disconnect();
    await_groups({1, 2, 1});
    for (int i = 0; i < 60; ++i) {
        publisher->publish("jobs/x", std::to_string(i), 1);
    }
    ASSERT_TRUE(wait([&] { return received_by(members) == 60; })) << received_by(members);
    EXPECT_EQ(members[2]->received.size(), 30U);
    node(2).gateway.reset();
    ASSERT_TRUE(wait([&] { return node(0).metric("muster_gateway_routes_gateways ") == 1; }));
    await_groups({0, 1});
    for (int i = 60; i < 120; ++i) {
        publisher->publish("jobs/x", std::to_string(i), 1);
    }
    ASSERT_TRUE(wait([&] { return received_by(members) == 120; })) << received_by(members);
    EXPECT_EQ(members[0]->received.size(), 90U);
    EXPECT_EQ(payloads_of(members).size(), 120U);
}

TEST_F(GatewayCluster, a_retained_message_of_one_gateway_awaits_subscribers_of_another) {
    start(2);
    auto publisher = device(0, "dev-1");
    publisher->publish("news/a", "kept", 1, true);
    publisher->publish("status/dev-1", "ONLINE", 1, true);
    ASSERT_TRUE(wait([&] { return node(1).metric("muster_gateway_retained_messages") == 2; }));
    auto watcher = fleet_operator(1);
    subscribe(*watcher, "news/#", 1);
    subscribe(*watcher, "status/#", 1);
    ASSERT_TRUE(wait([&] { return watcher->received.size() == 2; }));
    EXPECT_THAT(watcher->received,
                ElementsAre(Received{"news/a", "kept", 1, true}, Received{"status/dev-1", "ONLINE", 1, true}));
    publisher->publish("news/a", "", 1, true);
    EXPECT_TRUE(wait([&] { return node(1).metric("muster_gateway_retained_messages") == 1; }));
}

TEST_F(GatewayCluster, no_local_holds_back_own_messages_and_nobody_elses) {
    start(2);
    const std::uint8_t no_local = 4;
    std::vector<std::unique_ptr<WireClient>> clients;
    for (std::size_t i = 0; i < 2; ++i) {
        clients.push_back(std::make_unique<WireClient>(*reactor_, node(i).gateway->address()));
        clients.back()->connect({.id = "dev-" + std::to_string(i)});
        clients.back()->subscribe("news/#", no_local);
        ASSERT_TRUE(wait([&] { return clients.back()->heard.size() == 2; }));
    }
    clients[0]->publish({.topic = "news/a", .payload = "from 0"});
    clients[1]->publish({.topic = "news/a", .payload = "from 1"});
    for (const auto& client : clients) {
        ASSERT_TRUE(wait([&] { return client->heard.size() >= 3; }));
    }
    settle("other/x");
    EXPECT_EQ(clients[0]->heard.size(), 3U);
    EXPECT_EQ(clients[1]->heard.size(), 3U);
    EXPECT_EQ(clients[0]->heard[2], "publish news/a 'from 1'");
    EXPECT_EQ(clients[1]->heard[2], "publish news/a 'from 0'");
}

TEST_F(GatewayCluster, a_gateway_that_comes_later_hears_of_those_that_are_there) {
    start(1);
    auto watcher = fleet_operator(0);
    subscribe(*watcher, "telemetry/#");
    start_one("gw-2");
    await_wanted(1, "telemetry");
    device(1, "dev-1")->publish("telemetry/dev-1", "1");
    EXPECT_TRUE(wait([&] { return watcher->received.size() == 1; }));
}

}  // namespace
}  // namespace muster
