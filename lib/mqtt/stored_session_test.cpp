#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqtt/packet_bytes.h"
#include "mqtt/server_session.h"

namespace muster::mqtt {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Millis start{1000};

/// A kept session whose store answers when the test says so.
class StoredSessionTest : public ::testing::Test {
 protected:
    StoredSessionTest() { attach(session_); }

    static void attach(ServerSession& session, std::string& out) {
        session.attach({.session_expiry_s = session_never_expires}, start, out);
    }
    void attach(ServerSession& session) { attach(session, out_); }
    Delivery deliver(std::string_view payload, std::uint8_t qos) {
        Publish publish;
        publish.topic = "t";
        publish.payload = payload;
        publish.qos = qos;
        OutgoingMessage message(publish, start);
        const Delivery outcome = session_.deliver(message, {.qos = qos}, start, out_);
        if (outcome == Delivery::queued) {
            session_.name_newest(++number_);
        }
        return outcome;
    }
    void confirm(std::uint64_t number) { session_.confirm(number, start, out_); }
    Acknowledged ack(PacketType type, std::uint16_t packet_id) {
        return session_.acknowledge({type, packet_id, ReasonCode::success, {}}, start, out_);
    }
    /// What was sent since the last call: "p1!hi" is PUBLISH with id 1, DUP and that payload.
    std::vector<std::string> sent() {
        std::vector<std::string> words;
        std::string_view rest = out_;
        while (!rest.empty()) {
            const Frame frame = next_packet(rest, packet_bytes_ceiling);
            rest.remove_prefix(frame.size);
            if (frame.packet.type == PacketType::publish) {
                const Publish publish = decode_publish(ProtocolVersion::v3_1_1, frame.packet).value();
                words.push_back("p" + std::to_string(publish.packet_id) + (publish.duplicate ? "!" : ":") +
                                std::string(publish.payload));
            } else {
                const Ack one = decode_ack(ProtocolVersion::v3_1_1, frame.packet).value();
                words.push_back(std::string(name_of(one.type)) + std::to_string(one.packet_id));
            }
        }
        out_.clear();
        return words;
    }
    /// As the store would give it back after a restart.
    std::vector<PendingMessage> stored() const {
        std::vector<PendingMessage> all;
        session_.for_each_outgoing([&](const PendingMessage& pending) { all.push_back(pending); });
        return all;
    }

