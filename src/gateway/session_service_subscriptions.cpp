#include <algorithm>

#include "gateway/session_service.h"
#include "gateway/worker.h"
#include "mqtt/encode.h"
#include "mqtt/topic.h"

// Subscriptions come and go, and the retained messages that they bring.

namespace muster {
namespace {

constexpr std::size_t retained_per_subscription_max = 10'000;  // of a client that is not an operator

/// v5: a filter's reason in words, for its SUBACK.
std::string_view why_refused(mqtt::ReasonCode reason) {
    switch (reason) {
        case mqtt::ReasonCode::topic_filter_invalid:
            return "a filter is not a valid topic filter";
        case mqtt::ReasonCode::not_authorized:
            return "a filter would match topics that are not the client's own";
        default:
            return "the client, or the server, has as many subscriptions as it may";
    }
}

}  // namespace

SessionService::Subscribed SessionService::subscribe_one(Session& session, const mqtt::SubscribeEntry& entry,
                                                         std::uint32_t identifier) {
    const bool is_shared = mqtt::is_shared_filter(entry.filter);
    const auto shared = mqtt::parse_shared_filter(entry.filter);
    if (!mqtt::is_valid_topic_filter(entry.filter) || (is_shared && !shared)) {
        return {mqtt::ReasonCode::topic_filter_invalid};
    }
    if (!may_subscribe(session.role, session.device(), is_shared ? shared->filter : entry.filter)) {
        return {mqtt::ReasonCode::not_authorized};
    }
    const auto subscribed = session.mqtt.subscribe(
        {.filter = entry.filter, .options = entry.options, .subscription_identifier = identifier});
    if (subscribed == mqtt::ServerSession::Subscribed::full) {
        return {mqtt::ReasonCode::quota_exceeded};
    }
    using Outcome = mqtt::SubscriptionTree::Outcome;
    const Outcome outcome = context_.subscriptions.subscribe(
        entry.filter,
        {.handle = sessions_.handle_of(session), .subscription_identifier = identifier, .options = entry.options});
    if (outcome != Outcome::added && outcome != Outcome::replaced) {
        session.mqtt.unsubscribe(entry.filter);
        return {mqtt::ReasonCode::quota_exceeded};
    }
    return {static_cast<mqtt::ReasonCode>(entry.options.qos()), subscribed == mqtt::ServerSession::Subscribed::added};
}

void SessionService::on_subscribe(Connection& connection, const mqtt::Subscribe& subscribe) {
    Session& session = *connection.session;
    const std::uint32_t identifier = subscribe.properties.number(mqtt::PropertyId::subscription_identifier).value_or(0);
    text_.clear();
    std::vector<bool> is_new;
    std::string why;
    for (const mqtt::SubscribeEntry& entry : subscribe.entries) {
        const Subscribed subscribed = subscribe_one(session, entry, identifier);
        if (mqtt::is_error(subscribed.reason)) {
            tally_.subscriptions_refused.add();
            why = why.empty() ? why_refused(subscribed.reason) : why;
        }
        text_ += static_cast<char>(subscribed.reason);
        is_new.push_back(subscribed.is_new);
    }
    connection.protocol().explain(why, properties_);
    std::string suback;
    mqtt::encode(
        connection.protocol().version(),
        mqtt::Suback{.packet_id = subscribe.packet_id, .properties = mqtt::Properties(properties_), .reasons = text_},
        suback);
    answer_stored(connection, suback);
    if (session.mqtt.is_stored()) {
        journal_.note(session);
    }
    std::size_t index = 0;
    for (const mqtt::SubscribeEntry& entry : subscribe.entries) {
        const bool was_new = is_new[index];
        if (mqtt::is_error(static_cast<mqtt::ReasonCode>(text_[index++]))) {
            continue;
        }
        const std::uint8_t handling = entry.options.retain_handling();
        const bool is_shared = mqtt::is_shared_filter(entry.filter);
        if (!is_shared && (handling == 0 || (handling == 1 && was_new))) {
            send_retained(connection, entry, identifier);
        }
        if (session.role == Role::device && classify_topic(entry.filter).topic_class == TopicClass::request) {
            publish_path_.record_subscribed(session, entry.filter);
        }
    }
    publish_path_.record_ping_if_due(session);
}

void SessionService::send_retained(Connection& connection, const mqtt::SubscribeEntry& entry,
                                   std::uint32_t identifier) {
    RetainedBacklog::Part part{.messages = {}, .options = entry.options, .subscription_identifier = identifier};
    const bool sees_all = connection.session->role == Role::fleet_operator;
    context_.retained.match(entry.filter, sees_all ? SIZE_MAX : retained_per_subscription_max, reactor_.monotonic(),
                            part.messages);
    if (part.messages.empty()) {
        return;
    }
    if (!connection.backlog) {
        connection.backlog = std::make_unique<RetainedBacklog>();
    }
    connection.backlog->parts.push_back(std::move(part));
}

bool SessionService::has_more(const Connection& connection) const {
    return connection.session != nullptr && !connection.is_ending() &&
           (connection.backlog || connection.session->mqtt.waits_for_room());
}

void SessionService::pump(Connection& connection) {
    if (!has_more(connection)) {
        return;
    }
    Session& session = *connection.session;
    if (session.mqtt.waits_for_room()) {
        session.mqtt.send_waiting(reactor_.monotonic(), connection.output());
        tally_.drop(Drop::expired, session.mqtt.take_dropped());
        journal_.forget_dropped(session);
    }
    if (connection.backlog) {
        pump_retained(connection);
    }
}

void SessionService::pump_retained(Connection& connection) {
    RetainedBacklog& backlog = *connection.backlog;
    Session& session = *connection.session;
    const std::size_t room = context_.options.limits.session.output_bytes_max / 2;
    while (backlog.next_part < backlog.parts.size()) {
        const RetainedBacklog::Part& part = backlog.parts[backlog.next_part];
        if (backlog.next_message == part.messages.size()) {
            ++backlog.next_part;
            backlog.next_message = 0;
            continue;
        }
        if (connection.unsent_bytes() >= room || session.mqtt.queued() > 0) {
            return;
        }
        const mqtt::MessagePtr& kept = part.messages[backlog.next_message++];
        if (part.options.no_local() && kept->publisher == publisher_number(*session.key)) {
            continue;
        }
        mqtt::OutgoingMessage message(kept);
        mqtt::DeliverOptions options{.qos = std::min(message.view().qos, part.options.qos()), .retain = true};
        mqtt::add_subscription_id(part.subscription_identifier, options.subscription_ids);
        courier_.deliver(session, message, options, reactor_.monotonic());
    }
    connection.backlog.reset();
}

void SessionService::on_unsubscribe(Connection& connection, const mqtt::Unsubscribe& unsubscribe) {
    Session& session = *connection.session;
    const SessionHandle handle = sessions_.handle_of(session);
    text_.clear();
    for (const mqtt::UnsubscribeEntry& entry : unsubscribe.entries) {
        const bool was_there = session.mqtt.unsubscribe(entry.filter);
        if (was_there) {
            context_.subscriptions.unsubscribe(entry.filter, handle);
        }
        text_ += static_cast<char>(was_there ? mqtt::ReasonCode::success : mqtt::ReasonCode::no_subscription_existed);
    }
    std::string unsuback;
    mqtt::encode(connection.protocol().version(),
                 mqtt::Unsuback{.packet_id = unsubscribe.packet_id, .properties = {}, .reasons = text_}, unsuback);
    answer_stored(connection, unsuback);
    if (session.mqtt.is_stored()) {
        journal_.note(session);
    }
    publish_path_.record_ping_if_due(session);
}

}  // namespace muster
