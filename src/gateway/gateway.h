#pragma once

#include <cstdint>
#include <memory>

#include "base/metrics.h"
#include "base/result.h"
#include "bus/bus.h"
#include "gateway/gateway_options.h"
#include "gateway/session_store.h"
#include "net/address.h"

namespace muster {

/// The gateway role: MQTT in, bus out. Owned by the program's start-up code, which keeps the bus, the store and the
/// metrics alive for longer. Any thread.
class Gateway final {
 public:
    /// Opens the bus topics, loads the retained messages, then listens. Every error is one that an administrator can
    /// act on: a bad name or address, an address in use or not loopback (G10: no TLS yet), a bus or store that says no.
    [[nodiscard]] static Result<std::unique_ptr<Gateway>> start(GatewayOptions options, Bus& bus,
                                                                SessionStore& sessions, MetricRegistry& metrics);
    /// Stops.
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    /// Accepts no more, answers what is durable, records every session's end (server_shutdown), waits for the bus,
    /// joins all threads. Twice is once.
    void stop();

    /// Where it listens, with the port that the kernel chose if it was asked to.
    [[nodiscard]] net::Address address() const;
    [[nodiscard]] std::size_t connections() const;

 private:
    struct State;
    explicit Gateway(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace muster
