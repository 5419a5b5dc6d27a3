#pragma once

#include <cstddef>
#include <string>

#include "contract/drain_order.h"
#include "gateway/connection_table.h"
#include "gateway/tally.h"
#include "mqtt/reason_code.h"
#include "net/reactor.h"

namespace muster {

/// Closes one worker's connections at a steady rate, and knows what clients are told, until it is destroyed: no wills,
/// cause server_shutdown; 5.0 clients learn where to go. One thread; holds nothing a connection.
class Drain final : public net::Timer {
 public:
    /// `per_s`: this worker's share of the order's rate.
    Drain(net::Reactor& reactor, ConnectionTable& connections, Tally& tally, DrainOrder order, double per_s);

    [[nodiscard]] mqtt::ReasonCode reason() const;
    /// For 5.0 clients; may be empty.
    [[nodiscard]] const std::string& server() const { return order_.server_reference; }

 private:
    void on_timer() override;
    void arm();

    net::Reactor& reactor_;
    ConnectionTable& connections_;
    Tally& tally_;
    const DrainOrder order_;
    const double per_s_;
    double due_ = 0;        ///< to be closed now
    std::size_t slot_ = 0;  ///< of the table, from which on to look
};

}  // namespace muster
