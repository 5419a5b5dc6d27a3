#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "contract/presence.h"
#include "gateway/admission.h"
#include "gateway/rate_limits.h"
#include "gateway/transport.h"
#include "mqtt/message.h"
#include "mqtt/server_connection.h"
#include "net/reactor.h"
#include "net/tcp_socket.h"
#include "net/timer_wheel.h"

namespace muster {

struct Session;
class Worker;

/// Names a connection of one worker for as long as it lives: slot and generation.
struct ConnectionRef {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
};

/// What a connection has not yet written. Lent by its worker's OutputPool while there is anything.
struct Output {
    std::string bytes;
    std::size_t sent = 0;     ///< of these the kernel has so many
    std::size_t counted = 0;  ///< of its memory, in OutputPool::bytes()

    [[nodiscard]] std::size_t unsent() const { return bytes.size() - sent; }
};

/// Retained messages that a new subscription is still to get; they follow as fast as the client reads.
struct RetainedBacklog {
    struct Part {
        std::vector<mqtt::MessagePtr> messages;
        mqtt::SubscriptionOptions options;
        std::uint32_t subscription_identifier = 0;
    };
    std::vector<Part> parts;
    std::size_t next_part = 0;
    std::size_t next_message = 0;
};

/// One network connection: socket, protocol state, what is not yet written, one timer. Owned by the ConnectionTable of
/// the worker that serves it and touched by that worker's thread only; until CONNECT has told the client id it may pass
/// to another worker, as a whole. This is the only place that touches the socket; on connections that are not plain the
/// Transport stands between the two.
class Connection final : public net::IoHandler, public net::Timer {
 public:
    /// Why it is not read: bits.
    enum Hold : std::uint8_t {
        hold_bus = 1,      ///< the bus is slow
        hold_answers = 2,  ///< too many publishes not yet durable
        hold_mailbox = 4,  ///< a subscriber's worker is behind
        hold_rate = 8,     ///< it publishes faster than it may
    };

    /// `transport`: null for plain TCP. `listener`: the number of the one where it came in.
    Connection(net::TcpSocket socket, std::unique_ptr<Transport> transport, std::uint8_t listener,
               const mqtt::ServerLimits& limits, Millis now)
        : listener_number(listener),
          socket_(std::move(socket)),
          protocol_(limits, now),
          transport_(std::move(transport)) {}

    /// Where the protocol's answers go; marks the connection to be flushed at the end of the turn.
    [[nodiscard]] std::string& output();
    [[nodiscard]] std::size_t unsent_bytes() const {
        return (output_ ? output_->unsent() : 0) + (transport_ ? transport_->unsent_bytes() : 0);
    }
    /// Writes what it can. Returns how many bytes; closed: the peer has gone.
    [[nodiscard]] Result<std::size_t> flush();
    /// How many bytes of MQTT; 0, on a connection that is not plain: ask again.
    [[nodiscard]] Result<std::size_t> read(std::span<char> into) {
        return transport_ ? transport_->read(socket_, into) : socket_.read(into);
    }
    void close_socket();

    /// To be closed at the end of the turn, for this cause; the first one counts. Nothing more is handled. The client
    /// is told `reason` as far as its protocol can.
    void end_later(Cause cause);
    void end_later(Cause cause, mqtt::ReasonCode reason, std::string_view why = {});
    /// The same, and v5 clients are told another server (Server Reference, "host:port"): `reason` is use_another_server
    /// for now, or server_moved for good. Before CONNACK it refuses them.
    void send_away(Cause cause, mqtt::ReasonCode reason, std::string_view server);
    [[nodiscard]] bool is_ending() const { return ending_cause_ != Cause::none; }
    [[nodiscard]] Cause ending_cause() const { return ending_cause_; }

    [[nodiscard]] mqtt::ServerConnection& protocol() { return protocol_; }
    [[nodiscard]] const net::TcpSocket& socket() const { return socket_; }
    /// Null for plain TCP.
    [[nodiscard]] Transport* transport() const { return transport_.get(); }
    /// What the transport knows of who the client is; a view of it.
    [[nodiscard]] Certified certified() const;
    /// The client's, also behind a load balancer that tells it.
    [[nodiscard]] net::Address peer_address() const;

    // For the worker that serves it.
    void serve_by(Worker& worker, ConnectionRef ref) {
        worker_ = &worker;
        ref_ = ref;
    }
    [[nodiscard]] ConnectionRef ref() const { return ref_; }
    [[nodiscard]] bool is_closed() const { return !socket_.is_open(); }

    Session* session = nullptr;
    std::unique_ptr<Admission> admission;  ///< from CONNECT until the session begins
    std::unique_ptr<RetainedBacklog> backlog;
    std::unique_ptr<ClientLimits> client_limits;  ///< null while none holds it
    std::uint8_t holds = 0;                       ///< Hold bits
    bool has_unread : 1 = false;                  ///< the socket may have more than was read
    bool peer_ended : 1 = false;                  ///< the socket will give an end
    bool needs_flush : 1 = false;
    bool is_watched : 1 = false;   ///< by its worker's reactor
    bool awaits_room : 1 = false;  ///< its reactor also tells when the socket takes bytes
    const std::uint8_t listener_number;

 private:
    void on_io(std::uint32_t events) override;
    void on_timer() override;
    void end_later(Cause cause, mqtt::ReasonCode reason, const mqtt::Properties& properties);
    void give_back_output();

    // Beside the bits above, so that all are 8 bytes.
    Cause ending_cause_ = Cause::none;
    net::TcpSocket socket_;
    mqtt::ServerConnection protocol_;
    std::unique_ptr<Output> output_;        ///< null when everything is written
    std::unique_ptr<Transport> transport_;  ///< null for plain TCP
    Worker* worker_ = nullptr;
    ConnectionRef ref_;
};

}  // namespace muster
