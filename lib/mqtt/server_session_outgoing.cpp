#include "base/assert.h"
#include "mqtt/encode.h"
#include "mqtt/server_session.h"
#include "mqtt/server_session_parts.h"

// A session's messages to its client: delivery, acknowledgement, what is stored of them.

namespace muster::mqtt {

namespace {

/// A PUBLISH of a kept message as this client gets it. Its properties go to `block` when they differ from the kept
/// ones.
Publish outgoing(const Message& message, ProtocolVersion version, std::string_view subscription_ids, Millis now,
                 std::string& block) {
    Publish publish = message.view();
    if (version != ProtocolVersion::v5 || (!message.expiry_s && subscription_ids.empty())) {
        return publish;
    }
    block = message.properties;
    if (message.expiry_s) {
        const std::int64_t waited_s = std::chrono::duration_cast<Seconds>(now - message.published).count();
        const std::int64_t left_s = std::int64_t{*message.expiry_s} - std::max<std::int64_t>(waited_s, 0);
        PropertyWriter(block).number(PropertyId::message_expiry,
                                     static_cast<std::uint32_t>(std::max<std::int64_t>(left_s, 0)));
    }
    block += subscription_ids;
    publish.properties = Properties(block);
    return publish;
}

}  // namespace

bool ServerSession::fits(const Publish& publish) const {
    return client_packet_bytes_max_ == 0 || encoded_size(version_, publish) <= client_packet_bytes_max_;
}

std::uint16_t ServerSession::alias_of(std::string_view topic, bool& is_new) {
    if (!aliases_ || topic.size() > limits_.alias_topic_bytes_max) {
        return 0;
    }
    std::vector<std::string>& topics = aliases_->topics;
    const auto known = std::find(topics.begin(), topics.end(), topic);
    is_new = known == topics.end();
    if (is_new) {
        if (topics.size() == aliases_->max) {
            return 0;
        }
        topics.emplace_back(topic);
        return static_cast<std::uint16_t>(topics.size());
    }
    return static_cast<std::uint16_t>(known - topics.begin() + 1);
}

/// It fits(); under an alias if it still does then.
void ServerSession::send(const Publish& publish, std::string& out) {
    bool is_new = false;
    const std::uint16_t alias = alias_of(publish.topic, is_new);
    if (alias == 0) {
        encode(version_, publish, out);
        return;
    }
    std::string block(publish.properties.bytes());
    PropertyWriter(block).number(PropertyId::topic_alias, alias);
    Publish aliased = publish;
    aliased.properties = Properties(block);
    if (!is_new) {
        aliased.topic = {};
    }
    if (!fits(aliased)) {
        if (is_new) {
            aliases_->topics.pop_back();
        }
        aliased = publish;
    }
    encode(version_, aliased, out);
}

Delivery ServerSession::deliver(OutgoingMessage& message, const DeliverOptions& options, Millis now, std::string& out) {
    if (message.kept_already() != nullptr && message.kept_already()->is_expired(now)) {
        return Delivery::dropped_expired;
    }
    return options.qos == 0 ? deliver_at_once(message, options, now, out) : deliver_kept(message, options, now, out);
}

Delivery ServerSession::deliver_at_once(OutgoingMessage& message, const DeliverOptions& options, Millis now,
                                        std::string& out) {
    if (!attached_) {
        return Delivery::dropped_offline;
    }
    std::string block;
    Publish publish = message.view();
    if (version_ == ProtocolVersion::v5 && (message.kept_already() != nullptr || !options.subscription_ids.empty())) {
        publish = outgoing(*message.kept(), version_, options.subscription_ids, now, block);
    }
    publish.qos = 0;
    publish.packet_id = 0;
    publish.duplicate = false;
    publish.retain = options.retain;
    if (!fits(publish)) {
        return Delivery::dropped_size;
    }
    send(publish, out);
    return Delivery::sent;
}

Delivery ServerSession::deliver_kept(OutgoingMessage& message, const DeliverOptions& options, Millis now,
                                     std::string& out) {
    const std::size_t waiting = queued();
    const bool goes_now = waiting == 0 && !is_stored() && has_room(out);
    if (!goes_now) {
        const std::size_t bytes = message.kept()->bytes();
        if (waiting >= limits_.queued_messages_max || queued_bytes() + bytes > limits_.queued_bytes_max) {
            return Delivery::dropped_full;
        }
    }
    if (!outgoing_) {
        outgoing_ = std::make_unique<Outgoing>();
    }
    PendingMessage pending;
    pending.message = message.kept();
    pending.subscription_ids = options.subscription_ids;
    pending.qos = options.qos;
    pending.retain = options.retain;
    pending.share = options.share;
    if (is_stored()) {
        // Stored with it, so that the client knows the message again after a restart.
        pending.packet_id = take_packet_id();
        pending.waits = true;
    }
    outgoing_->waiting_bytes += pending.message->bytes();
    outgoing_->queue.push_back(std::move(pending));
    if (!goes_now) {
        return Delivery::queued;
    }
    if (send_or_drop(outgoing_->sent, now, out)) {
        return Delivery::sent;
    }
    release_memory();
    return Delivery::dropped_size;
}

bool ServerSession::is_packet_id_used(std::uint16_t packet_id) const {
    // Those that have an id stand in front.
    const MessageQueue& queue = outgoing_->queue;
    for (std::size_t at = 0; at < queue.size() && queue[at].packet_id != 0; ++at) {
        if (queue[at].packet_id == packet_id) {
            return true;
        }
    }
    return false;
}

std::uint16_t ServerSession::take_packet_id() {
    do {
        ++last_packet_id_;
    } while (last_packet_id_ == 0 || is_packet_id_used(last_packet_id_));
    return last_packet_id_;
}

/// Sends the first message that has not been sent on this connection. False: it could not be, and is gone.
bool ServerSession::send_or_drop(std::size_t index, Millis now, std::string& out) {
    PendingMessage& pending = outgoing_->queue[index];
    if (pending.released) {
        ++outgoing_->sent;
        encode(version_, Ack{PacketType::pubrel, pending.packet_id, ReasonCode::success, {}}, out);
        return true;
    }
    const bool is_first_time = !pending.was_sent;
    if (is_first_time) {
        outgoing_->waiting_bytes -= pending.message->bytes();
    }
    std::string block;
    Publish publish = outgoing(*pending.message, version_, pending.subscription_ids, now, block);
    publish.packet_id = pending.packet_id;
    publish.qos = pending.qos;
    publish.retain = pending.retain;
    publish.duplicate = !is_first_time;
    // A message whose delivery had begun is sent again even when it has expired meanwhile.
    if ((is_first_time && pending.message->is_expired(now)) || !fits(publish)) {
        drop(index);
        return false;
    }
    if (pending.packet_id == 0) {
        publish.packet_id = pending.packet_id = take_packet_id();
    }
    pending.was_sent = true;
    ++outgoing_->sent;
    outgoing_->in_flight_bytes += pending.message->bytes();
    send(publish, out);
    return true;
}

void ServerSession::drop(std::size_t index) {
    if (const std::uint64_t number = outgoing_->queue[index].number; number != 0) {
        outgoing_->dropped_numbers.push_back(number);
    }
    outgoing_->queue.erase(index);
}

bool ServerSession::has_window() const {
    return attached_ && in_flight() < window_ &&
           (!outgoing_ || outgoing_->in_flight_bytes < limits_.in_flight_bytes_max);
}

bool ServerSession::has_room(const std::string& out) const {
    return has_window() && out.size() < limits_.output_bytes_max;
}

bool ServerSession::waits_for_room() const {
    return outgoing_ && queued() > 0 && !outgoing_->queue[outgoing_->sent].waits && has_window();
}

void ServerSession::send_waiting(Millis now, std::string& out) {
    while (waits_for_room() && has_room(out)) {
        dropped_ += send_or_drop(outgoing_->sent, now, out) ? 0U : 1U;
    }
    if (outgoing_) {
        release_memory();
    }
}

void ServerSession::release_memory() {
    if (outgoing_->queue.empty() && outgoing_->dropped_numbers.empty()) {
        outgoing_.reset();
    }
}

Acknowledged ServerSession::acknowledge(const Ack& ack, Millis now, std::string& out) {
    std::size_t index = 0;
    const std::size_t sent = outgoing_ ? outgoing_->sent : 0;
    while (index < sent && outgoing_->queue[index].packet_id != ack.packet_id) {
        ++index;
    }
    const bool is_found = index < sent;
    if (ack.type == PacketType::pubrec && !(is_found && is_error(ack.reason))) {
        return acknowledge_pubrec(ack, is_found ? &outgoing_->queue[index] : nullptr, out);
    }
    if (!is_found) {
        return {};
    }
    const PendingMessage& pending = outgoing_->queue[index];
    const bool completes = ack.type == PacketType::puback    ? pending.qos == 1
                           : ack.type == PacketType::pubrec  ? pending.qos == 2 && !pending.released
                           : ack.type == PacketType::pubcomp ? pending.released && !pending.waits
                                                             : false;
    if (!completes) {
        return {};
    }
    const Acknowledged done{.completed = true, .released = false, .number = pending.number};
    outgoing_->in_flight_bytes -= pending.message ? pending.message->bytes() : 0U;
    outgoing_->queue.erase(index);
    --outgoing_->sent;
    send_waiting(now, out);
    return done;
}

// Answered with PUBREL, at once or when it is stored that it came: a client that has seen PUBREL may forget the
// message, so that it must never be sent again. `pending`: null when nothing of this id is in flight.
Acknowledged ServerSession::acknowledge_pubrec(const Ack& ack, PendingMessage* pending, std::string& out) {
    if (pending == nullptr || pending->qos != 2) {
        if (!is_error(ack.reason)) {
            answer(PacketType::pubrel, ack.packet_id, ReasonCode::packet_identifier_not_found, out);
        }
        return {};
    }
    const bool is_news = !pending->released;
    if (is_news) {
        outgoing_->in_flight_bytes -= pending->message->bytes();
        pending->released = true;
        pending->message.reset();
    }
    if (is_news && pending->number != 0 && is_stored()) {
        pending->waits = true;
        return {.completed = false, .released = true, .number = pending->number};
    }
    if (!pending->waits) {
        answer(PacketType::pubrel, ack.packet_id, ReasonCode::success, out);
    }
    return {};
}

const PendingMessage& ServerSession::name_newest(std::uint64_t number) {
    PendingMessage& newest = outgoing_->queue[outgoing_->queue.size() - 1];
    newest.number = number;
    return newest;
}

void ServerSession::confirm(std::uint64_t number, Millis now, std::string& out) {
    if (!outgoing_) {
        return;
    }
    MessageQueue& queue = outgoing_->queue;
    std::size_t index = 0;
    std::size_t end = queue.size();
    while (index < end) {
        // Without a number: queued since the session is no longer stored, behind the others.
        const std::size_t middle = (index + end) / 2;
        const bool is_before = queue[middle].number != 0 && queue[middle].number < number;
        (is_before ? index : end) = is_before ? middle + 1 : middle;
    }
    if (index == queue.size() || queue[index].number != number || !queue[index].waits) {
        return;
    }
    queue[index].waits = false;
    if (index < outgoing_->sent) {
        answer(PacketType::pubrel, queue[index].packet_id, ReasonCode::success, out);
    } else if (index == outgoing_->sent) {
        send_waiting(now, out);
    }
}

void ServerSession::take_dropped_numbers(std::vector<std::uint64_t>& out) {
    if (outgoing_) {
        out.insert(out.end(), outgoing_->dropped_numbers.begin(), outgoing_->dropped_numbers.end());
        outgoing_->dropped_numbers.clear();
        release_memory();
    }
}

std::uint64_t ServerSession::sent_through() const {
    std::uint64_t number = 0;
    for_each_outgoing([&](const PendingMessage& pending) { number = pending.was_sent ? pending.number : number; });
    return number;
}

void ServerSession::for_each_outgoing(FunctionRef<void(const PendingMessage&)> visit) const {
    for (std::size_t at = 0; outgoing_ && at < outgoing_->queue.size(); ++at) {
        visit(outgoing_->queue[at]);
    }
}

void ServerSession::for_each_incoming_id(FunctionRef<void(std::uint16_t)> visit) const {
    if (incoming_) {
        for (const IncomingIds::Id& id : incoming_->ids) {
            visit(id.packet_id);
        }
    }
}

bool ServerSession::restore(PendingMessage message) {
    if (queued() >= limits_.queued_messages_max + limits_.in_flight_max) {
        return false;
    }
    if (!outgoing_) {
        outgoing_ = std::make_unique<Outgoing>();
    }
    if (message.message && !message.was_sent) {
        outgoing_->waiting_bytes += message.message->bytes();
    }
    outgoing_->queue.push_back(std::move(message));
    return true;
}

void ServerSession::restore_incoming_id(std::uint16_t packet_id) {
    if (!incoming_) {
        incoming_ = std::make_unique<IncomingIds>();
    }
    if (incoming_->find(packet_id) == nullptr) {
        incoming_->ids.insert(incoming_->place_of(packet_id), {packet_id, true});
    }
}

void ServerSession::take_shared(FunctionRef<bool(std::uint32_t share)> may_go,
                                FunctionRef<void(const MessagePtr& message, std::uint32_t share)> take) {
    MUSTER_ASSERT(!attached_);
    for (std::size_t index = 0; outgoing_ && index < outgoing_->queue.size();) {
        const PendingMessage& pending = outgoing_->queue[index];
        const bool has_begun = pending.was_sent;
        if (pending.share == 0 || (pending.qos == 2 && has_begun) || !may_go(pending.share)) {
            ++index;
            continue;
        }
        const MessagePtr message = pending.message;
        const std::uint32_t share = pending.share;
        outgoing_->waiting_bytes -= has_begun ? 0U : message->bytes();
        if (index < outgoing_->sent) {
            --outgoing_->sent;
            outgoing_->in_flight_bytes -= message->bytes();
        }
        drop(index);
        take(message, share);
    }
    if (outgoing_) {
        release_memory();
    }
}

std::size_t ServerSession::in_flight() const {
    return outgoing_ ? outgoing_->sent : 0;
}

std::size_t ServerSession::queued() const {
    return outgoing_ ? outgoing_->queue.size() - outgoing_->sent : 0;
}

std::size_t ServerSession::queued_bytes() const {
    return outgoing_ ? outgoing_->waiting_bytes : 0;
}

}  // namespace muster::mqtt
