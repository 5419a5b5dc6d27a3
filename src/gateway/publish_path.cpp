#include "gateway/publish_path.h"

#include <algorithm>

namespace muster {
namespace {

/// Whether the processor or the shadow role reads it.
bool is_for_roles(TopicClass topic_class) {
    return topic_class != TopicClass::ordinary && topic_class != TopicClass::reserved;
}

}  // namespace

EventHeader PublishPath::header(const Session& session, EventKind kind) const {
    EventHeader header;
    header.kind = kind;
    header.epoch = session.epoch;
    header.received = reactor_.now();
    header.incarnation = context_.incarnation;
    header.gateway = context_.options.name;
    return header;
}

UplinkRecord PublishPath::record_of(const Session& session, const mqtt::Publish& publish,
                                    const ClassifiedTopic& classified) const {
    UplinkRecord record{.topic = context_.topics.events,
                        .key = classified.device,
                        .value = publish.payload,
                        .header = header(session, EventKind::telemetry)};
    record.header.qos = publish.qos;
    record.header.retain = publish.retain;
    record.header.duplicate = publish.duplicate;
    switch (classified.topic_class) {
        case TopicClass::telemetry:
            break;
        case TopicClass::status:
            record.header.kind = EventKind::status;
            break;
        case TopicClass::request:
            record.topic = context_.topics.requests;
            record.header.kind = EventKind::publish;
            record.header.topic = publish.topic;
            break;
        case TopicClass::ordinary:
        case TopicClass::reserved:
            record.topic = context_.topics.messages;
            record.key = publish.topic;
            record.header.kind = EventKind::publish;
            record.header.topic = publish.topic;
            break;
    }
    return record;
}

// What the session tells the processor and the shadow role is counted; what goes to other gateways is not.
void PublishPath::number(const Session& session, UplinkRecord& record) const {
    const bool is_counted = record.topic == context_.topics.events || record.topic == context_.topics.requests;
    record.header.sequence = is_counted ? session.sequence + 1 : 0;
}

void PublishPath::note_sent(Session& session, const UplinkRecord& record) const {
    session.sequence = std::max(session.sequence, record.header.sequence);
    if (record.topic == context_.topics.events) {
        session.last_record = reactor_.monotonic();
    }
}

bool PublishPath::send(Session& session, UplinkRecord& record) {
    number(session, record);
    if (!uplink_.send(record)) {
        return false;
    }
    note_sent(session, record);
    return true;
}

void PublishPath::send_control(Session& session, UplinkRecord& record) {
    number(session, record);
    uplink_.send_control(record);
    note_sent(session, record);
}

// For the next hop: with the message expiry, which the kept ones are without.
std::string_view PublishPath::properties_of(const mqtt::OutgoingMessage& message) {
    const mqtt::Message* kept = message.kept_already();
    if (kept == nullptr || (kept->properties.empty() && !kept->expiry_s)) {
        return {};
    }
    properties_ = kept->properties;
    return kept->view_with_expiry(properties_).properties.bytes();
}

bool PublishPath::retain(Session& session, mqtt::OutgoingMessage& message, std::uint64_t token) {
    const mqtt::Publish& publish = message.view();
    UplinkRecord record{.topic = context_.topics.retained,
                        .key = publish.topic,
                        .value = publish.payload,
                        .properties = properties_of(message),
                        .header = header(session, EventKind::publish),
                        .token = token,
                        .partition = any_partition,
                        .tombstone = publish.payload.empty()};
    record.header.qos = publish.qos;
    record.header.retain = true;
    record.header.topic = publish.topic;
    if (!send(session, record)) {
        return false;
    }
    if (!context_.retained.set_own(message, reactor_.monotonic())) {
        tally_.drop(Drop::retained_full);
    }
    return true;
}

// Before the record goes to the bus: it tells the other gateways who delivers to the shared subscriptions. What stays
// at this gateway is for its own members.
void PublishPath::find_subscribers(std::string_view topic, TopicClass topic_class, bool may_relay) {
    shares_.clear();
    if (may_relay && context_.options.relay_messages && topic_class != TopicClass::request) {
        courier_.find(topic, [this](const SharedGroup& group) { return shares_.is_here(group); });
        tally_.shares_left.add(shares_.elsewhere());
        tally_.drop(Drop::shares_full, shares_.missed());
    } else {
        courier_.find(topic, [](const SharedGroup& group) { return group.is_here(); });
    }
}

// Ordinary messages always go to the other gateways of a cluster: a new subscriber is waiting for them from its SUBACK
// on. What devices say goes there only when somebody wants it.
bool PublishPath::is_relayed(const mqtt::Publish& publish, TopicClass topic_class) const {
    switch (topic_class) {
        case TopicClass::ordinary:
        case TopicClass::reserved:
            return publish.qos > 0 || context_.options.relay_messages;
        case TopicClass::telemetry:
        case TopicClass::status:
            return context_.options.relay_messages &&
                   (context_.routes.is_wanted(topic_class) || shares_.elsewhere() > 0);
        case TopicClass::request:
            return false;
    }
    return false;
}

bool PublishPath::relay(Session& session, mqtt::OutgoingMessage& message, TopicClass topic_class, std::uint64_t token) {
    UplinkRecord record = record_of(session, message.view(), {TopicClass::ordinary, {}});
    record.properties = properties_of(message);
    record.shares = shares_.header();
    record.token = token;
    if (!send(session, record)) {
        return false;
    }
    tally_.relayed[static_cast<std::size_t>(topic_class)].add();
    return true;
}

bool PublishPath::put_on_bus(Session& session, mqtt::OutgoingMessage& message, const ClassifiedTopic& classified,
                             std::uint64_t token, Outcome& outcome) {
    const mqtt::Publish& publish = message.view();
    if (is_for_roles(classified.topic_class)) {
        UplinkRecord record = record_of(session, publish, classified);
        record.properties = properties_of(message);
        record.token = token;
        if (!send(session, record)) {
            return false;
        }
        ++outcome.records;
    }
    if (is_relayed(publish, classified.topic_class)) {
        if (!relay(session, message, classified.topic_class, token)) {
            return false;
        }
        ++outcome.records;
    }
    if (publish.retain) {
        if (!retain(session, message, token)) {
            return false;
        }
        ++outcome.records;
    }
    return true;
}

PublishPath::Outcome PublishPath::publish(Session& session, const mqtt::Publish& publish,
                                          const ClassifiedTopic& classified, std::uint64_t token) {
    mqtt::OutgoingMessage message(publish, reactor_.monotonic(), publish.retain ? publisher_number(*session.key) : 0);
    return this->publish(session, message, classified, token);
}

PublishPath::Outcome PublishPath::publish(Session& session, mqtt::OutgoingMessage& message,
                                          const ClassifiedTopic& classified, std::uint64_t token) {
    const std::uint8_t qos = message.view().qos;
    tally_.publishes[qos][static_cast<std::size_t>(classified.topic_class)].add();
    Outcome outcome;
    const bool has_room = qos > 0 || uplink_.pressure() == Uplink::Pressure::none;
    find_subscribers(message.view().topic, classified.topic_class, has_room);
    if (!has_room || !put_on_bus(session, message, classified, token, outcome)) {
        tally_.drop(Drop::bus_full);
        outcome.refused = qos > 0;
    }
    courier_.ask_receipts(outcome.refused ? 0 : token);
    outcome.congested = !courier_.route(message, sessions_.handle_of(session), reactor_.monotonic());
    outcome.records = static_cast<std::uint8_t>(outcome.records + courier_.receipts_asked());
    return outcome;
}

std::uint8_t PublishPath::publish_will(Session& session, const mqtt::PackedWill& will, Cause cause,
                                       std::uint64_t token) {
    mqtt::OutgoingMessage message(will.published_at(reactor_.monotonic(), publisher_number(*session.key)));
    const mqtt::Publish& view = message.view();
    const ClassifiedTopic classified = classify_topic(view.topic);
    if (classified.topic_class != TopicClass::status) {
        return publish(session, message, classified, token).records;
    }
    UplinkRecord record = record_of(session, view, classified);
    record.properties = properties_of(message);
    record.header.kind = EventKind::will;
    record.header.cause = cause;
    record.token = token;
    send_control(session, record);
    find_subscribers(view.topic, classified.topic_class, true);
    if (is_relayed(view, classified.topic_class) && !relay(session, message, classified.topic_class, 0)) {
        tally_.drop(Drop::bus_full);
    }
    if (view.retain && !retain(session, message, 0)) {
        tally_.drop(Drop::bus_full);
    }
    courier_.ask_receipts(0);
    (void)courier_.route(message, sessions_.handle_of(session), reactor_.monotonic());
    return 1;
}

void PublishPath::record_connect(Session& session, std::uint16_t keep_alive_s, std::string_view detail) {
    UplinkRecord record{.topic = context_.topics.events,
                        .key = session.device(),
                        .value = detail,
                        .header = header(session, EventKind::connect)};
    record.header.keep_alive_s = keep_alive_s;
    send_control(session, record);
}

void PublishPath::record_disconnect(Session& session, Cause cause) {
    UplinkRecord record{.topic = context_.topics.events,
                        .key = session.device(),
                        .value = {},
                        .header = header(session, EventKind::disconnect)};
    record.header.cause = cause;
    send_control(session, record);
}

void PublishPath::record_subscribed(Session& session, std::string_view filter) {
    UplinkRecord record{.topic = context_.topics.requests,
                        .key = session.device(),
                        .value = {},
                        .header = header(session, EventKind::subscribed)};
    record.header.topic = filter;
    send_control(session, record);
}

void PublishPath::record_ping_if_due(Session& session) {
    if (session.role != Role::device ||
        reactor_.monotonic() - session.last_record < context_.options.ping_record_interval) {
        return;
    }
    UplinkRecord record{.topic = context_.topics.events,
                        .key = session.device(),
                        .value = {},
                        .header = header(session, EventKind::ping)};
    if (!send(session, record)) {
        tally_.drop(Drop::bus_full);
    }
}

}  // namespace muster
