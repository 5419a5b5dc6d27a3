#include "mqtt/server_session.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqtt/packet_bytes.h"

namespace muster::mqtt {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Millis start{1000};

class ServerSessionTest : public ::testing::Test {
 protected:
    Delivery deliver(std::string_view payload, std::uint8_t qos = 1, Millis now = start) {
        Publish publish;
        publish.topic = "t";
        publish.payload = payload;
        publish.qos = qos;
        OutgoingMessage message(publish, now);
        return session_.deliver(message, {.qos = qos}, now, out_);
    }
    Delivery deliver_expiring(std::uint32_t seconds) {
        std::string block;
        PropertyWriter(block).number(PropertyId::message_expiry, seconds).number(PropertyId::topic_alias, 3);
        Publish publish;
        publish.topic = "t";
        publish.payload = "x";
        publish.properties = Properties(block);
        OutgoingMessage message(publish, start);
        return session_.deliver(message, {.qos = 1}, start, out_);
    }
    void attach(AttachOptions options = {}, Millis now = start) { session_.attach(options, now, out_); }
    bool ack(PacketType type, std::uint16_t packet_id, ReasonCode reason = ReasonCode::success) {
        return session_.acknowledge({type, packet_id, reason, {}}, start, out_).completed;
    }
    /// What was sent since the last call, one word a packet: "p1!hi" is PUBLISH with id 1, DUP and that payload.
    std::vector<std::string> sent() {
        std::vector<std::string> words;
        std::string_view rest = out_;
        while (!rest.empty()) {
            const Frame frame = next_packet(rest, packet_bytes_ceiling);
            EXPECT_EQ(frame.status, Frame::Status::packet);
            rest.remove_prefix(frame.size);
            if (frame.packet.type == PacketType::publish) {
                const Publish publish = decode_publish(version_, frame.packet).value();
                words.push_back("p" + std::to_string(publish.packet_id) + (publish.duplicate ? "!" : ":") +
                                std::string(publish.payload));
            } else {
                const Ack one = decode_ack(version_, frame.packet).value();
                words.push_back(std::string(name_of(one.type)) + std::to_string(one.packet_id) +
                                (is_error(one.reason) ? "?" : ""));
            }
        }
        out_.clear();
        return words;
    }
    static Publish incoming(std::uint16_t packet_id, std::uint8_t qos) {
        Publish publish;
        publish.topic = "t";
        publish.packet_id = packet_id;
        publish.qos = qos;
        return publish;
    }

