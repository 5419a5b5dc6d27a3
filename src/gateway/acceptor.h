#pragma once

#include <cstddef>
#include <cstdint>

#include "base/log.h"
#include "gateway/gateway_context.h"
#include "gateway/tally.h"
#include "net/reactor.h"
#include "net/tcp_listener.h"
#include "net/timer_wheel.h"

namespace muster {

class Listener;
class Worker;

/// Takes one worker's share of one listener's connections in: some each turn, and none while there is no descriptor
/// left or too many wait for their TLS handshake. Owned by its worker, its thread only.
class Acceptor final : public net::IoHandler, public net::Timer {
 public:
    /// `number`: the listener's, in the context.
    Acceptor(Worker& worker, GatewayContext& context, Tally& tally, std::size_t number, net::TcpListener socket);

    void start();
    void stop();

 private:
    void on_io(std::uint32_t events) override;
    void on_timer() override;
    void accept_all();
    [[nodiscard]] bool must_wait() const;
    void wait_a_while();
    void accept_one(net::TcpSocket socket, const net::Address& peer);

    Worker& worker_;
    GatewayContext& context_;
    Tally& tally_;
    Listener& listener_;
    const std::uint8_t number_;
    net::TcpListener socket_;
    LogLimit log_;
    bool stopped_ = false;
};

}  // namespace muster
