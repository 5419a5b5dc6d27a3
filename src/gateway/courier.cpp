#include "gateway/courier.h"

#include <algorithm>

#include "gateway/connection.h"

namespace muster {

namespace {

/// What one more subscription of the same session adds.
void add(const mqtt::Subscriber& subscriber, const mqtt::Publish& publish, mqtt::DeliverOptions& options) {
    options.qos = std::max(options.qos, std::min(publish.qos, subscriber.options.qos()));
    options.retain = options.retain || (subscriber.options.retain_as_published() && publish.retain);
    mqtt::add_subscription_id(subscriber.subscription_identifier, options.subscription_ids);
}

}  // namespace

// Overlapping subscriptions of one session: one copy, with the highest QoS of them [MQTT-3.3.5-1] and the identifiers
// of all [MQTT-3.3.4-4]. What comes by a shared one is a copy of its own.
bool Courier::route(mqtt::OutgoingMessage& message, SessionHandle from, Millis now) {
    const mqtt::Publish& publish = message.view();
    if (recipients_.empty()) {
        return true;
    }
    for (std::size_t at = 0; at < recipients_.size();) {
        const SessionHandle to = recipients_[at].subscriber.handle;
        mqtt::DeliverOptions options;
        bool is_wanted = false;
        for (; at < recipients_.size() && recipients_[at].subscriber.handle == to; ++at) {
            const auto& [subscriber, share] = recipients_[at];
            if (share != 0) {
                mqtt::DeliverOptions shared{.share = share};
                add(subscriber, publish, shared);
                hand(message, to, shared, now);
            } else if (to != from || !subscriber.options.no_local()) {
                is_wanted = true;
                add(subscriber, publish, options);
            }
        }
        if (is_wanted) {
            hand(message, to, options, now);
        }
    }
    return !congested_ && (journal_ == nullptr || !journal_->is_full());
}

// One from each worker is enough: what a worker takes in one turn it stores in one batch.
Receipt Courier::receipt_from(std::size_t worker, SessionHandle to, std::uint8_t qos) {
    const std::uint64_t bit = std::uint64_t{1} << worker;
    if (token_ == 0 || qos == 0 || !is_stored(to) || (asked_ & bit) != 0) {
        return {};
    }
    asked_ |= bit;
    return {token_, worker_};
}

void Courier::reroute(mqtt::OutgoingMessage& message, std::uint32_t share, SessionHandle than, Millis now) {
    const auto other = index_.other_member(share, than, false);
    if (!other) {
        tally_.drop(Drop::offline);
        return;
    }
    token_ = 0;  // its publisher was answered, or will be for the member that has gone
    mqtt::DeliverOptions options{.share = share};
    add(other->subscriber, message.view(), options);
    hand(message, other->subscriber.handle, options, now);
}

void Courier::hand(mqtt::OutgoingMessage& message, SessionHandle to, const mqtt::DeliverOptions& options, Millis now) {
    const std::size_t worker = worker_of(to);
    if (worker != worker_) {
        outboxes_[worker].push_back({message.kept(), to, options, receipt_from(worker, to, options.qos)});
    } else if (Session* session = sessions_->at(to)) {
        deliver(*session, message, options, now);
        if (const Receipt receipt = receipt_from(worker, to, options.qos); receipt.token != 0) {
            journal_->acknowledge_later(receipt);
        }
    }
}

void Courier::deliver(const Mailbox::Routed& routed, Millis now) {
    Session* session = sessions_->at(routed.to);
    const std::uint32_t share = routed.options.share;
    mqtt::OutgoingMessage message(routed.message);
    // The chosen member of a shared subscription has gone meanwhile.
    const bool goes_on =
        share != 0 &&
        (session == nullptr || (session->connection == nullptr && index_.other_member(share, routed.to, true)));
    if (goes_on) {
        reroute(message, share, routed.to, now);
    } else if (session != nullptr) {
        deliver(*session, message, routed.options, now);
    }
    if (routed.receipt.token != 0) {
        journal_->acknowledge_later(routed.receipt);
    }
}

void Courier::deliver(Session& session, mqtt::OutgoingMessage& message, const mqtt::DeliverOptions& options,
                      Millis now) {
    Connection* connection = session.connection;
    if (options.qos > 0 && session.mqtt.is_stored()) {
        const mqtt::Delivery outcome = session.mqtt.deliver(message, options, now, nowhere_);
        count(outcome);
        if (outcome == mqtt::Delivery::queued) {
            journal_->keep_newest(session);
        }
        return;
    }
    if (connection == nullptr) {
        count(session.mqtt.deliver(message, options, now, nowhere_));
        return;
    }
    if (options.qos == 0 && connection->unsent_bytes() > limits_.session.output_bytes_max) {
        tally_.drop(Drop::slow_reader);
        return;
    }
    count(session.mqtt.deliver(message, options, now, connection->output()));
}

void Courier::count(mqtt::Delivery outcome) {
    switch (outcome) {
        case mqtt::Delivery::sent:
        case mqtt::Delivery::queued:
            tally_.delivered.add();
            break;
        case mqtt::Delivery::dropped_full:
            tally_.drop(Drop::queue_full);
            break;
        case mqtt::Delivery::dropped_offline:
            tally_.drop(Drop::offline);
            break;
        case mqtt::Delivery::dropped_size:
            tally_.drop(Drop::oversize);
            break;
        case mqtt::Delivery::dropped_expired:
            tally_.drop(Drop::expired);
            break;
    }
}

void Courier::hand_over(FunctionRef<void(std::size_t worker)> wake) {
    for (std::size_t worker = 0; worker < outboxes_.size(); ++worker) {
        if (outboxes_[worker].empty()) {
            continue;
        }
        const Mailbox::PutResult put = mailboxes_[worker]->put(outboxes_[worker]);
        tally_.drop(Drop::mailbox_full, put.dropped);
        congested_ = congested_ || put.is_full;
        if (put.wake) {
            wake(worker);
        }
    }
}

bool Courier::is_congested() {
    if (congested_) {
        congested_ =
            std::any_of(mailboxes_.begin(), mailboxes_.end(), [](const Mailbox* box) { return box->is_full(); });
    }
    return congested_ || (journal_ != nullptr && journal_->is_full());
}

}  // namespace muster
