#include "gateway/session_table.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "gateway/connection.h"

namespace muster {
namespace {

using Ticket = mqtt::IncomingTicket;

class Answers {
 public:
    void settle(AckQueue& queue, std::uint16_t packet_id, std::uint8_t qos = 1) {
        queue.settle(packet_id, qos, [this](const Ticket& ticket) { given.push_back(ticket.packet_id); });
    }
    std::vector<std::uint16_t> given;
};

TEST(AckQueue, answers_come_in_the_order_of_the_publishes) {
    AckQueue queue;
    Answers answers;
    queue.add(Ticket{.packet_id = 7, .qos = 1}, 1);
    queue.add(Ticket{.packet_id = 3, .qos = 1}, 1);
    answers.settle(queue, 3);
    EXPECT_TRUE(answers.given.empty());
    answers.settle(queue, 7);
    EXPECT_EQ(answers.given, (std::vector<std::uint16_t>{7, 3}));
    EXPECT_EQ(queue.size(), 0U);
}

TEST(AckQueue, a_publish_of_two_records_waits_for_both) {
    AckQueue queue;
    Answers answers;
    queue.add(Ticket{.packet_id = 7, .qos = 1}, 2);
    answers.settle(queue, 7);
    EXPECT_TRUE(answers.given.empty());
    answers.settle(queue, 7);
    EXPECT_EQ(answers.given.size(), 1U);
}

TEST(AckQueue, an_unknown_packet_changes_nothing) {
    AckQueue queue;
    Answers answers;
    queue.add(Ticket{.packet_id = 7, .qos = 1}, 1);
    answers.settle(queue, 8);
    answers.settle(queue, 7, 2);
    EXPECT_EQ(queue.size(), 1U);
}

TEST(AckQueue, what_waited_for_a_puback_is_forgotten_with_its_connection) {
    AckQueue queue;
    Answers answers;
    queue.add(Ticket{.packet_id = 1, .qos = 1}, 1);
    queue.add(Ticket{.packet_id = 2, .qos = 2}, 1);
    queue.forget_qos1();
    EXPECT_EQ(queue.size(), 1U);
    answers.settle(queue, 2, 2);
    EXPECT_EQ(answers.given, (std::vector<std::uint16_t>{2}));
}

TEST(AckQueue, a_long_stream_keeps_its_order) {
    AckQueue queue;
    Answers answers;
    std::uint16_t next = 1;
    for (std::uint16_t id = 1; id <= 5000; ++id) {
        queue.add(Ticket{.packet_id = id, .qos = 1}, 1);
        if (queue.size() > 100) {
            answers.settle(queue, next++);
        }
    }
    EXPECT_EQ(queue.size(), 100U);
    ASSERT_EQ(answers.given.size(), 4900U);
    EXPECT_TRUE(std::is_sorted(answers.given.begin(), answers.given.end()));
}

TEST(SessionTable, a_handle_names_one_session_and_not_its_successor) {
    const mqtt::SessionLimits limits;
    SessionTable table(3, limits);
    Session& first = table.create("dev-1", Role::device);
    const SessionHandle handle = table.handle_of(first);
    EXPECT_EQ(worker_of(handle), 3U);
    EXPECT_EQ(table.at(handle), &first);
    table.erase(first);
    EXPECT_EQ(table.at(handle), nullptr);
    Session& second = table.create("dev-2", Role::device);
    EXPECT_EQ(second.slot, 0U);
    EXPECT_EQ(table.at(handle), nullptr);
    EXPECT_EQ(table.at(table.handle_of(second)), &second);
}

TEST(SessionTable, finds_sessions_by_key) {
    const mqtt::SessionLimits limits;
    SessionTable table(0, limits);
    Session& session = table.create("dev-1", Role::device);
    EXPECT_EQ(table.find("dev-1"), &session);
    EXPECT_EQ(session.device(), "dev-1");
    EXPECT_EQ(table.find("dev-2"), nullptr);
    EXPECT_EQ(table.create("/guest/x", Role::guest).device(), "");
}

TEST(SessionTable, keys_of_any_length_are_told_apart) {
    const mqtt::SessionLimits limits;
    SessionTable table(0, limits);
    std::vector<std::string> keys{""};
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{14}, std::size_t{15}, std::size_t{16}, std::size_t{17}, std::size_t{70'000}}) {
        keys.push_back(std::string(size, 'a'));
        keys.push_back(std::string(size - 1, 'a') + 'b');
    }
    for (const std::string& key : keys) {
        EXPECT_EQ(*table.create(key, Role::device).key, key);
    }
    for (const std::string& key : keys) {
        ASSERT_NE(table.find(key), nullptr);
        EXPECT_EQ(*table.find(key)->key, key);
    }
    EXPECT_EQ(table.find(std::string(18, 'a')), nullptr);
}

TEST(SessionTable, sessions_stay_where_they_are_while_others_come_and_go) {
    const mqtt::SessionLimits limits;
    SessionTable table(0, limits);
    const auto key_of = [](int number) { return "device-" + std::to_string(number); };
    Session& first = table.create(key_of(0), Role::device);
    for (int i = 1; i < 5000; ++i) {
        table.create(key_of(i), Role::device);
    }
    for (int i = 1; i < 5000; i += 2) {
        table.erase(*table.find(key_of(i)));
    }
    EXPECT_EQ(table.size(), 2500U);
    EXPECT_EQ(table.find(key_of(0)), &first);
    for (int i = 1; i < 5000; i += 2) {
        EXPECT_EQ(table.find(key_of(i)), nullptr);
        EXPECT_LT(table.create(key_of(i), Role::device).slot, 5000U) << "slots are used again";
    }
    for (int i = 0; i < 5000; ++i) {
        ASSERT_NE(table.find(key_of(i)), nullptr);
        EXPECT_EQ(table.at(table.handle_of(*table.find(key_of(i)))), table.find(key_of(i)));
    }
}

/// The bound of an idle session in the gateway: what these two cost is 16 bytes of heap overhead and index apart.
TEST(SessionTable, a_session_and_its_connection_are_small) {
    EXPECT_LE(sizeof(Session), 176U);
    EXPECT_LE(sizeof(Connection), 160U);
}

}  // namespace
}  // namespace muster
