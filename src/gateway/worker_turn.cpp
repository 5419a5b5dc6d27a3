#include "gateway/worker.h"

// How a worker paces its connections: what it is told of their sockets, who is not read while others are behind, and
// what is written at the end of each turn.

namespace muster {
namespace {

constexpr Millis held_retry{10};
constexpr int writes_per_turn = 16;

std::uint32_t events_of(const Connection& connection) {
    return net::io_readable | net::io_peer_ended | (connection.awaits_room ? net::io_writable : 0U);
}

}  // namespace

void WorkerTimer::on_timer() {
    (worker_.*call_)();
}

// ---- what the reactor tells

// A plain socket nearly always takes what is written: to be told at its start that it has room would be an event for
// nothing, and often a turn. TLS may want to write before it can read.
bool Worker::watch(Connection& connection) {
    connection.awaits_room = connection.transport() != nullptr;
    if (!reactor_->add(connection.socket().fd(), connection, events_of(connection))) {
        connection.end_later(Cause::connection_lost);
        return false;
    }
    connection.is_watched = true;
    return true;
}

// Once it was full it may be so again.
void Worker::await_room(Connection& connection) {
    if (connection.awaits_room) {
        return;
    }
    connection.awaits_room = true;
    if (!reactor_->modify(connection.socket().fd(), connection, events_of(connection))) {
        connection.end_later(Cause::connection_lost);
    }
}

// ---- back-pressure

void Worker::hold(Connection& connection, Connection::Hold reason) {
    if (connection.holds == 0) {
        connection.protocol().hold();
        if (held_.empty()) {
            held_since_ = reactor_->monotonic();
            reactor_->timers().arm(retry_timer_, held_since_ + held_retry);
        }
        held_.push_back(connection.ref());
    }
    connection.holds |= reason;
}

bool Worker::still_holds(Connection& connection) {
    const AckQueue* answers = connection.session != nullptr ? connection.session->answers.get() : nullptr;
    if ((connection.holds & Connection::hold_bus) != 0 && uplink_.pressure() != Uplink::Pressure::none) {
        return true;
    }
    if ((connection.holds & Connection::hold_answers) != 0 && answers != nullptr &&
        answers->size() > context_.options.limits.unanswered_publishes_max / 2) {
        return true;
    }
    if ((connection.holds & Connection::hold_rate) != 0 && connection.client_limits &&
        connection.client_limits->rate->must_wait(reactor_->monotonic())) {
        return true;
    }
    return (connection.holds & Connection::hold_mailbox) != 0 && courier_.is_congested();
}

void Worker::retry_held() {
    if (held_.empty()) {
        return;
    }
    const Millis now = reactor_->monotonic();
    tally_.held_ms.add(static_cast<std::uint64_t>((now - held_since_).count()));
    held_since_ = now;
    std::vector<ConnectionRef> held;
    held.swap(held_);
    for (const ConnectionRef ref : held) {
        Connection* connection = connections_.at(ref);
        if (connection == nullptr || connection->is_ending()) {
            continue;
        }
        if (still_holds(*connection)) {
            held_.push_back(ref);
            continue;
        }
        connection->holds = 0;
        connection->protocol().release(now);
        receive(*connection, {});
        if (connection->has_unread) {
            read(*connection);
        }
    }
    if (!held_.empty()) {
        reactor_->timers().arm(retry_timer_, now + held_retry);
    }
}

// ---- end of a turn

void Worker::flush_later(Connection& connection) {
    if (!connection.needs_flush) {
        connection.needs_flush = true;
        to_flush_.push_back(connection.ref());
    }
}

void Worker::end_turn() {
    tally_.turns.add();
    handshakes_.end_turn();
    tally_.handshakes_waiting.set(handshakes_.waiting());
    if (handshakes_.waiting() > 0 && handshakes_.has_tokens()) {
        post([this] { begin_waiting_handshakes(); });
    } else if (handshakes_.waiting() > 0) {
        reactor_->timers().arm(handshake_timer_, reactor_->monotonic());
    }
    do {
        close_ending();
        const auto wake = [this](std::size_t worker) { context_.workers[worker]->wake_for_mail(); };
        courier_.hand_over(wake);
        journal_.hand_over(wake);
        store_sessions();
        give_up_lost();
        uplink_.flush();
        flush_outputs();
    } while (!ending_.empty() || journal_.has_changes());
    closed_.clear();
    tally_.output_bytes.set(outputs_.bytes());
}

void Worker::close_ending() {
    while (!ending_.empty()) {
        std::vector<ConnectionRef> ending;
        ending.swap(ending_);
        for (const ConnectionRef ref : ending) {
            if (Connection* connection = connections_.at(ref)) {
                close(*connection, connection->ending_cause());
            }
        }
    }
}

void Worker::flush_outputs() {
    std::vector<ConnectionRef> outputs;
    outputs.swap(to_flush_);
    for (const ConnectionRef ref : outputs) {
        if (Connection* connection = connections_.at(ref)) {
            flush_output(*connection);
            connection->needs_flush = false;
        }
    }
    outputs.clear();
    if (to_flush_.empty()) {
        to_flush_.swap(outputs);  // keeps its room for the next turn
    }
}

bool Worker::is_too_far_behind(const Connection& connection) const {
    const GatewayLimits& limits = context_.options.limits;
    const bool is_room_short = outputs_.bytes() > limits.outputs_bytes_max;
    return connection.unsent_bytes() >
           (is_room_short ? limits.session.output_bytes_max / 4 : limits.output_bytes_ceiling);
}

void Worker::flush_output(Connection& connection) {
    for (int i = 0; i < writes_per_turn; ++i) {
        service_.pump(connection);
        if (connection.unsent_bytes() == 0) {
            (void)connection.flush();  // gives back a buffer in which nothing came to stand
            return;
        }
        const Result<std::size_t> written = connection.flush();
        tally_.writes.add();
        if (!written) {
            connection.end_later(Cause::connection_lost);
            return;
        }
        tally_.bytes_out.add(*written);
        if (is_too_far_behind(connection)) {
            connection.end_later(Cause::throttled);
        }
        if (connection.unsent_bytes() > 0) {
            await_room(connection);
            return;
        }
    }
    if (service_.has_more(connection)) {
        post([this, ref = connection.ref()] {
            if (Connection* waiting = connections_.at(ref)) {
                flush_later(*waiting);
            }
        });
    }
}

}  // namespace muster
