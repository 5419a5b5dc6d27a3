#include "gateway/worker.h"

#include <fmt/format.h>

#include "base/thread.h"
#include "bus/bus.h"

namespace muster {
namespace {

constexpr Millis accept_retry{100};
constexpr Millis held_retry{10};
constexpr Millis held_look_again{1000};
constexpr int writes_per_turn = 16;

}  // namespace

/// Tells the worker that connections wait; waits itself when there is no descriptor left.
class Worker::Acceptor final : public net::IoHandler, public net::Timer {
 public:
    Acceptor(Worker& worker, net::TcpListener new_listener) : listener(std::move(new_listener)), worker_(worker) {}
    net::TcpListener listener;

 private:
    void on_io(std::uint32_t) override { worker_.accept_all(); }
    void on_timer() override { worker_.accept_all(); }
    Worker& worker_;
};

class Worker::RetryTimer final : public net::Timer {
 public:
    explicit RetryTimer(Worker& worker) : worker_(worker) {}

 private:
    void on_timer() override { worker_.retry_held(); }
    Worker& worker_;
};

/// Lets answers of the session store in until the worker has gone, whichever thread they come from.
struct Worker::ClaimGate {
    std::mutex mutex;
    Worker* worker = nullptr;  ///< under mutex
    std::thread::id thread;
};

Worker::Worker(GatewayContext& context, std::size_t number, std::unique_ptr<net::Reactor> reactor,
               net::TcpListener listener, Mailbox& mailbox, Bus& bus, MetricRegistry& metrics)
    : context_(context),
      number_(number),
      metrics_(metrics),
      reactor_(std::move(reactor)),
      acceptor_(std::make_unique<Acceptor>(*this, std::move(listener))),
      retry_timer_(std::make_unique<RetryTimer>(*this)),
      claim_gate_(std::make_shared<ClaimGate>()),
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
      courier_(context.subscriptions, context.mailboxes, context.options.limits, tally_),
      service_(context, *this, sessions_, uplink_, courier_, *reactor_, tally_),
      read_buffer_(context.options.limits.read_bytes) {
    courier_.serve(number, sessions_);
    reactor_->at_turn_end([this] { end_turn(); });
}

Worker::~Worker() {
    const std::lock_guard lock(claim_gate_->mutex);
    claim_gate_->worker = nullptr;
}

void Worker::start() {
    thread_ = start_thread(fmt::format("mqtt-{}", number_), [this] {
        {
            const std::lock_guard lock(claim_gate_->mutex);
            claim_gate_->worker = this;
            claim_gate_->thread = std::this_thread::get_id();
        }
        if (const auto watched = reactor_->add(acceptor_->listener.fd(), *acceptor_, net::io_readable); !watched) {
            spdlog::error("gateway: {}", watched.error().message());
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

void Worker::accept_all() {
    if (stopping_) {
        return;
    }
    for (std::size_t i = 0; i < context_.options.limits.accepts_per_turn; ++i) {
        net::Address peer;
        Result<net::TcpSocket> socket = acceptor_->listener.accept(peer);
        if (socket) {
            accept_one(std::move(*socket));
            continue;
        }
        if (socket.error().code == ErrorCode::would_block) {
            return;
        }
        tally_.accepts_refused.add();
        std::uint64_t swallowed = 0;
        if (socket.error().code != ErrorCode::closed && accept_log_.allow(reactor_->monotonic(), swallowed)) {
            spdlog::warn("gateway: {} ({} more since the last time)", socket.error().message(), swallowed);
        }
        if (socket.error().code == ErrorCode::io) {
            reactor_->timers().arm(*acceptor_, reactor_->monotonic() + accept_retry);
            return;
        }
    }
    post([this] { accept_all(); });  // the rest in the next turn: those who are served are served in between
}

void Worker::accept_one(net::TcpSocket socket) {
    if (context_.connections.load(std::memory_order_relaxed) >= context_.options.limits.connections_max) {
        tally_.accepts_refused.add();
        return;
    }
    tally_.accepts.add();
    context_.connections.fetch_add(1, std::memory_order_relaxed);
    Connection& connection = connections_.add(
        std::make_unique<Connection>(std::move(socket), context_.options.limits.connection, reactor_->monotonic()),
        *this);
    (void)watch(connection);
}

bool Worker::watch(Connection& connection) {
    if (!reactor_->add(connection.socket().fd(), connection,
                       net::io_readable | net::io_writable | net::io_peer_ended)) {
        connection.end_later(Cause::connection_lost);
        return false;
    }
    reactor_->timers().arm(connection, connection.protocol().deadline());
    return true;
}

std::unique_ptr<Connection> Worker::unwatch(Connection& connection) {
    reactor_->remove(connection.socket().fd());
    reactor_->timers().disarm(connection);
    std::unique_ptr<Connection> owned = connections_.take(connection);
    return owned;
}

// ---- reading

void Worker::on_io(Connection& connection, std::uint32_t events) {
    if (connection.is_closed()) {
        return;  // closed earlier in this turn
    }
    if ((events & net::io_writable) != 0 && connection.unsent_bytes() > 0) {
        flush_later(connection);
    }
    if ((events & ~net::io_writable) != 0) {
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
        const Result<std::size_t> got = connection.read(read_buffer_);
        tally_.reads.add();
        if (!got) {
            connection.has_unread = false;
            if (got.error().code != ErrorCode::would_block) {
                connection.end_later(Cause::connection_lost);
            }
            return;
        }
        tally_.bytes_in.add(*got);
        // A short read has emptied the socket; but the peer's end comes after the last byte.
        connection.has_unread = *got == read_buffer_.size() || connection.peer_ended;
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
    auto parcel = std::make_shared<std::unique_ptr<Connection>>(unwatch(connection));
    Worker& other = *context_.workers[worker];
    other.post([&other, parcel] { other.adopt(std::move(*parcel)); });
}

void Worker::adopt(std::unique_ptr<Connection> parcel) {
    Connection& connection = connections_.add(std::move(parcel), *this);
    connection.needs_flush = false;
    if (!watch(connection)) {
        return;
    }
    claim(connection);
}

// ---- sessions

void Worker::claim(Connection& connection) {
    if (stopping_ || uplink_.is_short_of_room()) {
        refuse(connection, mqtt::ReasonCode::server_busy);
        return;
    }
    if (connection.admission->role != Role::device) {
        begin_session(connection, 0);
        return;
    }
    const ConnectionRef ref = connection.ref();
    context_.sessions.claim(connection.admission->key, context_.options.name,
                            [gate = claim_gate_, ref](const Result<SessionEpoch>& epoch) {
                                if (std::this_thread::get_id() == gate->thread) {
                                    gate->worker->on_claimed(ref, epoch);
                                    return;
                                }
                                const std::lock_guard lock(gate->mutex);
                                if (Worker* worker = gate->worker) {
                                    worker->post([worker, ref, epoch] { worker->on_claimed(ref, epoch); });
                                }
                            });
}

void Worker::on_claimed(ConnectionRef ref, const Result<SessionEpoch>& epoch) {
    Connection* connection = connections_.at(ref);
    if (connection == nullptr || connection->is_ending()) {
        return;
    }
    if (epoch) {
        begin_session(*connection, *epoch);
    } else {
        refuse(*connection, mqtt::ReasonCode::server_unavailable);
    }
}

void Worker::begin_session(Connection& connection, SessionEpoch epoch) {
    service_.begin(connection, epoch);
    if (connection.is_ending()) {
        return;
    }
    reactor_->timers().arm(connection, connection.protocol().deadline());
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
    if (connection.holds != 0) {
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
    connection.end_later(cause);
    (void)connection.flush();
    std::unique_ptr<Connection> owned = unwatch(connection);
    context_.connections.fetch_sub(1, std::memory_order_relaxed);
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

// ---- back-pressure

void Worker::hold(Connection& connection, Connection::Hold reason) {
    if (connection.holds == 0) {
        connection.protocol().hold();
        if (held_.empty()) {
            held_since_ = reactor_->monotonic();
            reactor_->timers().arm(*retry_timer_, held_since_ + held_retry);
        }
        held_.push_back(connection.ref());
    }
    connection.holds |= reason;
}

bool Worker::still_holds(const Connection& connection) {
    const AckQueue* answers = connection.session != nullptr ? connection.session->answers.get() : nullptr;
    if ((connection.holds & Connection::hold_bus) != 0 && uplink_.pressure() != Uplink::Pressure::none) {
        return true;
    }
    if ((connection.holds & Connection::hold_answers) != 0 && answers != nullptr &&
        answers->size() > context_.options.limits.unanswered_publishes_max / 2) {
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
        reactor_->timers().arm(*retry_timer_, now + held_retry);
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
    mail_.clear();
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
    do {
        close_ending();
        courier_.hand_over([this](std::size_t worker) { context_.workers[worker]->wake_for_mail(); });
        uplink_.flush();
        flush_outputs();
    } while (!ending_.empty());
    closed_.clear();
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
        if (connection.unsent_bytes() > context_.options.limits.output_bytes_ceiling) {
            connection.end_later(Cause::throttled);
        }
        if (connection.unsent_bytes() > 0) {
            return;  // told when there is room
        }
    }
    if (connection.backlog) {
        post([this, ref = connection.ref()] {
            if (Connection* waiting = connections_.at(ref)) {
                flush_later(*waiting);
            }
        });
    }
}

// ---- the end

void Worker::stop_in_thread() {
    stopping_ = true;
    reactor_->remove(acceptor_->listener.fd());
    reactor_->timers().disarm(*acceptor_);
    // Answers what is durable, so that a client knows what it need not send again.
    (void)uplink_.drain(context_.options.stop_timeout);
    poll_deliveries();
    end_turn();
    connections_.for_each([this](Connection& connection) { close(connection, Cause::server_shutdown); });
    ending_.clear();
    end_turn();
    if (const auto drained = uplink_.drain(context_.options.stop_timeout); !drained) {
        spdlog::error("gateway: records of sessions that ended may be lost: {}", drained.error().message());
    }
    reactor_->stop();
}

}  // namespace muster
