#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "gateway/acceptor.h"
#include "gateway/connection_table.h"
#include "gateway/courier.h"
#include "gateway/drain.h"
#include "gateway/gateway_context.h"
#include "gateway/handshake_gate.h"
#include "gateway/mailbox.h"
#include "gateway/output_pool.h"
#include "gateway/rate_limits.h"
#include "gateway/session_journal.h"
#include "gateway/session_service.h"
#include "gateway/session_table.h"
#include "gateway/tally.h"
#include "gateway/uplink.h"
#include "net/reactor.h"
#include "net/timer_wheel.h"

namespace muster {

class Worker;

/// Calls one function of its worker when it is due. Owned by that worker, on its thread only.
class WorkerTimer final : public net::Timer {
 public:
    using Call = void (Worker::*)();
    WorkerTimer(Worker& worker, Call call) : worker_(worker), call_(call) {}

 private:
    void on_timer() override;

    Worker& worker_;
    const Call call_;
};

/// One reactor thread of a gateway: accepts, reads, writes and closes connections, and paces them by what the bus and
/// the other workers can take. Owned by the Gateway. What is said to be for any thread is; everything else belongs to
/// its own.
class Worker final {
 public:
    /// Takes its socket of each of the context's listeners.
    Worker(GatewayContext& context, std::size_t number, std::unique_ptr<net::Reactor> reactor, Mailbox& mailbox,
           Bus& bus, MetricRegistry& metrics);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Any thread: starts the thread, once all workers are made; ends everything with cause server_shutdown, waits for
    /// the bus; waits for the thread.
    void start();
    void begin_stop();
    void join();
    /// Any thread.
    void post(std::function<void()> task) { reactor_->post(std::move(task)); }
    /// Any thread: the mailbox is no longer empty.
    void wake_for_mail();
    /// Any thread: ends the connections whose certificate is revoked by now.
    void close_revoked();
    [[nodiscard]] const Tally& tally() const { return tally_; }

    [[nodiscard]] net::Reactor& reactor() { return *reactor_; }
    [[nodiscard]] std::size_t handshakes_waiting() const { return handshakes_.waiting(); }
    void count_transport_failure(TransportFailure failure);
    /// Serves it from now on.
    void take_in(std::unique_ptr<Connection> taken);
    [[nodiscard]] Uplink& uplink() { return uplink_; }
    [[nodiscard]] SessionTable& sessions() { return sessions_; }
    /// A session that the store has kept; before start(), or in the worker's thread.
    Session& restore(std::string_view key, Role role);
    /// Before start(): the store says that it is connected.
    void note_later(const Session& session) { restored_.push_back(sessions_.handle_of(session)); }
    /// Messages of its sessions get larger numbers than this one.
    void count_beyond(std::uint64_t message_number) { journal_.count_beyond(message_number); }
    /// Any thread: another gateway has claimed a session that may be here.
    void lose(LostSession lost) {
        post([this, lost = std::move(lost)] { on_lost(lost); });
    }
    /// Before the thread starts, or in it, when the session is whole: its client has been away for this long.
    void await_return(Session& session, Cause cause, Millis since) { service_.stay_away(session, cause, since); }

    // For its connections and sessions.
    [[nodiscard]] OutputPool& outputs() { return outputs_; }
    void on_io(Connection& connection, std::uint32_t events);
    void on_deadline(Connection& connection);
    void flush_later(Connection& connection);
    void close_later(Connection& connection) { ending_.push_back(connection.ref()); }
    /// Closes at once; the object lives until the end of the turn.
    void close(Connection& connection, Cause cause);
    /// Answers CONNECT with a refusal.
    void refuse(Connection& connection, mqtt::ReasonCode reason, std::string_view why = {});
    /// Sends its clients elsewhere, so many a second, and refuses new ones; or ends that.
    void drain(const DrainOrder& order);
    /// Reads no more from it until the reason is gone.
    void hold(Connection& connection, Connection::Hold reason);
    void count_protocol_error(const mqtt::ProtocolError& error);
    void count_tick() { tally_.ticks.add(); }

 private:
    struct StoreGate;

    void know(Connection& connection);
    void adopt(std::unique_ptr<Connection> connection);
    [[nodiscard]] bool watch(Connection& connection);
    void await_room(Connection& connection);
    [[nodiscard]] std::unique_ptr<Connection> take(Connection& connection);

    void read(Connection& connection);
    [[nodiscard]] bool may_read_transport(Connection& connection);
    void begin_handshake(Connection& connection);
    void begin_waiting_handshakes();
    [[nodiscard]] Result<std::size_t> read_transport(Connection& connection);
    void limit_told_client(Connection& connection);
    Connection* receive(Connection& connection, std::string_view bytes);
    Connection* admit(Connection& connection);
    void hand_over(Connection& connection, std::size_t worker);
    [[nodiscard]] bool is_refused(Connection& connection);
    void claim(Connection& connection);
    void on_claimed(ConnectionRef ref, Result<SessionClaim> claim);
    void on_lost(const LostSession& lost);
    void give_up_lost();
    void begin_session(Connection& connection, SessionEpoch epoch);

    void poll_deliveries();
    void collect_mail();
    void retry_held();
    [[nodiscard]] bool still_holds(Connection& connection);
    void read_rest();

    void store_sessions();
    void collect_stored();
    void wait_for_store();
    void note_restored();

    void end_turn();
    void close_ending();
    void flush_outputs();
    void flush_output(Connection& connection);
    [[nodiscard]] bool is_too_far_behind(const Connection& connection) const;
    void stop_in_thread();

    GatewayContext& context_;
    const std::size_t number_;
    MetricRegistry& metrics_;
    Tally tally_;
    std::unique_ptr<net::Reactor> reactor_;
    std::vector<std::unique_ptr<Acceptor>> acceptors_;
    WorkerTimer retry_timer_{*this, &Worker::retry_held};
    HandshakeGate handshakes_;
    WorkerTimer handshake_timer_{*this, &Worker::begin_waiting_handshakes};
    std::shared_ptr<StoreGate> store_gate_;
    Mailbox& mailbox_;
    Mailbox::Content mail_;  ///< reused
    Uplink uplink_;
    SessionTable sessions_;
    SessionJournal journal_;
    Courier courier_;
    SessionService service_;
    OutputPool outputs_;
    ConnectionTable connections_;
    std::vector<char> read_buffer_;
    // Each connection at most once in each.
    std::vector<ConnectionRef> ending_;
    std::vector<ConnectionRef> to_flush_;
    std::vector<ConnectionRef> unread_;  ///< their sockets gave more than one turn takes
    std::vector<ConnectionRef> held_;
    std::vector<SessionHandle> restored_;  ///< sessions of which the store still says that they are connected
    std::vector<LostSession> lost_;        ///< of this turn: given up behind what it stores
    std::vector<std::unique_ptr<Connection>> closed_;  ///< until the end of the turn
    std::atomic<bool> deliveries_ready_{false};
    Millis held_since_{0};
    ConnectRate connect_rate_;
    std::unique_ptr<Drain> drain_;  ///< while an administrator wants it
    std::thread thread_;
    bool stopping_ = false;
};

}  // namespace muster
