#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "latency.h"
#include "load_connection.h"
#include "net/address.h"
#include "net/reactor.h"

namespace muster {

/// What every mode needs.
struct LoadOptions {
    std::string broker = "127.0.0.1:1883";
    std::uint32_t connections = 1000;
    std::string id_prefix = "load-";
    LoadGreeting greeting{.keep_alive_s = 300};
    double connect_rate = 2000;  ///< a second
    double duration_s = 20;
    double patience_s = 120;  ///< for all to be connected
    std::uint8_t qos = 0;
    double rate = 20'000;  ///< messages a second, all connections together; 0: as many as the broker takes
    std::size_t payload_bytes = 512;
    std::string topic = "telemetry/{id}";
    double ack_resolution_ms = 1;         ///< how often acknowledgements are looked for
    std::string watch_user = "operator";  ///< of the client that subscribes to the wills
    std::string watch_password;
};

/// Many LoadConnections on one reactor and one thread: opens them, opens those again that were lost, counts.
class LoadFleet final : LoadListener {
 public:
    using Time = std::chrono::steady_clock::time_point;

    /// invalid_argument: the broker's address; io: no event loop.
    [[nodiscard]] static Result<std::unique_ptr<LoadFleet>> create(const LoadOptions& options);

    /// Opens every closed connection, at most `per_second` a second, and turns until all are connected. False when the
    /// patience ended before.
    [[nodiscard]] bool connect_all(double per_second);
    /// Breaks every connection with a reset, at one instant.
    void abort_all();
    void disconnect_all();
    /// Handles events until `until`, looking for them every ack_resolution_ms.
    void turn(Time until);
    /// Handles the events that are there, or waits for the first one.
    void turn_once(Millis wait) { reactor_->run_once(wait); }
    /// Sends the PINGREQs that are due at `now`: each connection twice in a keep-alive interval.
    void ping_due(Time now);

    [[nodiscard]] LoadConnection& connection(std::size_t i) { return connections_[i]; }
    [[nodiscard]] std::size_t size() const { return connections_.size(); }
    [[nodiscard]] std::uint32_t connected() const { return connected_; }
    [[nodiscard]] std::uint64_t lost() const { return lost_; }
    [[nodiscard]] std::uint64_t failed_opens() const { return failed_opens_; }
    [[nodiscard]] const LatencyHistogram& acknowledgements() const { return acknowledgements_; }
    /// From open() to CONNACK, of the connections of the last connect_all().
    [[nodiscard]] const LatencyHistogram& connects() const { return connects_; }

 private:
    LoadFleet(const LoadOptions& options, net::Address broker, std::unique_ptr<net::Reactor> reactor);
    void on_connected(LoadConnection& connection) override;
    void on_acknowledged(Time sent) override;
    void on_lost(LoadConnection& connection, bool was_connected) override;
    void open_one(std::uint32_t number);

    const LoadOptions options_;
    const net::Address broker_;
    const std::unique_ptr<net::Reactor> reactor_;
    std::deque<LoadConnection> connections_;
    std::deque<std::uint32_t> to_open_;
    LatencyHistogram acknowledgements_;
    LatencyHistogram connects_;
    std::uint32_t connected_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t failed_opens_ = 0;
    Time pinged_until_;
    std::size_t next_ping_ = 0;
};

}  // namespace muster
