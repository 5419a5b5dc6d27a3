#include "gateway/worker.h"

#include <future>

#include <fmt/format.h>

#include "base/thread.h"
#include "bus/bus.h"
#include "gateway/listener.h"
#include "gateway/session_loader.h"

namespace muster {
namespace {

constexpr Millis held_look_again{1000};
constexpr std::size_t notes_per_turn = 1000;

}  // namespace

/// Lets answers of the session store in until the worker has gone, whichever thread they come from.
struct Worker::StoreGate {
    std::mutex mutex;
    Worker* worker = nullptr;  ///< under mutex
    std::thread::id thread;
    std::vector<bool> stored{};  ///< batches of the journal in their order: durable? under mutex
};

Worker::Worker(GatewayContext& context, std::size_t number, std::unique_ptr<net::Reactor> reactor, Mailbox& mailbox,
               Bus& bus, MetricRegistry& metrics)
    : context_(context),
      number_(number),
      metrics_(metrics),
      reactor_(std::move(reactor)),
      handshakes_(context.options.limits.handshakes_per_second, context.options.limits.handshakes_per_turn,
                  reactor_->monotonic()),
      store_gate_(std::make_shared<StoreGate>()),
      mailbox_(mailbox),
      uplink_(bus.producer({.name = fmt::format("{}/{}", context.options.name, number),
                            .queue_bytes_max = context.options.limits.bus_queue_bytes_max,
                            .on_deliveries_ready =
                                [this] {
                                    if (!deliveries_ready_.exchange(true)) {
                                        reactor_->post([this] { poll_deliveries(); });
                                    }
                                }}),
              context.options.limits, tally_),
      sessions_(number, context.options.limits.session),
      journal_(context, number, sessions_, *reactor_, tally_),
      courier_(context.subscriptions, context.mailboxes, context.options.limits, tally_),
      service_(context, *this, sessions_, uplink_, courier_, journal_, *reactor_, tally_),
      read_buffer_(context.options.limits.read_bytes),
      connect_rate_(context.options.limits.connects_per_s_max / static_cast<double>(context.options.threads),
                    reactor_->monotonic()) {
    for (std::size_t i = 0; i < context.listeners.size(); ++i) {
        Listener& listener = *context.listeners[i];
        acceptors_.push_back(std::make_unique<Acceptor>(*this, context, tally_, i, listener.take_socket(number)));
    }
    courier_.serve(number, sessions_, journal_);
    reactor_->at_turn_end([this] { end_turn(); });
}

Worker::~Worker() {
    const std::lock_guard lock(store_gate_->mutex);
    store_gate_->worker = nullptr;
}

void Worker::start() {
    thread_ = start_thread(fmt::format("mqtt-{}", number_), [this] {
        {
            const std::lock_guard lock(store_gate_->mutex);
            store_gate_->worker = this;
            store_gate_->thread = std::this_thread::get_id();
        }
        for (const auto& acceptor : acceptors_) {
            acceptor->start();
        }
        if (!restored_.empty()) {
            post([this] { note_restored(); });
        }
        reactor_->run(context_.options.pace);
    });
}

void Worker::begin_stop() {
    post([this] { stop_in_thread(); });
}

void Worker::join() {
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Worker::wake_for_mail() {
    post([this] { collect_mail(); });
}

// ---- accepting

void Worker::take_in(std::unique_ptr<Connection> taken) {
    Connection& connection = connections_.add(std::move(taken), *this);
    const ConnectionRef ref = connection.ref();
    reactor_->timers().arm(connection, connection.protocol().deadline());
    if (connection.transport() == nullptr) {
        // Often CONNECT is already there. Who then passes to another worker, or is refused, is never watched here.
        // Not so where a handshake comes first: its turn is for those who have begun it.
        connection.has_unread = true;
        read(connection);
    }
    Connection* still_here = connections_.at(ref);
    if (still_here != nullptr && !still_here->is_ending()) {
        (void)watch(*still_here);
    }
}

// It has said who it is, or has gone.
void Worker::know(Connection& connection) {
    if (connection.client_limits && connection.client_limits->stranger_of) {
        context_.addresses.leave(*connection.client_limits->stranger_of);
        connection.client_limits.reset();
    }
}

std::unique_ptr<Connection> Worker::take(Connection& connection) {
    reactor_->timers().disarm(connection);
    return connections_.take(connection);
}

// ---- reading

void Worker::on_io(Connection& connection, std::uint32_t events) {
    if (connection.is_closed()) {
        return;  // closed earlier in this turn
    }
    if ((events & net::io_writable) != 0 && connection.unsent_bytes() > 0) {
        flush_later(connection);
    }
    const bool may_go_on = connection.transport() != nullptr && connection.transport()->wants_to_write();
    if ((events & ~net::io_writable) != 0 || may_go_on) {
        connection.has_unread = true;
        connection.peer_ended = connection.peer_ended || (events & ~(net::io_writable | net::io_readable)) != 0;
        read(connection);
    }
}

void Worker::read(Connection& connection) {
    for (std::size_t i = 0; i < context_.options.limits.reads_per_turn; ++i) {
        if (connection.is_closed() || connection.is_ending() || connection.protocol().is_held() || stopping_) {
            return;
        }
        // Who comes and who has gone is still seen.
        const bool may_bring_more = connection.session != nullptr && !connection.peer_ended;
        if (may_bring_more && uplink_.pressure() == Uplink::Pressure::stop) {
            hold(connection, Connection::hold_bus);
            return;
        }
        if (connection.transport() != nullptr && !may_read_transport(connection)) {
            return;
        }
        const Result<std::size_t> got =
            connection.transport() != nullptr ? read_transport(connection) : connection.read(read_buffer_);
        tally_.reads.add();
        if (!got) {
            connection.has_unread = false;
            if (got.error().code != ErrorCode::would_block) {
                connection.end_later(Cause::connection_lost);
            }
            return;
        }
        tally_.bytes_in.add(*got);
        // A short read has emptied a plain socket; but the peer's end comes after the last byte.
        connection.has_unread =
            *got == read_buffer_.size() || connection.peer_ended || connection.transport() != nullptr;
        Connection* still_here = receive(connection, std::string_view(read_buffer_.data(), *got));
        if (still_here == nullptr || !connection.has_unread) {
            return;
        }
    }
    if (unread_.empty()) {
        post([this] { read_rest(); });
    }
    unread_.push_back(connection.ref());
}

void Worker::read_rest() {
    std::vector<ConnectionRef> unread;
    unread.swap(unread_);
    for (const ConnectionRef ref : unread) {
        if (Connection* connection = connections_.at(ref)) {
            read(*connection);
        }
    }
}

// Null when the connection now belongs to another worker.
Connection* Worker::receive(Connection& connection, std::string_view bytes) {
    PacketEvents events(service_, connection);
    connection.protocol().receive(bytes, reactor_->monotonic(), events);
    return connection.admission && !connection.is_ending() ? admit(connection) : &connection;
}

Connection* Worker::admit(Connection& connection) {
    const std::size_t worker = context_.worker_for(connection.admission->key);
    if (worker != number_) {
        hand_over(connection, worker);
        return nullptr;
    }
    claim(connection);
    return &connection;
}

void Worker::hand_over(Connection& connection, std::size_t worker) {
    tally_.handed_over.add();
    // Shared only because a task must be copyable; if the other worker has stopped, it closes the connection unread.
    if (connection.is_watched) {
        reactor_->remove(connection.socket().fd());
        connection.is_watched = false;
    }
    auto parcel = std::make_shared<std::unique_ptr<Connection>>(take(connection));
    Worker& other = *context_.workers[worker];
    other.post([&other, parcel] { other.adopt(std::move(*parcel)); });
}

void Worker::adopt(std::unique_ptr<Connection> parcel) {
    Connection& connection = connections_.add(std::move(parcel), *this);
    connection.needs_flush = false;
    reactor_->timers().arm(connection, connection.protocol().deadline());
    if (watch(connection)) {
        claim(connection);
    }
}

// ---- sessions

bool Worker::is_refused(Connection& connection) {
    if (drain_) {
        tally_.connects_refused.add();
        connection.send_away(Cause::auth_error, drain_->reason(), drain_->server());
        return true;
    }
    if (stopping_ || uplink_.is_short_of_room()) {
        refuse(connection, mqtt::ReasonCode::server_busy);
        return true;
    }
    const Millis now = reactor_->monotonic();
    if (connect_rate_.admit(now)) {
        return false;
    }
    tally_.connects_deferred.add();
    refuse(connection, mqtt::ReasonCode::server_busy,
           fmt::format("come back in {} s", connect_rate_.come_back_in(now).count()));
    return true;
}

void Worker::claim(Connection& connection) {
    know(connection);
    if (connection.transport() != nullptr && connection.transport()->is_revoked()) {
        tally_.revoked_closed.add();  // on its way between two workers, both of which had looked
        refuse(connection, mqtt::ReasonCode::not_authorized);
        return;
    }
    if (is_refused(connection)) {
        return;
    }
    const Admission& admission = *connection.admission;
    if (admission.role != Role::device && !admission.assigned_client_id.empty()) {
        begin_session(connection, 0);  // nobody else has this name
        return;
    }
    const ConnectionRef ref = connection.ref();
    context_.sessions.claim(
        admission.key, context_.options.name, [gate = store_gate_, ref](Result<SessionClaim> claim) {
            if (std::this_thread::get_id() == gate->thread) {
                gate->worker->on_claimed(ref, std::move(claim));
                return;
            }
            const std::lock_guard lock(gate->mutex);
            if (Worker* worker = gate->worker) {
                worker->post(
                    [worker, ref, claim = std::move(claim)]() mutable { worker->on_claimed(ref, std::move(claim)); });
            }
        });
}

void Worker::on_claimed(ConnectionRef ref, Result<SessionClaim> claim) {
    if (claim && claim->taken) {
        // Also when its client has gone meanwhile: it is here now.
        tally_.sessions_taken_over.add();
        SessionLoader(context_, {reactor_->now(), reactor_->monotonic()}, metrics_)
            .take_over(std::move(*claim->taken), claim->epoch);
    }
    Connection* connection = connections_.at(ref);
    if (connection == nullptr || connection->is_ending()) {
        return;
    }
    if (claim) {
        begin_session(*connection, claim->epoch);
    } else {
        refuse(*connection, mqtt::ReasonCode::server_unavailable);
    }
}

void Worker::on_lost(const LostSession& lost) {
    if (!stopping_) {
        service_.hand_over(lost.session, lost.epoch);
        lost_.push_back(lost);
    }
}

void Worker::give_up_lost() {
    for (const LostSession& lost : lost_) {
        context_.sessions.give_up(context_.options.name, lost);
    }
    lost_.clear();
}

void Worker::begin_session(Connection& connection, SessionEpoch epoch) {
    service_.begin(connection, epoch);
    if (connection.is_ending()) {
        return;
    }
    reactor_->timers().arm(connection, connection.protocol().deadline());
    const GatewayLimits& limits = context_.options.limits;
    if (ClientRate::is_limited(limits) && connection.session->role != Role::fleet_operator) {
        connection.client_limits = std::make_unique<ClientLimits>();
        connection.client_limits->rate.emplace(limits, reactor_->monotonic());
    }
    if (uplink_.pressure() == Uplink::Pressure::stop) {
        hold(connection, Connection::hold_bus);
        return;
    }
    receive(connection, {});  // what came right behind CONNECT
    if (connection.has_unread) {
        read(connection);
    }
}

void Worker::refuse(Connection& connection, mqtt::ReasonCode reason, std::string_view why) {
    tally_.connects_refused.add();
    connection.end_later(Cause::auth_error, reason, why);
}

void Worker::on_deadline(Connection& connection) {
    const Millis now = reactor_->monotonic();
    const Millis deadline = connection.protocol().deadline();
    const bool is_in_line = connection.transport() != nullptr && connection.transport()->is_in_line;
    if (connection.holds != 0 || is_in_line) {
        // It is we who do not read: no verdict on the client.
        reactor_->timers().arm(connection, now + held_look_again);
    } else if (deadline > now) {
        reactor_->timers().arm(connection, deadline);  // lazily: packets only move the deadline on
    } else {
        if (connection.session == nullptr) {
            tally_.connect_timeouts.add();
        }
        connection.end_later(Cause::keepalive_timeout);
    }
}

void Worker::close(Connection& connection, Cause cause) {
    if (connection.is_closed()) {
        return;
    }
    know(connection);
    connection.end_later(cause);
    (void)connection.flush();
    std::unique_ptr<Connection> owned = take(connection);  // close_socket() ends the watch
    context_.connections.fetch_sub(1, std::memory_order_relaxed);
    context_.listeners[connection.listener_number]->connections.fetch_sub(1, std::memory_order_relaxed);
    closed_.push_back(std::move(owned));
    // The end is on its way to the bus before the client can see it.
    if (Session* session = std::exchange(connection.session, nullptr)) {
        service_.end(*session, connection.ending_cause());
    } else {
        tally_.closed_unknown.add();
    }
    connection.close_socket();
}

void Worker::count_protocol_error(const mqtt::ProtocolError& error) {
    metrics_
        .counter("muster_gateway_protocol_errors_total",
                 "Connections ended because the client broke the protocol or a limit",
                 {{"reason", std::string(mqtt::name_of(error.code))}})
        .Increment();
}

// ---- draining

void Worker::drain(const DrainOrder& order) {
    drain_.reset();
    if (!order.undo && !stopping_) {
        const double share = static_cast<double>(order.rate_per_s) / static_cast<double>(context_.workers.size());
        drain_ = std::make_unique<Drain>(*reactor_, connections_, tally_, order, share);
    }
}

// ---- bus and other workers

void Worker::poll_deliveries() {
    deliveries_ready_.store(false);
    uplink_.poll([this](const Delivery& delivery) { service_.on_delivery(delivery); });
    retry_held();
}

void Worker::collect_mail() {
    mailbox_.take(mail_);
    for (const Mailbox::Routed& routed : mail_.routed) {
        courier_.deliver(routed, reactor_->monotonic());
    }
    for (const Mailbox::Order& order : mail_.orders) {
        service_.obey(order);
    }
    for (const Delivery& delivery : mail_.settled) {
        service_.on_delivery(delivery);
    }
    if (!mail_.settled.empty()) {
        retry_held();
    }
    mail_.clear();
}

// ---- kept sessions

void Worker::store_sessions() {
    journal_.flush([this](std::vector<SessionChange>&& changes) {
        context_.sessions.store(context_.options.name, std::move(changes),
                                [gate = store_gate_](const Result<void>& stored) {
                                    const std::lock_guard lock(gate->mutex);
                                    gate->stored.push_back(stored.has_value());
                                    Worker* worker = gate->worker;
                                    if (worker != nullptr && gate->stored.size() == 1) {
                                        worker->post([worker] { worker->collect_stored(); });
                                    }
                                });
    });
}

void Worker::collect_stored() {
    std::vector<bool> stored;
    {
        const std::lock_guard lock(store_gate_->mutex);
        stored.swap(store_gate_->stored);
    }
    for (const bool durable : stored) {
        journal_.on_stored(durable, [this](const Delivery& delivery) { service_.on_delivery(delivery); });
    }
    if (!stored.empty()) {
        retry_held();
    }
}

Session& Worker::restore(std::string_view key, Role role) {
    Session& session = sessions_.create(key, role);
    session.is_stored = true;
    tally_.sessions.set(sessions_.size());
    return session;
}

// They are away since the start: a part a turn, so that the store is not flooded.
void Worker::note_restored() {
    for (std::size_t i = 0; i < notes_per_turn && !restored_.empty() && !stopping_; ++i) {
        if (Session* session = sessions_.at(restored_.back())) {
            journal_.note(*session);
        }
        restored_.pop_back();
    }
    if (restored_.empty()) {
        restored_.shrink_to_fit();
    } else if (!stopping_) {
        post([this] { note_restored(); });
    }
}

// For everything handed to the store so far.
void Worker::wait_for_store() {
    auto reached = std::make_shared<std::promise<void>>();
    std::future<void> end = reached->get_future();
    context_.sessions.store(context_.options.name, {}, [reached](const Result<void>&) { reached->set_value(); });
    if (end.wait_for(context_.options.stop_timeout) != std::future_status::ready) {
        spdlog::error("gateway: the session store does not answer: what kept sessions were last told may be lost");
    }
    collect_stored();
}

// ---- the end

void Worker::stop_in_thread() {
    stopping_ = true;
    drain_.reset();
    for (const auto& acceptor : acceptors_) {
        acceptor->stop();
    }
    // Answers what is durable, so that a client knows what it need not send again.
    (void)uplink_.drain(context_.options.stop_timeout);
    poll_deliveries();
    end_turn();
    wait_for_store();
    end_turn();
    connections_.for_each([this](Connection& connection) { close(connection, Cause::server_shutdown); });
    ending_.clear();
    end_turn();
    if (const auto drained = uplink_.drain(context_.options.stop_timeout); !drained) {
        spdlog::error("gateway: records of sessions that ended may be lost: {}", drained.error().message());
    }
    wait_for_store();
    reactor_->stop();
}

}  // namespace muster
