#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

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
    /// act on: a bad name or address, an address in use, one beyond loopback without TLS (G10), files that cannot be
    /// read, a bus or store that says no.
    [[nodiscard]] static Result<std::unique_ptr<Gateway>> start(GatewayOptions options, Bus& bus,
                                                                SessionStore& sessions, MetricRegistry& metrics);
    /// Stops.
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    /// Accepts no more, answers what is durable, records every session's end (server_shutdown), waits for the bus,
    /// joins all threads. Twice is once.
    void stop();

    /// Where it listens for plain MQTT, with the port that the kernel chose if it was asked to; where its first
    /// listener does when it does not.
    [[nodiscard]] net::Address address() const;
    /// Where all its listeners are: "mqtts://127.0.0.1:8883".
    [[nodiscard]] std::vector<std::string> urls() const;
    /// Reads certificates, keys and revocation lists again, in the background; also happens by itself when they change.
    void reload_tls();
    [[nodiscard]] std::size_t connections() const;
    /// An administrator has asked it to send its clients elsewhere.
    [[nodiscard]] bool is_draining() const;

 private:
    struct State;
    explicit Gateway(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace muster
