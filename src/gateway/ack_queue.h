#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/function_ref.h"
#include "mqtt/server_session.h"

namespace muster {

/// The publishes of one connection that wait to be durable, in the order in which they came: their answers go out in
/// that order [MQTT-4.6.0-2], [MQTT-4.6.0-3]. 8 bytes a publish. Bounded by GatewayLimits::unanswered_publishes_max:
/// its connection is held at it.
class AckQueue final {
 public:
    struct Entry {
        mqtt::IncomingTicket ticket;
        std::uint8_t records = 0;  ///< on the bus or in the session store, that are not yet durable
    };

    void add(const mqtt::IncomingTicket& ticket, std::uint8_t records) { entries_.push_back({ticket, records}); }
    /// One record of this publish is durable. `answer` is called for every publish that can be answered now.
    void settle(std::uint16_t packet_id, std::uint8_t qos, FunctionRef<void(const mqtt::IncomingTicket&)> answer);
    /// Their connection has gone: nobody waits for a PUBACK.
    void forget_qos1();
    [[nodiscard]] std::size_t size() const { return entries_.size() - first_; }

 private:
    std::vector<Entry> entries_;
    std::size_t first_ = 0;
};

}  // namespace muster
