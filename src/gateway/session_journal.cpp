#include "gateway/session_journal.h"

#include <utility>

#include "gateway/connection.h"
#include "gateway/session_codec.h"

namespace muster {
namespace {

// A message's number grows over restarts too: 22 bits of the gateway's incarnation, 40 of the worker's count. What was
// loaded or taken over may go beyond, see count_beyond().
constexpr unsigned count_bits = 40;
constexpr std::uint64_t incarnation_mask = (1U << 22U) - 1;

}  // namespace

SessionJournal::SessionJournal(GatewayContext& context, std::size_t worker, SessionTable& sessions,
                               const net::Reactor& reactor, Tally& tally)
    : context_(context),
      worker_(worker),
      sessions_(sessions),
      reactor_(reactor),
      tally_(tally),
      settled_(context.options.threads),
      last_number_((context.incarnation & incarnation_mask) << count_bits) {}

void SessionJournal::add(SessionChange change) {
    const std::size_t bytes = change.bytes();
    bytes_ += bytes;
    sequel_.bytes += bytes;
    changes_.push_back(std::move(change));
}

void SessionJournal::note(Session& session) {
    if (!session.is_noted) {
        session.is_noted = true;
        noted_.push_back(sessions_.handle_of(session));
    }
}

void SessionJournal::write_documents() {
    for (const SessionHandle handle : noted_) {
        Session* session = sessions_.at(handle);
        if (session == nullptr) {
            continue;
        }
        session->is_noted = false;
        if (session->mqtt.is_stored()) {
            SessionChange change{.kind = SessionChange::Kind::put_session, .session = std::string(*session->key)};
            encode_session(*session, {reactor_.now(), reactor_.monotonic()}, change.value);
            add(std::move(change));
        }
    }
    noted_.clear();
}

void SessionJournal::discard(const Session& session) {
    session.mqtt.for_each_outgoing([&](const mqtt::PendingMessage& pending) {
        if (pending.number != 0) {
            forget(session, pending.number);
        }
    });
    session.mqtt.for_each_incoming_id([&](std::uint16_t packet_id) { forget_packet_id(session, packet_id); });
    add({.kind = SessionChange::Kind::erase_session, .session = std::string(*session.key)});
}

void SessionJournal::keep_newest(Session& session) {
    const mqtt::PendingMessage& pending = session.mqtt.name_newest(++last_number_);
    SessionChange change{.kind = SessionChange::Kind::put_message,
                         .session = std::string(*session.key),
                         .number = pending.number,
                         .value = {}};
    encode_message(pending, {reactor_.now(), reactor_.monotonic()}, change.value);
    add(std::move(change));
    sequel_.messages.push_back({sessions_.handle_of(session), pending.number});
}

void SessionJournal::keep_released(const Session& session, std::uint64_t number, std::uint16_t packet_id) {
    mqtt::PendingMessage released;
    released.packet_id = packet_id;
    released.qos = 2;
    released.released = true;
    SessionChange change{
        .kind = SessionChange::Kind::put_message, .session = std::string(*session.key), .number = number, .value = {}};
    encode_message(released, {reactor_.now(), reactor_.monotonic()}, change.value);
    add(std::move(change));
    sequel_.messages.push_back({sessions_.handle_of(session), number});
}

void SessionJournal::forget(const Session& session, std::uint64_t number) {
    add({.kind = SessionChange::Kind::erase_message,
         .session = std::string(*session.key),
         .number = number,
         .value = {}});
}

void SessionJournal::forget_dropped(Session& session) {
    session.mqtt.take_dropped_numbers(numbers_);
    for (const std::uint64_t number : numbers_) {
        forget(session, number);
    }
    numbers_.clear();
}

void SessionJournal::keep_packet_id(const Session& session, std::uint16_t packet_id) {
    add({.kind = SessionChange::Kind::put_packet_id,
         .session = std::string(*session.key),
         .number = packet_id,
         .value = {}});
    sequel_.packet_ids.push_back({sessions_.handle_of(session), packet_id});
}

void SessionJournal::forget_packet_id(const Session& session, std::uint16_t packet_id) {
    add({.kind = SessionChange::Kind::erase_packet_id,
         .session = std::string(*session.key),
         .number = packet_id,
         .value = {}});
}

void SessionJournal::answer_later(const Session& session, std::string bytes) {
    sequel_.answers.push_back({sessions_.handle_of(session), session.attachment, std::move(bytes)});
}

void SessionJournal::acknowledge_later(const Receipt& receipt) {
    sequel_.receipts.push_back(receipt);
}

bool SessionJournal::is_full() const {
    return bytes_ >= context_.options.limits.session_store_bytes_max;
}

void SessionJournal::flush(FunctionRef<void(std::vector<SessionChange>&&)> submit) {
    write_documents();
    if (!has_changes()) {
        return;
    }
    tally_.session_changes.add(changes_.size());
    tally_.session_store_bytes.set(bytes_);
    on_their_way_.push_back(std::exchange(sequel_, {}));
    submit(std::exchange(changes_, {}));  // may answer at once
}

void SessionJournal::on_stored(bool durable, FunctionRef<void(const Delivery&)> settle) {
    const Sequel sequel = std::move(on_their_way_.front());
    on_their_way_.pop_front();
    bytes_ -= sequel.bytes;
    tally_.session_store_bytes.set(bytes_);
    if (!durable) {
        // The sessions go on from memory; only publishers are told, so that they send again.
        tally_.session_store_failures.add();
    }
    for (const Answer& one : sequel.answers) {
        answer(one);
    }
    for (const Named& packet_id : sequel.packet_ids) {
        finish_packet_id(packet_id);
    }
    for (const Named& message : sequel.messages) {
        confirm(message);
    }
    for (const Receipt& receipt : sequel.receipts) {
        const Delivery delivery{.token = receipt.token, .durable = durable};
        if (receipt.worker == worker_) {
            settle(delivery);
        } else {
            settled_[receipt.worker].push_back(delivery);
        }
    }
}

void SessionJournal::hand_over(FunctionRef<void(std::size_t worker)> wake) {
    for (std::size_t worker = 0; worker < settled_.size(); ++worker) {
        if (!settled_[worker].empty() && context_.mailboxes[worker]->put(settled_[worker]).wake) {
            wake(worker);
        }
    }
}

void SessionJournal::confirm(const Named& message) {
    Session* session = sessions_.at(message.session);
    if (session == nullptr) {
        return;
    }
    std::string& out = session->connection != nullptr ? session->connection->output() : nowhere_;
    session->mqtt.confirm(message.number, reactor_.monotonic(), out);
    tally_.drop(Drop::expired, session->mqtt.take_dropped());
    forget_dropped(*session);
}

void SessionJournal::answer(const Answer& answer) {
    const Session* session = sessions_.at(answer.session);
    if (session != nullptr && session->connection != nullptr && session->attachment == answer.attachment &&
        !session->connection->is_ending()) {
        session->connection->output() += answer.bytes;
    }
}

void SessionJournal::finish_packet_id(const Named& packet_id) {
    Session* session = sessions_.at(packet_id.session);
    if (session == nullptr) {
        return;
    }
    std::string& out = session->connection != nullptr ? session->connection->output() : nowhere_;
    session->mqtt.finish_incoming(
        {.packet_id = static_cast<std::uint16_t>(packet_id.number), .attachment = 0, .qos = 2},
        mqtt::ReasonCode::success, out);
    tally_.acknowledged.add();
}

}  // namespace muster
