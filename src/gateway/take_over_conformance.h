#pragma once

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "gateway/gateway_fixture_test.h"
#include "gateway/wire_client_test.h"

namespace muster {

/// A session store that several gateways share, for the suite below.
class SharedSessionStore {
 public:
    virtual ~SharedSessionStore() = default;
    [[nodiscard]] virtual SessionStore& store() = 0;
};

using SharedSessionStoreFactory = std::function<std::unique_ptr<SharedSessionStore>()>;

/// Two gateways on one bus and one session store, and clients that change from one to the other. Use:
/// INSTANTIATE_TEST_SUITE_P(Embedded, TakeOver, Values(factory)).
class TakeOver : public GatewayFixture, public ::testing::WithParamInterface<SharedSessionStoreFactory> {
 protected:
    TakeOver() : shared_(GetParam()()) {
        first = start_gateway("gw-1");
        second = start_gateway("gw-2");
    }
    ~TakeOver() override {
        first.reset();
        second.reset();
    }

    std::unique_ptr<Gateway> start_gateway(const std::string& name) {
        GatewayOptions options;
        options.name = name;
        options.threads = 2;
        options.listen = *net::Address::parse("127.0.0.1:0");
        auto started = Gateway::start(std::move(options), bus, shared_->store(), metrics_of_[name]);
        EXPECT_TRUE(started) << started.error().message();
        return std::move(*started);
    }
    std::unique_ptr<TestClient> connect_at(const Gateway& where, const TestClient::Options& options) {
        auto client = std::make_unique<TestClient>(*reactor, where.address(), options);
        EXPECT_TRUE(wait([&] { return client->connected; })) << "no CONNACK";
        return client;
    }
    /// A kept session of dev-1 with this subscription, whose client has gone.
    void leave_behind_at(const Gateway& where) {
        auto client = connect_at(where, {.id = "dev-1", .clean = false});
        subscribe(*client, "news/#", 1);
        client->vanish();
        ASSERT_TRUE(wait([&] { return where.connections() == 0; }));
    }
    void publish_at(const Gateway& where, const std::vector<std::string>& payloads) {
        const std::string name = "publisher-" + std::to_string(++publishers_);
        auto publisher = connect_at(where, {.id = name});
        for (const std::string& payload : payloads) {
            publisher->publish("news/a", payload, 1);
        }
        ASSERT_TRUE(wait([&] { return publisher->acknowledged.size() == payloads.size(); }));
    }
    /// What it has received when as many messages have come, and everything that is on its way by then.
    std::vector<std::string> payloads_of(TestClient& client, std::size_t expected) {
        EXPECT_TRUE(wait([&] { return client.received.size() >= expected; }));
        const std::size_t granted = client.granted.size();
        client.subscribe("nothing/at/all");
        EXPECT_TRUE(wait([&] { return client.granted.size() > granted; }));
        std::vector<std::string> payloads;
        for (const TestClient::Received& received : client.received) {
            payloads.push_back(received.payload);
        }
        return payloads;
    }
    std::size_t stored_at(const std::string& name) {
        std::size_t sessions = 0;
        EXPECT_TRUE(shared_->store().load(name, [&](StoredSession&&) { ++sessions; }));
        return sessions;
    }

    std::size_t waiting_at(const std::string& name) {
        std::size_t messages = 0;
        EXPECT_TRUE(shared_->store().load(name, [&](StoredSession&& session) { messages += session.messages.size(); }));
        return messages;
    }