    SessionLimits limits_{.in_flight_max = 2, .queued_messages_max = 5, .stores_kept = true};
    ServerSession session_{limits_};
    std::string out_;
    std::uint64_t number_ = 0;
};

TEST_F(StoredSessionTest, a_message_is_sent_when_it_is_stored_and_in_order) {
    EXPECT_EQ(deliver("a", 1), Delivery::queued);
    EXPECT_EQ(deliver("b", 2), Delivery::queued);
    EXPECT_THAT(sent(), IsEmpty());
    confirm(2);
    EXPECT_THAT(sent(), IsEmpty());
    confirm(1);
    EXPECT_THAT(sent(), ElementsAre("p1:a", "p2:b"));
}

TEST_F(StoredSessionTest, a_session_that_ends_with_its_connection_does_not_wait) {
    session_.set_session_expiry_s(0);
    EXPECT_EQ(deliver("a", 1), Delivery::sent);
    EXPECT_THAT(sent(), ElementsAre("p1:a"));
}

TEST_F(StoredSessionTest, an_acknowledgement_names_what_may_be_forgotten) {
    deliver("a", 1);
    confirm(1);
    const Acknowledged done = ack(PacketType::puback, 1);
    EXPECT_TRUE(done.completed);
    EXPECT_EQ(done.number, 1U);
    EXPECT_TRUE(session_.is_empty());
}

TEST_F(StoredSessionTest, pubrel_is_sent_when_it_is_stored_that_pubrec_came) {
    deliver("a", 2);
    confirm(1);
    (void)sent();
    const Acknowledged released = ack(PacketType::pubrec, 1);
    EXPECT_TRUE(released.released);
    EXPECT_EQ(released.number, 1U);
    EXPECT_THAT(sent(), IsEmpty());
    EXPECT_FALSE(ack(PacketType::pubrec, 1).released);  // an impatient client
    EXPECT_THAT(sent(), IsEmpty());
    confirm(1);
    EXPECT_THAT(sent(), ElementsAre("pubrel1"));
    EXPECT_EQ(ack(PacketType::pubcomp, 1).number, 1U);
}

TEST_F(StoredSessionTest, a_reconnect_before_the_store_has_answered_sends_nothing_too_early) {
    deliver("a", 2);
    confirm(1);
    deliver("b", 1);
    (void)sent();
    (void)ack(PacketType::pubrec, 1);
    session_.detach();
    attach(session_);
    EXPECT_THAT(sent(), IsEmpty());
    confirm(1);
    confirm(2);
    EXPECT_THAT(sent(), ElementsAre("pubrel1", "p2:b"));
}

TEST_F(StoredSessionTest, packet_ids_given_at_queueing_are_not_given_twice) {
    deliver("old", 1);
    confirm(1);
    for (int i = 0; i < 70'000; ++i) {
        ASSERT_EQ(deliver("x", 1), Delivery::queued);
        confirm(number_);
        const std::vector<PendingMessage> all = stored();
        ASSERT_EQ(all.size(), 2U);
        ASSERT_NE(all[0].packet_id, all[1].packet_id);
        ASSERT_TRUE(ack(PacketType::puback, all[1].packet_id));
        out_.clear();
    }
}

TEST_F(StoredSessionTest, a_session_from_the_store_goes_on_where_it_was) {
    deliver("a", 1);
    deliver("b", 2);
    deliver("c", 1);
    for (std::uint64_t number = 1; number <= 3; ++number) {
        confirm(number);
    }
    (void)ack(PacketType::pubrec, 2);
    (void)sent();
    EXPECT_EQ(session_.sent_through(), 2U);

    ServerSession again(limits_);
    again.set_session_expiry_s(session_never_expires);
    for (PendingMessage& pending : stored()) {
        pending.waits = false;
        EXPECT_TRUE(again.restore(std::move(pending)));
    }
    again.restore_last_packet_id(session_.last_packet_id());
    attach(again, out_);
    EXPECT_THAT(sent(), ElementsAre("p1!a", "pubrel2"));
    EXPECT_TRUE(again.acknowledge({PacketType::puback, 1, ReasonCode::success, {}}, start, out_));
    EXPECT_THAT(sent(), ElementsAre("p3:c"));
}

TEST_F(StoredSessionTest, a_restored_queue_has_its_bound) {
    ServerSession again(limits_);
    const auto message = std::make_shared<const Message>();
    std::size_t taken = 0;
    while (taken < 100 && again.restore({.message = message, .subscription_ids = {}, .number = taken + 1, .qos = 1})) {
        ++taken;
    }
    EXPECT_EQ(taken, std::size_t{limits_.queued_messages_max} + limits_.in_flight_max);
}

TEST_F(StoredSessionTest, a_restored_incoming_id_is_known_until_pubrel) {
    ServerSession again(limits_);
    again.restore_incoming_id(7);
    attach(again, out_);
    Publish publish;
    publish.topic = "t";
    publish.packet_id = 7;
    publish.qos = 2;
    publish.duplicate = true;
    EXPECT_EQ(again.begin_incoming(publish, out_), Incoming::repeated_answered);
    EXPECT_THAT(sent(), ElementsAre("pubrec7"));
    again.release_incoming({PacketType::pubrel, 7, ReasonCode::success, {}}, out_);
    EXPECT_EQ(again.begin_incoming(publish, out_), Incoming::fresh);
}

TEST_F(StoredSessionTest, what_is_dropped_later_is_named_for_the_store) {
    std::string block;
    PropertyWriter(block).number(PropertyId::message_expiry, 1);
    Publish publish;
    publish.topic = "t";
    publish.properties = Properties(block);
    OutgoingMessage message(publish, start);
    EXPECT_EQ(session_.deliver(message, {.qos = 1}, start, out_), Delivery::queued);
    session_.name_newest(9);
    session_.confirm(9, start + Millis(1000), out_);
    EXPECT_THAT(sent(), IsEmpty());
    EXPECT_EQ(session_.take_dropped(), 1U);
    std::vector<std::uint64_t> numbers;
    session_.take_dropped_numbers(numbers);
    EXPECT_THAT(numbers, ElementsAre(9U));
    EXPECT_TRUE(session_.is_empty());
}

}  // namespace
}  // namespace muster::mqtt
