#include "mqtt/server_session.h"

#include "mqtt/encode.h"
#include "mqtt/server_session_parts.h"

// Connection, subscriptions, messages from the client. Messages to the client: server_session_outgoing.cpp.

namespace muster::mqtt {

void add_subscription_id(std::uint32_t id, std::string& subscription_ids) {
    if (id != 0) {
        PropertyWriter(subscription_ids).number(PropertyId::subscription_identifier, id);
    }
}

AttachOptions AttachOptions::of(const Connect& connect) {
    AttachOptions options;
    options.version = connect.version;
    if (connect.version != ProtocolVersion::v5) {
        options.session_expiry_s = connect.clean_start ? 0 : session_never_expires;
        return options;
    }
    options.session_expiry_s = connect.properties.number(PropertyId::session_expiry).value_or(0);
    options.packet_bytes_max = connect.properties.number(PropertyId::maximum_packet_size).value_or(0);
    options.topic_alias_max =
        static_cast<std::uint16_t>(connect.properties.number(PropertyId::topic_alias_maximum).value_or(0));
    options.receive_maximum =
        static_cast<std::uint16_t>(connect.properties.number(PropertyId::receive_maximum).value_or(65'535));
    return options;
}

ServerSession::ServerSession(const SessionLimits& limits) : limits_(limits) {}

ServerSession::~ServerSession() = default;

void ServerSession::attach(const AttachOptions& options, Millis now, std::string& out) {
    version_ = options.version;
    session_expiry_s_ = options.session_expiry_s;
    client_packet_bytes_max_ = options.packet_bytes_max;
    window_ = std::min(options.receive_maximum, limits_.in_flight_max);
    attached_ = true;
    const std::uint16_t aliases = std::min(options.topic_alias_max, limits_.topic_alias_max);
    if (aliases > 0) {
        aliases_ = std::make_unique<Aliases>();
        aliases_->max = aliases;
    }
    ++attachment_;
    incoming_unanswered_ = incoming_ ? static_cast<std::uint32_t>(incoming_->ids.size()) : 0;
    if (outgoing_) {
        outgoing_->sent = 0;
        outgoing_->in_flight_bytes = 0;
        send_waiting(now, out);
    }
}

void ServerSession::detach() {
    attached_ = false;
    aliases_.reset();
}

bool ServerSession::is_empty() const {
    return !outgoing_ && !subscriptions_ && !incoming_;
}

ServerSession::Subscribed ServerSession::subscribe(const Subscription& subscription) {
    const bool replaced = subscriptions_ && subscriptions_->erase(subscription.filter);
    if (!replaced && subscriptions() >= limits_.subscriptions_max) {
        return Subscribed::full;
    }
    if (!subscriptions_) {
        subscriptions_ = std::make_unique<Subscriptions>();
    }
    subscriptions_->add(subscription);
    return replaced ? Subscribed::replaced : Subscribed::added;
}

bool ServerSession::unsubscribe(std::string_view filter) {
    if (!subscriptions_ || !subscriptions_->erase(filter)) {
        return false;
    }
    if (subscriptions_->count == 0) {
        subscriptions_.reset();
    }
    return true;
}

void ServerSession::for_each_subscription(FunctionRef<void(const Subscription&)> visit) const {
    if (subscriptions_) {
        subscriptions_->walk([&](const Subscriptions::Place& place) {
            visit(place.subscription);
            return true;
        });
    }
}

std::size_t ServerSession::subscriptions() const {
    return subscriptions_ ? subscriptions_->count : 0;
}

void ServerSession::answer(PacketType type, std::uint16_t packet_id, ReasonCode reason, std::string& out) const {
    if (attached_) {
        encode(version_, Ack{type, packet_id, reason, {}}, out);
    }
}

Incoming ServerSession::begin_incoming(const Publish& publish, std::string& out) {
    if (publish.qos == 2 && incoming_) {
        if (const IncomingIds::Id* const seen = incoming_->find(publish.packet_id)) {
            if (!seen->safe) {
                return Incoming::repeated;
            }
            answer(PacketType::pubrec, publish.packet_id, ReasonCode::success, out);
            return Incoming::repeated_answered;
        }
    }
    const bool is_v5 = version_ == ProtocolVersion::v5;
    const bool is_over = is_v5 ? incoming_unanswered_ >= limits_.receive_maximum
                               : publish.qos == 2 && incoming_ && incoming_->ids.size() >= limits_.qos_2_ids_max;
    if (is_over) {
        return Incoming::over_maximum;
    }
    ++incoming_unanswered_;
    if (publish.qos == 2) {
        if (!incoming_) {
            incoming_ = std::make_unique<IncomingIds>();
        }
        incoming_->ids.insert(incoming_->place_of(publish.packet_id), {publish.packet_id, false});
    }
    return Incoming::fresh;
}

IncomingTicket ServerSession::ticket_of(const Publish& publish) const {
    return {publish.packet_id, attachment_, publish.qos};
}

void ServerSession::finish_incoming(const IncomingTicket& ticket, ReasonCode reason, std::string& out) {
    if (ticket.qos == 1) {
        if (attached_ && ticket.attachment == attachment_) {
            --incoming_unanswered_;
            answer(PacketType::puback, ticket.packet_id, reason, out);
        }
        return;
    }
    // A QoS 2 exchange belongs to the session: its answer may go to whichever connection holds it now.
    IncomingIds::Id* const id = incoming_ ? incoming_->find(ticket.packet_id) : nullptr;
    if (id == nullptr || id->safe) {
        return;
    }
    id->safe = true;
    answer(PacketType::pubrec, ticket.packet_id, reason, out);
    if (is_error(reason)) {
        forget_incoming(ticket.packet_id);
    }
}

void ServerSession::release_incoming(const Ack& pubrel, std::string& out) {
    const IncomingIds::Id* const id = incoming_ ? incoming_->find(pubrel.packet_id) : nullptr;
    const bool is_known = id != nullptr && id->safe;
    if (is_known) {
        forget_incoming(pubrel.packet_id);
    }
    answer(PacketType::pubcomp, pubrel.packet_id,
           is_known ? ReasonCode::success : ReasonCode::packet_identifier_not_found, out);
}

void ServerSession::forget_incoming(std::uint16_t packet_id) {
    incoming_->ids.erase(incoming_->place_of(packet_id));
    incoming_unanswered_ -= incoming_unanswered_ > 0 ? 1 : 0;
    if (incoming_->ids.empty()) {
        incoming_.reset();
    }
}

}  // namespace muster::mqtt
