#pragma once

#include <cstddef>
#include <string>

#include "base/time.h"
#include "canary/canary_ledger.h"
#include "mqtt/client_connection.h"
#include "net/address.h"
#include "net/reactor.h"
#include "net/tcp_socket.h"

namespace muster {

/// How a canary ends a session, again and again.
enum class CanaryKind : std::uint8_t {
    will,      ///< its socket breaks, and it had left a will
    broken,    ///< its socket breaks, and it had not
    graceful,  ///< it says goodbye
    frozen,    ///< it had published, and falls silent on an open connection
    stalled,   ///< it had published nothing, and answers for its keep-alive no longer
};
inline constexpr std::size_t canary_kinds = 5;

/// What canaries share: owned by Canaries, used on its thread.
struct CanarySurroundings {
    net::Reactor& reactor;
    CanaryLedger& ledger;
    net::Address broker;
    std::string password;
    Millis alive_for;
    mqtt::ClientLimits limits{};
};

/// One device inside Muster on a real connection to its own gateway: lives for a while, dies in its way, waits until
/// that was detected or missed, and comes back. Bounded: at most `unsent_bytes_max` wait to be written.
class Canary final : net::IoHandler, mqtt::ClientListener {
 public:
    Canary(CanaryLedger::Number number, CanaryKind kind, CanarySurroundings& around);
    ~Canary() override;

    /// Does what is due. Called a few times a second.
    void turn();
    [[nodiscard]] const std::string& id() const { return id_; }
    [[nodiscard]] bool is_alive() const { return phase_ == Phase::alive; }

 private:
    enum class Phase : std::uint8_t { away, connecting, alive, dead };

    void on_io(std::uint32_t events) override;
    void on_connack(const mqtt::Connack& connack) override;
    void on_publish(const mqtt::Publish&) override {}
    void on_ack(const mqtt::Ack&) override {}
    void on_suback(const mqtt::Suback&) override {}
    void on_unsuback(const mqtt::Unsuback&) override {}
    void on_disconnect(const mqtt::Disconnect&) override { lost_ = true; }
    void on_error(const mqtt::ProtocolError&) override { lost_ = true; }

    void connect();
    void say_connect();
    void live();
    void speak();
    void die();
    void read_all();
    void flush();
    /// The end of every event: the connection may have ended without our doing.
    void settle();
    void go_away(Millis back_after);
    [[nodiscard]] CanaryLedger::Death death() const;
    [[nodiscard]] std::uint16_t keep_alive_s() const;
    [[nodiscard]] Millis now() const { return around_.reactor.monotonic(); }

    const CanaryLedger::Number number_;
    const CanaryKind kind_;
    const std::string id_;
    CanarySurroundings& around_;
    mqtt::ClientConnection mqtt_;
    net::TcpSocket socket_;
    std::string out_;
    Phase phase_ = Phase::away;
    Millis next_at_{0};  ///< away: when to connect; connecting: when to give up; alive: when to die
    Millis speak_at_{0};
    Millis last_said_{0};
    bool tcp_connected_ = false;
    bool introduced_ = false;
    bool lost_ = false;
};

}  // namespace muster
