#include "gateway/session_service.h"

#include <algorithm>

#include "gateway/worker.h"
#include "mqtt/encode.h"
#include "mqtt/topic.h"

namespace muster {
namespace {

// Delivery tokens: 4 bits kind | 24 slot | 20 which | 16 packet id. A QoS 1 answer belongs to the connection on which
// the publish came (`which` is the attachment), the others to the session (`which` is the generation).
constexpr std::uint64_t kind_qos1 = 1;
constexpr std::uint64_t kind_qos2 = 2;
constexpr std::uint64_t kind_will = 3;  // a delayed one, of a stored session
constexpr std::uint32_t which_mask = 0xF'FFFF;

Cause cause_of(const mqtt::ProtocolError& error) {
    switch (error.code) {
        case mqtt::ReasonCode::keep_alive_timeout:
            return Cause::keepalive_timeout;
        case mqtt::ReasonCode::quota_exceeded:
        case mqtt::ReasonCode::receive_maximum_exceeded:
            return Cause::throttled;
        default:
            return Cause::protocol_error;
    }
}

}  // namespace

SessionService::SessionService(GatewayContext& context, Worker& worker, SessionTable& sessions, Uplink& uplink,
                               Courier& courier, SessionJournal& journal, const net::Reactor& reactor, Tally& tally)
    : context_(context),
      worker_(worker),
      sessions_(sessions),
      uplink_(uplink),
      courier_(courier),
      journal_(journal),
      reactor_(reactor),
      tally_(tally),
      publish_path_(context, sessions, uplink, courier, reactor, tally) {}

Session& SessionService::take_up(const Admission& admission, bool& is_present) {
    Session* session = sessions_.find(admission.key);
    if (session != nullptr && session->connection != nullptr) {
        worker_.close(*session->connection, Cause::duplicate_client_id);
        session = sessions_.find(admission.key);  // gone, if it was not to be kept
    }
    if (session != nullptr) {
        context_.sessions_kept.fetch_sub(1, std::memory_order_relaxed);
        if (admission.clean_start) {
            discard(*session);
            session = nullptr;
        } else if (session->away) {
            tally_.wills_cancelled.add(session->will ? 1 : 0);
            session->away.reset();
        }
    }
    is_present = session != nullptr;
    if (!is_present) {
        session = &sessions_.create(admission.key, admission.role);
        session->is_stored = admission.attach.session_expiry_s != 0;
    }
    return *session;
}

void SessionService::begin(Connection& connection, SessionEpoch epoch) {
    const std::unique_ptr<Admission> admission = std::move(connection.admission);
    const Session* before = sessions_.find(admission->key);
    if (before != nullptr && epoch < before->epoch) {
        connection.end_later(Cause::duplicate_client_id);  // a later CONNECT of this client was answered first
        return;
    }
    std::string properties;
    write_connack_properties(*admission, context_.options.limits, properties);
    mqtt::Connack connack{.session_present = false, .reason = {}, .properties = mqtt::Properties(properties)};
    if (!connection.protocol().may_send(mqtt::encoded_size(connection.protocol().version(), connack))) {
        worker_.refuse(connection, mqtt::ReasonCode::packet_too_large, "the CONNACK would be over the maximum");
        return;
    }
    Session& session = take_up(*admission, connack.session_present);
    session.connection = &connection;
    session.epoch = epoch;
    session.sequence = 0;
    session.will = std::move(admission->will);
    session.attachment = ++last_attachment_ & which_mask;
    connection.session = &session;
    tally_.connects.add();
    tally_.sessions.set(sessions_.size());
    if (session.role == Role::device) {
        text_.clear();
        write_connect_detail(*admission, connection.peer_address().to_string(), text_);
        publish_path_.record_connect(session, admission->keep_alive_s, text_);
    }
    std::string& out = connection.output();
    connection.protocol().accept(connack, reactor_.monotonic(), out);
    session.mqtt.attach(admission->attach, reactor_.monotonic(), out);
    note_shared(session, true);
    tally_.drop(Drop::expired, session.mqtt.take_dropped());
    if (session.mqtt.is_stored()) {
        journal_.forget_dropped(session);
        journal_.note(session);
    } else if (session.is_stored) {
        journal_.discard(session);  // this connection is its last
    }
    if (connack.session_present && session.role == Role::device) {
        // As after SUBSCRIBE: the device listens, so what it missed can be sent.
        session.mqtt.for_each_subscription([&](const mqtt::ServerSession::Subscription& subscription) {
            if (classify_topic(subscription.filter).topic_class == TopicClass::request) {
                publish_path_.record_subscribed(session, subscription.filter);
            }
        });
    }
}

void SessionService::end(Session& session, Cause cause) {
    session.mqtt.detach();
    session.connection = nullptr;
    note_shared(session, false);
    tally_.closed[static_cast<std::size_t>(cause)].add();
    if (session.answers) {
        session.answers->forget_qos1();
    }
    const bool has_room =
        context_.sessions_kept.load(std::memory_order_relaxed) < context_.options.limits.sessions_kept_max;
    const bool is_kept = session.mqtt.is_kept() && has_room;
    if (cause == Cause::server_shutdown) {
        session.will.reset();
    }
    if (!is_kept || session.will.delay_s() == 0) {
        publish_will(session, cause);
    }
    if (session.role == Role::device) {
        publish_path_.record_disconnect(session, cause);
    }
    if (is_kept) {
        context_.sessions_kept.fetch_add(1, std::memory_order_relaxed);
        reroute_shared(session, false);
        stay_away(session, cause, Millis(0));
        journal_.note(session);
    } else {
        discard(session);
    }
    tally_.sessions.set(sessions_.size());
}

void SessionService::stay_away(Session& session, Cause cause, Millis since) {
    const Millis left = reactor_.monotonic() - since;
    auto away = std::make_unique<AwayTimer>(*this, session, cause, left);
    if (session.mqtt.session_expiry_s() != mqtt::session_never_expires) {
        away->session_ends = left + Seconds(session.mqtt.session_expiry_s());
    }
    if (session.will) {
        away->will_due = left + Seconds(session.will.delay_s());
    }
    if (away->next() != Millis::max()) {
        session.away = std::move(away);
        worker_.reactor().timers().arm(*session.away, session.away->next());
    }
}

void AwayTimer::on_timer() {
    service_.on_away_timer(session_);
}

void SessionService::on_away_timer(Session& session) {
    AwayTimer& away = *session.away;
    const Millis now = reactor_.monotonic();
    if (now >= away.session_ends) {
        tally_.sessions_expired.add();
        context_.sessions_kept.fetch_sub(1, std::memory_order_relaxed);
        discard(session);
        tally_.sessions.set(sessions_.size());
        return;
    }
    if (now >= away.will_due) {
        publish_will(session, away.cause);
        away.will_due = Millis::max();
    }
    if (away.next() == Millis::max()) {
        session.away.reset();
    } else {
        worker_.reactor().timers().arm(away, away.next());
    }
}

void SessionService::publish_will(Session& session, Cause cause) {
    const mqtt::PackedWill will = std::move(session.will);
    if (!will) {
        return;
    }
    const bool is_stored = will.delay_s() > 0 && session.mqtt.is_stored();
    const std::uint8_t records =
        publish_path_.publish_will(session, will, cause, is_stored ? token_of(session, kind_will, 0) : 0);
    if (is_stored && records == 0) {
        journal_.note(session);  // else when it is safe: until then the store has it
    }
}

void SessionService::note_shared(Session& session, bool is_connected) {
    session.mqtt.for_each_subscription([&](const mqtt::ServerSession::Subscription& subscription) {
        if (mqtt::is_shared_filter(subscription.filter)) {
            context_.subscriptions.note_connected(subscription.filter, sessions_.handle_of(session), is_connected);
        }
    });
}

// What of a shared subscription waits for a client that is away goes to another member of the group that is there; what
// waits for a session that ends, to any other. QoS 2 messages whose delivery had begun stay [MQTT-4.8.2-4],
// [MQTT-4.8.2-5].
void SessionService::reroute_shared(Session& session, bool is_ending) {
    const SessionHandle handle = sessions_.handle_of(session);
    session.mqtt.take_shared(
        [&](std::uint32_t share) { return context_.subscriptions.other_member(share, handle, !is_ending).has_value(); },
        [&](const mqtt::MessagePtr& message, std::uint32_t share) {
            mqtt::OutgoingMessage outgoing(message);
            courier_.reroute(outgoing, share, handle, reactor_.monotonic());
        });
    if (session.is_stored) {
        journal_.forget_dropped(session);
    }
}

void SessionService::discard(Session& session) {
    if (session.will) {
        publish_will(session, session.away ? session.away->cause : Cause::connection_lost);
    }
    reroute_shared(session, true);
    if (session.is_stored) {
        journal_.discard(session);
    }
    erase(session);
}

void SessionService::erase(Session& session) {
    const SessionHandle handle = sessions_.handle_of(session);
    session.mqtt.for_each_subscription([&](const mqtt::ServerSession::Subscription& subscription) {
        context_.subscriptions.unsubscribe(subscription.filter, handle);
    });
    sessions_.erase(session);
}

void SessionService::hand_over(std::string_view key, SessionEpoch epoch) {
    Session* session = sessions_.find(key);
    if (session == nullptr || session->epoch >= epoch) {
        return;  // it came back here after that claim
    }
    if (session->connection != nullptr) {
        worker_.close(*session->connection, Cause::duplicate_client_id);
        session = sessions_.find(key);  // gone, if it was not to be kept
    }
    if (session != nullptr) {
        // A will that waits is cancelled: its client is back.
        tally_.wills_cancelled.add(session->will ? 1 : 0);
        journal_.note(*session);
        journal_.write_documents();
        context_.sessions_kept.fetch_sub(1, std::memory_order_relaxed);
        tally_.sessions_handed_over.add();
        erase(*session);
    }
    tally_.sessions.set(sessions_.size());
}

void SessionService::on_connect(Connection& connection, const mqtt::Connect& connect) {
    auto admission = admit(connect, context_.options, connection.certified());
    if (!admission) {
        worker_.refuse(connection, admission.error().code, admission.error().text);
        return;
    }
    connection.admission = std::make_unique<Admission>(std::move(*admission));  // the worker goes on from here
}

void SessionService::on_publish(Connection& connection, const mqtt::Publish& publish) {
    Session& session = *connection.session;
    const ClassifiedTopic classified = classify_topic(publish.topic);
    const bool is_allowed = may_publish(session.role, session.device(), classified);
    if (!is_allowed) {
        tally_.drop(Drop::forbidden);
        if (publish.qos == 0 || connection.protocol().version() != mqtt::ProtocolVersion::v5) {
            connection.end_later(Cause::auth_error);
            return;
        }
    }
    if (connection.client_limits) {
        ClientRate& rate = *connection.client_limits->rate;
        rate.charge(publish.topic.size() + publish.payload.size(), reactor_.monotonic());
        if (rate.must_wait(reactor_.monotonic())) {
            tally_.rate_holds.add();
            worker_.hold(connection, Connection::hold_rate);
        }
    }
    if (publish.qos == 0) {
        (void)publish_path_.publish(session, publish, classified, 0);  // dropped where there is no room, never held
        return;
    }
    const mqtt::Incoming incoming = session.mqtt.begin_incoming(publish, connection.output());
    if (incoming != mqtt::Incoming::fresh) {
        if (incoming == mqtt::Incoming::over_maximum) {
            connection.end_later(Cause::throttled, mqtt::ReasonCode::receive_maximum_exceeded);
        }
        return;
    }
    if (!is_allowed) {
        session.mqtt.finish_incoming(session.mqtt.ticket_of(publish), mqtt::ReasonCode::not_authorized,
                                     connection.output());
        return;
    }
    const PublishPath::Outcome outcome = publish_path_.publish(
        session, publish, classified, token_of(session, publish.qos == 1 ? kind_qos1 : kind_qos2, publish.packet_id));
    if (outcome.refused) {
        session.mqtt.finish_incoming(session.mqtt.ticket_of(publish), mqtt::ReasonCode::quota_exceeded,
                                     connection.output());
        connection.end_later(Cause::throttled);
        return;
    }
    if (!session.answers) {
        session.answers = std::make_unique<AckQueue>();
    }
    session.answers->add(session.mqtt.ticket_of(publish), outcome.records);
    hold_if_needed(connection, outcome);
    if (classified.topic_class == TopicClass::request || classified.topic_class == TopicClass::ordinary) {
        publish_path_.record_ping_if_due(session);
    }
}

std::uint64_t SessionService::token_of(const Session& session, std::uint64_t kind, std::uint16_t packet_id) {
    const std::uint64_t which = (kind == kind_qos1 ? session.attachment : session.generation) & which_mask;
    return kind << 60U | static_cast<std::uint64_t>(session.slot) << 36U | which << 16U | packet_id;
}

void SessionService::on_delivery(const Delivery& delivery) {
    Session* session = sessions_.at_slot(static_cast<std::uint32_t>(delivery.token >> 36U & 0xFF'FFFFU));
    const auto which = static_cast<std::uint32_t>(delivery.token >> 16U) & which_mask;
    const std::uint64_t kind = delivery.token >> 60U;
    const bool is_qos1 = kind == kind_qos1;
    if (session == nullptr || which != ((is_qos1 ? session->attachment : session->generation) & which_mask)) {
        return;
    }
    if (kind == kind_will) {
        on_will_delivered(*session, delivery.durable);
        return;
    }
    if (!session->answers) {
        return;
    }
    Connection* connection = session->connection;
    if (!delivery.durable) {
        tally_.drop(Drop::bus_failed);
        if (connection != nullptr) {
            connection->end_later(Cause::throttled);  // it connects again and sends again what was not acknowledged
        }
        return;
    }
    std::string& out = connection != nullptr ? connection->output() : nowhere_;
    const auto packet_id = static_cast<std::uint16_t>(delivery.token);
    session->answers->settle(packet_id, is_qos1 ? 1 : 2, [&](const mqtt::IncomingTicket& ticket) {
        if (ticket.qos == 2 && session->mqtt.is_stored()) {
            journal_.keep_packet_id(*session, ticket.packet_id);
            return;
        }
        session->mqtt.finish_incoming(ticket, mqtt::ReasonCode::success, out);
        tally_.acknowledged.add();
    });
}

// One that the bus could not take stays with the session in the store: the next start publishes it.
void SessionService::on_will_delivered(Session& session, bool durable) {
    if (durable) {
        journal_.note(session);
    } else {
        tally_.drop(Drop::bus_failed);
    }
}

void SessionService::hold_if_needed(Connection& connection, const PublishPath::Outcome& outcome) {
    const Session& session = *connection.session;
    if (uplink_.pressure() != Uplink::Pressure::none) {
        worker_.hold(connection, Connection::hold_bus);
    }
    if (session.answers && session.answers->size() >= context_.options.limits.unanswered_publishes_max) {
        worker_.hold(connection, Connection::hold_answers);
    }
    if (outcome.congested) {
        worker_.hold(connection, Connection::hold_mailbox);
    }
}

void SessionService::on_ack(Connection& connection, const mqtt::Ack& ack) {
    Session& session = *connection.session;
    if (ack.type == mqtt::PacketType::pubrel) {
        text_.clear();
        session.mqtt.release_incoming(ack, text_);
        if (session.mqtt.is_stored()) {
            // After PUBCOMP the client may use the id for another message.
            journal_.forget_packet_id(session, ack.packet_id);
        }
        answer_stored(connection, text_);
    } else {
        const mqtt::Acknowledged done = session.mqtt.acknowledge(ack, reactor_.monotonic(), connection.output());
        if (done.number != 0 && done.released) {
            journal_.keep_released(session, done.number, ack.packet_id);
        } else if (done.number != 0) {
            journal_.forget(session, done.number);
        }
    }
    tally_.drop(Drop::expired, session.mqtt.take_dropped());
    journal_.forget_dropped(session);
    publish_path_.record_ping_if_due(session);
}

// To a kept session when what it answers is stored; to any other at once.
void SessionService::answer_stored(Connection& connection, std::string_view bytes) {
    if (connection.session->mqtt.is_stored()) {
        journal_.answer_later(*connection.session, std::string(bytes));
    } else {
        connection.output() += bytes;
    }
}

void SessionService::on_ping(Connection& connection) {
    mqtt::encode(connection.protocol().version(), mqtt::Pingresp{}, connection.output());
    publish_path_.record_ping_if_due(*connection.session);
}

void SessionService::on_disconnect(Connection& connection, const mqtt::Disconnect& disconnect) {
    if (disconnect.reason != mqtt::ReasonCode::disconnect_with_will) {
        connection.session->will.reset();
    }
    if (const auto expiry_s = disconnect.properties.number(mqtt::PropertyId::session_expiry)) {
        connection.session->mqtt.set_session_expiry_s(
            std::min(*expiry_s, context_.options.limits.session_expiry_s_max));
    }
    connection.end_later(Cause::client_disconnect);
}

void SessionService::on_error(Connection& connection, const mqtt::ProtocolError& error) {
    worker_.count_protocol_error(error);
    connection.end_later(cause_of(error), error.code, error.text);
}

void SessionService::obey(const Mailbox::Order& order) {
    Session* session = sessions_.find(order.device);
    if (session == nullptr || session->role != Role::device || (order.epoch != 0 && order.epoch != session->epoch)) {
        tally_.drop(Drop::offline);
        return;
    }
    if (order.kind == DownlinkKind::publish) {
        deliver_order(*session, order.message);
    } else if (order.kind == DownlinkKind::close && session->connection != nullptr) {
        session->connection->end_later(Cause::admin);
    }
}

void SessionService::deliver_order(Session& session, const mqtt::MessagePtr& message) {
    int qos = -1;
    mqtt::DeliverOptions options;
    session.mqtt.for_each_subscription([&](const mqtt::ServerSession::Subscription& subscription) {
        if (mqtt::topic_matches(subscription.filter, message->topic)) {
            qos = std::max<int>(qos, subscription.options.qos());
            mqtt::add_subscription_id(subscription.subscription_identifier, options.subscription_ids);
        }
    });
    if (qos < 0) {
        tally_.drop(Drop::not_subscribed);
        return;
    }
    options.qos = std::min(message->qos, static_cast<std::uint8_t>(qos));
    mqtt::OutgoingMessage outgoing(message);
    courier_.deliver(session, outgoing, options, reactor_.monotonic());
}

}  // namespace muster