    SessionLimits limits_{.in_flight_max = 2,
                          .receive_maximum = 2,
                          .queued_messages_max = 3,
                          .queued_bytes_max = 100,
                          .subscriptions_max = 2,
                          .qos_2_ids_max = 3};
    ServerSession session_{limits_};
    std::string out_;
    ProtocolVersion version_ = ProtocolVersion::v3_1_1;
};

TEST_F(ServerSessionTest, qos_0_is_sent_at_once_or_not_at_all) {
    EXPECT_EQ(deliver("a", 0), Delivery::dropped_offline);
    attach();
    EXPECT_EQ(deliver("b", 0), Delivery::sent);
    EXPECT_THAT(sent(), ElementsAre("p0:b"));
    EXPECT_TRUE(session_.is_empty());
}

TEST_F(ServerSessionTest, qos_1_fills_the_window_and_goes_on_with_each_ack) {
    attach();
    EXPECT_EQ(deliver("a"), Delivery::sent);
    EXPECT_EQ(deliver("b"), Delivery::sent);
    EXPECT_EQ(deliver("c"), Delivery::queued);
    EXPECT_EQ(session_.in_flight(), 2U);
    EXPECT_THAT(sent(), ElementsAre("p1:a", "p2:b"));
    EXPECT_TRUE(ack(PacketType::puback, 2));
    EXPECT_THAT(sent(), ElementsAre("p3:c"));
    EXPECT_TRUE(ack(PacketType::puback, 1));
    EXPECT_TRUE(ack(PacketType::puback, 3));
    EXPECT_TRUE(session_.is_empty());
}

TEST_F(ServerSessionTest, an_ack_of_nothing_changes_nothing) {
    attach();
    deliver("a");
    EXPECT_FALSE(ack(PacketType::puback, 9));
    EXPECT_FALSE(ack(PacketType::pubcomp, 1));
    EXPECT_EQ(session_.in_flight(), 1U);
}

TEST_F(ServerSessionTest, a_resumed_session_sends_again_with_dup_and_then_what_waited) {
    attach();
    deliver("a");
    deliver("b");
    session_.detach();
    sent();
    EXPECT_EQ(deliver("c"), Delivery::queued);
    attach();
    EXPECT_THAT(sent(), ElementsAre("p1!a", "p2!b"));
    EXPECT_TRUE(ack(PacketType::puback, 1));
    EXPECT_THAT(sent(), ElementsAre("p3:c"));
}

TEST_F(ServerSessionTest, a_full_queue_keeps_the_oldest) {
    EXPECT_EQ(deliver("a"), Delivery::queued);
    EXPECT_EQ(deliver("b"), Delivery::queued);
    EXPECT_EQ(deliver("c"), Delivery::queued);
    EXPECT_EQ(deliver("d"), Delivery::dropped_full);
    attach();
    EXPECT_THAT(sent(), ElementsAre("p1:a", "p2:b"));
}

TEST_F(ServerSessionTest, the_queue_is_bounded_in_bytes) {
    EXPECT_EQ(deliver(std::string(90, 'x')), Delivery::queued);
    EXPECT_EQ(deliver(std::string(20, 'x')), Delivery::dropped_full);
    EXPECT_EQ(session_.queued_bytes(), 91U);
    attach();
    EXPECT_EQ(session_.queued_bytes(), 0U);
}

TEST_F(ServerSessionTest, what_finds_the_output_full_waits_until_there_is_room) {
    limits_.in_flight_max = 10;
    limits_.queued_messages_max = 10;
    limits_.output_bytes_max = 20;
    attach();
    EXPECT_EQ(deliver("a"), Delivery::sent);
    EXPECT_EQ(deliver("b"), Delivery::sent);
    EXPECT_EQ(deliver("c"), Delivery::sent);
    EXPECT_EQ(out_.size(), 24U);
    EXPECT_EQ(deliver("d"), Delivery::queued);
    EXPECT_EQ(deliver("e"), Delivery::queued);
    EXPECT_TRUE(session_.waits_for_room());
    session_.send_waiting(start, out_);
    EXPECT_TRUE(ack(PacketType::puback, 1));
    EXPECT_THAT(sent(), ElementsAre("p1:a", "p2:b", "p3:c")) << "an acknowledgement makes no room in the output";
    session_.send_waiting(start, out_);
    EXPECT_THAT(sent(), ElementsAre("p4:d", "p5:e"));
    EXPECT_FALSE(session_.waits_for_room());
}

TEST_F(ServerSessionTest, a_resumed_session_sends_again_no_more_than_the_output_takes) {
    limits_.output_bytes_max = 1;
    attach();
    deliver("a");
    sent();
    deliver("b");
    session_.detach();
    sent();
    attach();
    EXPECT_THAT(sent(), ElementsAre("p1!a"));
    session_.send_waiting(start, out_);
    EXPECT_THAT(sent(), ElementsAre("p2!b"));
}

TEST_F(ServerSessionTest, the_window_is_bounded_in_bytes) {
    limits_.in_flight_max = 10;
    limits_.in_flight_bytes_max = 50;
    attach();
    EXPECT_EQ(deliver(std::string(30, 'a')), Delivery::sent);
    EXPECT_EQ(deliver(std::string(30, 'b'), 2), Delivery::sent) << "62 bytes, and they began below 50";
    EXPECT_EQ(deliver("c"), Delivery::queued);
    EXPECT_FALSE(session_.waits_for_room()) << "it waits for an acknowledgement";
    sent();
    EXPECT_FALSE(ack(PacketType::pubrec, 2));
    EXPECT_TRUE(ack(PacketType::puback, 1));
    EXPECT_THAT(sent(), ElementsAre("pubrel2", "p3:c"));
    EXPECT_TRUE(ack(PacketType::pubcomp, 2));
    EXPECT_TRUE(ack(PacketType::puback, 3));
    EXPECT_EQ(deliver(std::string(60, 'd')), Delivery::sent) << "nothing of what is done counts any more";
    EXPECT_TRUE(ack(PacketType::puback, 4));
    EXPECT_TRUE(session_.is_empty());
}

TEST_F(ServerSessionTest, packet_ids_in_flight_are_not_given_twice) {
    attach();
    deliver("stays");
    for (int i = 0; i < 70'000; ++i) {
        ASSERT_EQ(deliver("x"), Delivery::sent);
        out_.clear();
        const std::uint16_t id = static_cast<std::uint16_t>(i % 65'534 + 2);
        ASSERT_TRUE(ack(PacketType::puback, id)) << i;
    }
}

TEST_F(ServerSessionTest, qos_2_goes_through_its_four_packets) {
    attach();
    EXPECT_EQ(deliver("a", 2), Delivery::sent);
    EXPECT_FALSE(ack(PacketType::pubrec, 1));
    EXPECT_THAT(sent(), ElementsAre("p1:a", "pubrel1"));
    EXPECT_TRUE(ack(PacketType::pubcomp, 1));
    EXPECT_TRUE(session_.is_empty());
}

TEST_F(ServerSessionTest, a_resumed_qos_2_exchange_goes_on_where_it_was) {
    attach();
    deliver("a", 2);
    deliver("b", 2);
    ack(PacketType::pubrec, 1);
    sent();
    session_.detach();
    attach();
    EXPECT_THAT(sent(), ElementsAre("pubrel1", "p2!b"));
}

TEST_F(ServerSessionTest, a_pubrec_with_an_error_ends_the_message) {
    version_ = ProtocolVersion::v5;
    attach({.version = version_});
    deliver("a", 2);
    sent();
    EXPECT_TRUE(ack(PacketType::pubrec, 1, ReasonCode::quota_exceeded));
    EXPECT_THAT(sent(), IsEmpty());
    EXPECT_TRUE(session_.is_empty());
}

TEST_F(ServerSessionTest, an_unknown_pubrec_is_answered_so_that_the_client_can_finish) {
    version_ = ProtocolVersion::v5;
    attach({.version = version_});
    EXPECT_FALSE(ack(PacketType::pubrec, 5));
    EXPECT_THAT(sent(), ElementsAre("pubrel5?"));
}

TEST_F(ServerSessionTest, the_clients_receive_maximum_bounds_the_window) {
    attach({.version = ProtocolVersion::v3_1_1, .receive_maximum = 1});
    EXPECT_EQ(deliver("a"), Delivery::sent);
    EXPECT_EQ(deliver("b"), Delivery::queued);
    EXPECT_THAT(sent(), ElementsAre("p1:a"));
}

TEST_F(ServerSessionTest, a_smaller_window_after_resuming_keeps_the_order) {
    attach();
    deliver("a");
    deliver("b");
    session_.detach();
    sent();
    attach({.version = ProtocolVersion::v3_1_1, .receive_maximum = 1});
    deliver("c");
    EXPECT_THAT(sent(), ElementsAre("p1!a"));
    ack(PacketType::puback, 1);
    EXPECT_THAT(sent(), ElementsAre("p2!b"));
    ack(PacketType::puback, 2);
    EXPECT_THAT(sent(), ElementsAre("p3:c"));
}

TEST_F(ServerSessionTest, a_message_over_the_clients_maximum_is_dropped_and_costs_no_window) {
    version_ = ProtocolVersion::v5;
    AttachOptions options{.version = version_};
    options.packet_bytes_max = 12;
    attach(options);
    EXPECT_EQ(deliver("a message too long"), Delivery::dropped_size);
    EXPECT_EQ(deliver("a message too long", 0), Delivery::dropped_size);
    EXPECT_EQ(session_.in_flight(), 0U);
    EXPECT_EQ(deliver("a"), Delivery::sent);
    EXPECT_EQ(deliver("b"), Delivery::sent);
    EXPECT_EQ(session_.in_flight(), 2U);
}

TEST_F(ServerSessionTest, what_waited_and_is_too_large_for_the_client_that_came_back_is_dropped_and_counted) {
    deliver("a message too long");
    deliver("b");
    version_ = ProtocolVersion::v5;
    AttachOptions options{.version = version_};
    options.packet_bytes_max = 12;
    attach(options);
    EXPECT_THAT(sent(), ElementsAre("p1:b"));
    EXPECT_EQ(session_.take_dropped(), 1U);
    EXPECT_EQ(session_.take_dropped(), 0U);
}

TEST_F(ServerSessionTest, an_expired_message_is_not_sent) {
    deliver_expiring(5);
    deliver("b");
    attach({}, start + Seconds(5));
    EXPECT_THAT(sent(), ElementsAre("p1:b"));
    EXPECT_EQ(session_.take_dropped(), 1U);
}

TEST_F(ServerSessionTest, what_was_sent_does_not_expire) {
    attach();
    deliver_expiring(5);
    EXPECT_THAT(sent(), ElementsAre("p1:x"));
    session_.detach();
    attach({}, start + Seconds(60));
    EXPECT_THAT(sent(), ElementsAre("p1!x"));
    EXPECT_EQ(session_.take_dropped(), 0U);
}

TEST_F(ServerSessionTest, a_message_that_waited_carries_what_is_left_of_its_expiry) {
    deliver_expiring(60);
    attach({.version = ProtocolVersion::v5}, start + Seconds(20));
    const auto publish = decode_publish(ProtocolVersion::v5, only_packet(out_));
    ASSERT_TRUE(publish);
    EXPECT_EQ(publish->properties.number(PropertyId::message_expiry), 40U);
    EXPECT_FALSE(publish->properties.has(PropertyId::topic_alias));
}

TEST_F(ServerSessionTest, a_subscription_identifier_goes_out_with_the_message) {
    attach({.version = ProtocolVersion::v5});
    Publish publish;
    publish.topic = "t";
    OutgoingMessage message(publish, start);
    DeliverOptions options{.qos = 0, .retain = true};
    add_subscription_id(300, options.subscription_ids);
    session_.deliver(message, options, start, out_);
    const auto got = decode_publish(ProtocolVersion::v5, only_packet(out_));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->properties.number(PropertyId::subscription_identifier), 300U);
    EXPECT_TRUE(got->retain);
}

TEST_F(ServerSessionTest, sessions_share_one_copy_of_a_message) {
    ServerSession other(limits_);
    Publish publish;
    publish.topic = "t";
    publish.payload = "x";
    OutgoingMessage message(publish, start);
    const DeliverOptions options{.qos = 1};
    session_.deliver(message, options, start, out_);
    other.deliver(message, options, start, out_);
    EXPECT_EQ(message.kept().use_count(), 3);
}

TEST_F(ServerSessionTest, subscriptions_are_added_replaced_removed_and_bounded) {
    using Subscribed = ServerSession::Subscribed;
    const auto subscribe = [this](std::string_view filter, std::uint8_t qos) {
        return session_.subscribe({filter, SubscriptionOptions::of_qos(qos), 9});
    };
    EXPECT_EQ(subscribe("a/+", 0), Subscribed::added);
    EXPECT_EQ(subscribe("b", 1), Subscribed::added);
    EXPECT_EQ(subscribe("c", 1), Subscribed::full);
    EXPECT_EQ(subscribe("a/+", 2), Subscribed::replaced);
    std::vector<std::string> seen;
    session_.for_each_subscription([&](const ServerSession::Subscription& one) {
        seen.push_back(std::string(one.filter) + std::to_string(one.options.qos()) +
                       std::to_string(one.subscription_identifier));
    });
    EXPECT_THAT(seen, ElementsAre("b19", "a/+29"));
    EXPECT_FALSE(session_.unsubscribe("c"));
    EXPECT_TRUE(session_.unsubscribe("b"));
    EXPECT_TRUE(session_.unsubscribe("a/+"));
    EXPECT_TRUE(session_.is_empty());
}

TEST_F(ServerSessionTest, an_incoming_qos_1_message_is_acknowledged_when_it_is_safe) {
    attach();
    const Publish publish = incoming(7, 1);
    EXPECT_EQ(session_.begin_incoming(publish, out_), Incoming::fresh);
    EXPECT_THAT(sent(), IsEmpty());
    session_.finish_incoming(session_.ticket_of(publish), ReasonCode::success, out_);
    EXPECT_THAT(sent(), ElementsAre("puback7"));
    EXPECT_EQ(session_.incoming_unanswered(), 0U);
}

TEST_F(ServerSessionTest, an_acknowledgement_of_an_earlier_connection_is_not_sent_on_a_later_one) {
    attach();
    const Publish publish = incoming(7, 1);
    EXPECT_EQ(session_.begin_incoming(publish, out_), Incoming::fresh);
    const IncomingTicket ticket = session_.ticket_of(publish);
    session_.detach();
    attach();
    session_.finish_incoming(ticket, ReasonCode::success, out_);
    EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(ServerSessionTest, an_incoming_qos_2_message_is_handed_on_once) {
    attach();
    const Publish publish = incoming(7, 2);
    EXPECT_EQ(session_.begin_incoming(publish, out_), Incoming::fresh);
    EXPECT_EQ(session_.begin_incoming(publish, out_), Incoming::repeated);
    session_.finish_incoming(session_.ticket_of(publish), ReasonCode::success, out_);
    EXPECT_EQ(session_.begin_incoming(publish, out_), Incoming::repeated_answered);
    session_.release_incoming({PacketType::pubrel, 7, ReasonCode::success, {}}, out_);
    EXPECT_THAT(sent(), ElementsAre("pubrec7", "pubrec7", "pubcomp7"));
    EXPECT_EQ(session_.begin_incoming(publish, out_), Incoming::fresh);
}

TEST_F(ServerSessionTest, a_qos_2_exchange_survives_a_reconnect) {
    attach();
    const Publish publish = incoming(7, 2);
    EXPECT_EQ(session_.begin_incoming(publish, out_), Incoming::fresh);
    const IncomingTicket ticket = session_.ticket_of(publish);
    session_.detach();
    attach();
    EXPECT_EQ(session_.begin_incoming(publish, out_), Incoming::repeated);
    session_.finish_incoming(ticket, ReasonCode::success, out_);
    EXPECT_THAT(sent(), ElementsAre("pubrec7"));
}

TEST_F(ServerSessionTest, an_unknown_pubrel_is_answered) {
    version_ = ProtocolVersion::v5;
    attach({.version = version_});
    session_.release_incoming({PacketType::pubrel, 9, ReasonCode::success, {}}, out_);
    EXPECT_THAT(sent(), ElementsAre("pubcomp9?"));
}

TEST_F(ServerSessionTest, a_5_0_client_is_held_to_receive_maximum) {
    attach({.version = ProtocolVersion::v5});
    EXPECT_EQ(session_.begin_incoming(incoming(1, 1), out_), Incoming::fresh);
    EXPECT_EQ(session_.begin_incoming(incoming(2, 2), out_), Incoming::fresh);
    EXPECT_EQ(session_.begin_incoming(incoming(3, 1), out_), Incoming::over_maximum);
}

TEST_F(ServerSessionTest, a_3_1_1_client_is_held_to_a_bound_of_open_qos_2_exchanges) {
    attach();
    for (std::uint16_t id = 1; id <= 3; ++id) {
        EXPECT_EQ(session_.begin_incoming(incoming(id, 2), out_), Incoming::fresh);
    }
    EXPECT_EQ(session_.begin_incoming(incoming(4, 2), out_), Incoming::over_maximum);
    EXPECT_EQ(session_.begin_incoming(incoming(4, 1), out_), Incoming::fresh);
}

TEST_F(ServerSessionTest, a_connect_says_how_long_its_session_is_kept) {
    Connect connect;
    EXPECT_EQ(AttachOptions::of(connect).session_expiry_s, 0U);
    connect.clean_start = false;
    EXPECT_EQ(AttachOptions::of(connect).session_expiry_s, session_never_expires);
    connect.version = ProtocolVersion::v5;
    EXPECT_EQ(AttachOptions::of(connect).session_expiry_s, 0U);
    std::string block;
    PropertyWriter(block).number(PropertyId::session_expiry, 60).number(PropertyId::receive_maximum, 5);
    connect.properties = Properties(block);
    EXPECT_EQ(AttachOptions::of(connect).session_expiry_s, 60U);
    EXPECT_EQ(AttachOptions::of(connect).receive_maximum, 5);
}

TEST_F(ServerSessionTest, every_subscription_identifier_goes_out_with_the_one_copy) {
    attach({.version = ProtocolVersion::v5});
    Publish publish;
    publish.topic = "t";
    OutgoingMessage message(publish, start);
    DeliverOptions options{.qos = 1};
    add_subscription_id(7, options.subscription_ids);
    add_subscription_id(0, options.subscription_ids);
    add_subscription_id(300, options.subscription_ids);
    session_.deliver(message, options, start, out_);
    const auto got = decode_publish(ProtocolVersion::v5, only_packet(out_));
    ASSERT_TRUE(got);
    std::vector<std::uint32_t> ids;
    for (const Property& property : got->properties) {
        ids.push_back(property.number);
    }
    EXPECT_THAT(ids, ElementsAre(7U, 300U));
}

class OutgoingAliases : public ServerSessionTest {
 protected:
    /// "topic=alias" of each PUBLISH since the last call, without what is absent.
    std::vector<std::string> topics_sent() {
        std::vector<std::string> topics;
        std::string_view rest = out_;
        while (!rest.empty()) {
            const Frame frame = next_packet(rest, packet_bytes_ceiling);
            rest.remove_prefix(frame.size);
            const Publish publish = decode_publish(ProtocolVersion::v5, frame.packet).value();
            const auto alias = publish.properties.number(PropertyId::topic_alias);
            topics.push_back(std::string(publish.topic) + (alias ? "=" + std::to_string(*alias) : ""));
        }
        out_.clear();
        return topics;
    }
    Delivery send(std::string_view topic, std::string_view payload = "") {
        Publish publish;
        publish.topic = topic;
        publish.payload = payload;
        OutgoingMessage message(publish, start);
        return session_.deliver(message, {}, start, out_);
    }
};

TEST_F(OutgoingAliases, a_topic_is_said_once_and_then_by_its_alias_up_to_the_clients_maximum) {
    attach({.version = ProtocolVersion::v5, .topic_alias_max = 2});
    for (const char* topic : {"one", "two", "one", "three", "two"}) {
        EXPECT_EQ(send(topic), Delivery::sent);
    }
    EXPECT_THAT(topics_sent(), ElementsAre("one=1", "two=2", "=1", "three", "=2"));
}

TEST_F(OutgoingAliases, a_client_that_takes_none_gets_none) {
    attach({.version = ProtocolVersion::v5});
    send("one");
    send("one");
    EXPECT_THAT(topics_sent(), ElementsAre("one", "one"));
}

TEST_F(OutgoingAliases, a_new_connection_knows_no_alias_of_the_old_one) {
    attach({.version = ProtocolVersion::v5, .topic_alias_max = 2});
    send("one");
    session_.detach();
    attach({.version = ProtocolVersion::v5, .topic_alias_max = 2});
    send("one");
    EXPECT_THAT(topics_sent(), ElementsAre("one=1", "one=1"));
}

TEST_F(OutgoingAliases, an_alias_that_would_make_the_packet_too_large_is_not_set) {
    attach({.version = ProtocolVersion::v5, .packet_bytes_max = 10, .topic_alias_max = 2});
    EXPECT_EQ(send("one", "ab"), Delivery::sent);
    EXPECT_EQ(send("two"), Delivery::sent);  // that alias is still free
    EXPECT_THAT(topics_sent(), ElementsAre("one", "two"));
}

TEST_F(ServerSessionTest, a_message_is_passed_on_with_its_expiry) {
    std::string block;
    PropertyWriter(block).user("b", "1").number(PropertyId::message_expiry, 60).user("a", "2");
    Publish published;
    published.topic = "t";
    published.properties = Properties(block);
    const MessagePtr message = keep_message(published, start);
    std::string passed_on;
    const Publish publish = message->view_with_expiry(passed_on);
    EXPECT_EQ(publish.properties.number(PropertyId::message_expiry), 60U);
    std::string names;
    for (const Property& property : publish.properties) {
        names += property.text;
    }
    EXPECT_EQ(names, "ba");
}

class SharedMessages : public ServerSessionTest {
 protected:
    void deliver_shared(std::string_view payload, std::uint8_t qos, std::uint32_t share) {
        Publish publish;
        publish.topic = "t";
        publish.payload = payload;
        publish.qos = qos;
        OutgoingMessage message(publish, start);
        session_.deliver(message, {.qos = qos, .share = share}, start, out_);
    }
    /// "payload@share" of each.
    std::vector<std::string> take(std::uint32_t but = 0) {
        std::vector<std::string> taken;
        session_.take_shared([but](std::uint32_t share) { return share != but; },
                             [&](const MessagePtr& message, std::uint32_t share) {
                                 taken.push_back(message->payload + "@" + std::to_string(share));
                             });
        return taken;
    }
};

TEST_F(SharedMessages, what_another_client_may_get_is_taken_out_in_its_order) {
    limits_.queued_messages_max = 10;
    attach();
    deliver_shared("sent", 1, 7);
    deliver_shared("begun", 2, 7);  // the window is full
    deliver_shared("waits", 2, 7);
    deliver_shared("own", 1, 0);
    deliver_shared("elsewhere", 1, 8);
    session_.detach();
    EXPECT_THAT(take(8), ElementsAre("sent@7", "waits@7"));
    EXPECT_EQ(session_.queued_bytes(), 2 + std::string("own").size() + std::string("elsewhere").size());
    out_.clear();
    attach();
    EXPECT_THAT(sent(), ElementsAre("p2!begun", "p3:own"));
    ack(PacketType::puback, 3);
    EXPECT_THAT(sent(), ElementsAre("p4:elsewhere"));
}

TEST_F(SharedMessages, a_session_that_held_nothing_else_gives_its_memory_back) {
    deliver_shared("a", 1, 7);
    EXPECT_FALSE(session_.is_empty());
    EXPECT_THAT(take(), ElementsAre("a@7"));
    EXPECT_TRUE(session_.is_empty());
}

TEST_F(ServerSessionTest, an_idle_session_is_64_bytes) {
    EXPECT_LE(sizeof(ServerSession), 64U);
}

}  // namespace
}  // namespace muster::mqtt
