#include "gateway/listener.h"
#include "gateway/worker.h"
#include "net/peek.h"

// The worker's part in what stands between its sockets and MQTT: paced TLS handshakes, failures, revocation.

namespace muster {

// A TLS handshake begins when it is its turn.
bool Worker::may_read_transport(Connection& connection) {
    Transport& transport = *connection.transport();
    if (!transport.awaits_handshake()) {
        return true;
    }
    if (connection.peer_ended) {
        connection.end_later(Cause::connection_lost);  // it has waited long enough: no work for it
        return false;
    }
    if (transport.is_in_line) {
        return false;
    }
    if (!net::has_bytes(connection.socket())) {
        connection.has_unread = false;  // who says nothing takes no turn from others
        return false;
    }
    if (handshakes_.try_begin(reactor_->monotonic())) {
        begin_handshake(connection);
        return true;
    }
    if (handshakes_.waiting() >= context_.options.limits.handshakes_waiting_max) {
        tally_.accepts_refused.add();  // it was accepted before the line was full
        connection.end_later(Cause::throttled);
        return false;
    }
    transport.is_in_line = true;
    handshakes_.wait_in_line(connection.ref());
    tally_.handshakes_deferred.add();
    return false;
}

void Worker::begin_handshake(Connection& connection) {
    tally_.handshakes.add();
    connection.transport()->begin_handshake(connection.socket());
    // The time it stood in line is not the client's.
    connection.protocol().release(reactor_->monotonic());
    reactor_->timers().arm(connection, connection.protocol().deadline());
}

void Worker::begin_waiting_handshakes() {
    const auto still_waits = [this](ConnectionRef ref) {
        const Connection* connection = connections_.at(ref);
        return connection != nullptr && !connection->is_ending();
    };
    while (const std::optional<ConnectionRef> ref = handshakes_.next(reactor_->monotonic(), still_waits)) {
        Connection& connection = *connections_.at(*ref);
        begin_handshake(connection);
        read(connection);
    }
}

Result<std::size_t> Worker::read_transport(Connection& connection) {
    Transport& transport = *connection.transport();
    const bool was_established = transport.tls() != nullptr && transport.tls()->is_established();
    const bool was_told = transport.client().has_value();
    const Result<std::size_t> got = connection.read(read_buffer_);
    if (!was_told && transport.client()) {
        limit_told_client(connection);
    }
    if (!was_established && transport.tls() != nullptr && transport.tls()->is_established()) {
        (transport.tls()->was_resumed() ? tally_.handshakes_resumed : tally_.handshakes_full).add();
    }
    if (!got && transport.failure() != TransportFailure::none) {
        count_transport_failure(transport.failure());
    }
    if (transport.unsent_bytes() > 0) {
        flush_later(connection);  // what it answers itself
    }
    return got;
}

// A load balancer speaks for many: its client is held to what that one's own address may do.
void Worker::limit_told_client(Connection& connection) {
    const net::Address& client = *connection.transport()->client();
    switch (context_.addresses.enter(client, reactor_->monotonic())) {
        case AddressGate::Verdict::unlimited:
            return;
        case AddressGate::Verdict::admitted:
            connection.client_limits = std::make_unique<ClientLimits>();
            connection.client_limits->stranger_of = client;
            return;
        case AddressGate::Verdict::too_fast:
        case AddressGate::Verdict::too_many:
            tally_.address_refusals.add();
            connection.end_later(Cause::throttled);
            return;
    }
}

void Worker::count_transport_failure(TransportFailure failure) {
    tally_.transport_failed[static_cast<std::size_t>(failure)].add();
}

void Worker::close_revoked() {
    post([this] {
        connections_.for_each([this](Connection& connection) {
            if (connection.transport() != nullptr && connection.transport()->is_revoked() && !connection.is_ending()) {
                tally_.revoked_closed.add();
                connection.end_later(Cause::auth_error);
            }
        });
    });
}

}  // namespace muster