    std::unique_ptr<SharedSessionStore> shared_;
    std::map<std::string, MetricRegistry> metrics_of_;
    std::unique_ptr<Gateway> first;
    std::unique_ptr<Gateway> second;
    int publishers_ = 0;
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TakeOver);

TEST_P(TakeOver, a_connect_at_another_gateway_closes_the_connection_at_the_first) {
    WireClient before(*reactor, first->address(), mqtt::ProtocolVersion::v5);
    before.connect({.id = "dev-1"});
    ASSERT_TRUE(wait([&] { return !before.heard.empty(); }));
    const auto began = std::chrono::steady_clock::now();
    auto after = connect_at(*second, {.id = "dev-1"});
    ASSERT_TRUE(wait([&] { return before.ended; }));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
    std::printf("taken over in %.1f ms\n", took.count());
    EXPECT_LT(took.count(), 1000) << "of which the machine's load is the most";
    EXPECT_EQ(before.heard.back(), "disconnect session_taken_over");
    EXPECT_EQ(first->connections(), 0U);
    EXPECT_EQ(second->connections(), 1U);
    const auto events = events_of("dev-1");
    std::map<std::string, SessionEpoch> epochs;
    for (const FakeBus::Stored& record : events) {
        if (record.event().kind == EventKind::connect) {
            epochs[std::string(record.event().gateway)] = record.event().epoch;
        }
    }
    EXPECT_LT(epochs["gw-1"], epochs["gw-2"]);
    EXPECT_TRUE(wait([&] { return story_of("dev-1").size() == 3; })) << "the first session's end is told";
}

TEST_P(TakeOver, a_device_that_comes_back_has_one_connection) {
    auto before = connect_at(*first, {.id = "dev-1"});
    auto between = connect_at(*second, {.id = "dev-1"});
    auto after = connect_at(*first, {.id = "dev-1"});
    EXPECT_TRUE(wait([&] { return before->ended && between->ended; }));
    EXPECT_FALSE(after->ended);
}

TEST_P(TakeOver, a_kept_session_follows_its_client_with_subscriptions_and_what_waits) {
    leave_behind_at(*first);
    publish_at(*first, {"1", "2"});
    publish_at(*second, {"3"});
    ASSERT_TRUE(wait([&] { return waiting_at("gw-1") == 3; }));
    auto client = connect_at(*second, {.id = "dev-1", .clean = false});
    EXPECT_TRUE(client->session_present);
    EXPECT_EQ(payloads_of(*client, 3), (std::vector<std::string>{"1", "2", "3"}));
    publish_at(*second, {"4"});
    publish_at(*first, {"5"});
    const auto all = payloads_of(*client, 5);
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()), (std::set<std::string>{"1", "2", "3", "4", "5"}));
    EXPECT_EQ(all.size(), 5U);
    EXPECT_EQ(stored_at("gw-1"), 0U);
    EXPECT_EQ(stored_at("gw-2"), 1U);
    client->vanish();
    ASSERT_TRUE(wait([&] { return second->connections() == 0; }));
    publish_at(*second, {"6"});
    ASSERT_TRUE(wait([&] { return waiting_at("gw-2") == 1; }));
    client = connect_at(*first, {.id = "dev-1", .clean = false});
    EXPECT_TRUE(client->session_present);
    EXPECT_EQ(payloads_of(*client, 1), (std::vector<std::string>{"6"}));
}

TEST_P(TakeOver, a_clean_start_elsewhere_ends_the_kept_session) {
    leave_behind_at(*first);
    publish_at(*first, {"1"});
    auto client = connect_at(*second, {.id = "dev-1", .clean = true});
    EXPECT_FALSE(client->session_present);
    EXPECT_TRUE(payloads_of(*client, 0).empty());
    EXPECT_TRUE(wait([&] { return stored_at("gw-1") + stored_at("gw-2") == 0; }));
}

TEST_P(TakeOver, what_a_gateway_that_has_gone_had_stored_is_taken_over) {
    leave_behind_at(*first);
    publish_at(*first, {"1", "2"});
    first.reset();
    auto client = connect_at(*second, {.id = "dev-1", .clean = false});
    EXPECT_TRUE(client->session_present);
    EXPECT_EQ(payloads_of(*client, 2), (std::vector<std::string>{"1", "2"}));
    first = start_gateway("gw-1");
    EXPECT_FALSE(client->ended);
    publish_at(*first, {"3"});
    EXPECT_EQ(payloads_of(*client, 3).size(), 3U) << "and the first gateway does not have it too";
}

TEST_P(TakeOver, a_device_that_hops_fifty_times_ends_with_one_session) {
    leave_behind_at(*first);
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int hop = 0; hop < 50; ++hop) {
        clients.push_back(connect_at(hop % 2 == 0 ? *second : *first, {.id = "dev-1", .clean = false}));
        EXPECT_TRUE(clients.back()->session_present) << hop;
    }
    EXPECT_TRUE(wait([&] { return first->connections() + second->connections() == 1; }));
    EXPECT_FALSE(clients.back()->ended);
    publish_at(*first, {"once"});
    EXPECT_EQ(payloads_of(*clients.back(), 1), (std::vector<std::string>{"once"}));
    EXPECT_EQ(stored_at("gw-1") + stored_at("gw-2"), 1U);
    SessionEpoch last = 0;
    std::size_t connects = 0;
    for (const FakeBus::Stored& record : events_of("dev-1")) {
        if (record.event().kind == EventKind::connect) {
            EXPECT_GT(record.event().epoch, last);
            last = record.event().epoch;
            ++connects;
        }
    }
    EXPECT_EQ(connects, 51U);
}

TEST_P(TakeOver, connects_at_both_gateways_at_once_leave_one_connection) {
    leave_behind_at(*first);
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 20; ++i) {
        const Gateway& where = i % 2 == 0 ? *first : *second;
        clients.push_back(std::make_unique<TestClient>(*reactor, where.address(),
                                                       TestClient::Options{.id = "dev-1", .clean = false}));
    }
    const auto alive = [&] {
        return std::count_if(clients.begin(), clients.end(), [](const auto& client) { return !client->ended; });
    };
    EXPECT_TRUE(wait([&] { return alive() == 1; }));
    EXPECT_TRUE(wait([&] { return first->connections() + second->connections() == 1; }));
    EXPECT_EQ(alive(), 1);
    EXPECT_EQ(stored_at("gw-1") + stored_at("gw-2"), 1U);
}

}  // namespace muster
