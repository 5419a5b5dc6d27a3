#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/transport_failure.h"

namespace muster {

/// A number that one thread changes and any thread reads: no locked instruction on the data path.
class Count final {
 public:
    void add(std::uint64_t by = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    }
    void set(std::uint64_t to) { value_.store(to, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
    std::atomic<std::uint64_t> value_{0};
};

/// Why a message did not reach where it was going.
enum class Drop : std::uint8_t {
    bus_full,      ///< QoS 0 while the bus is slow
    bus_failed,    ///< the bus could not keep it
    mailbox_full,  ///< QoS 0 to a client of another thread
    slow_reader,   ///< QoS 0 to a client that does not read
    queue_full,    ///< QoS 1 and 2 to a session whose queue is full
    offline,       ///< to a client that is away
    oversize,      ///< over the client's maximum packet size
    expired,
    not_subscribed,  ///< downlink to a device that does not listen to the topic
    forbidden,       ///< publish to a topic that is not the client's own
    retained_full,   ///< the table of retained messages is full
    malformed,       ///< a bus record without a valid header
    shares_full,     ///< to a shared subscription of another gateway: more match than a record can name
};
inline constexpr std::size_t drop_reasons = 13;
[[nodiscard]] std::string_view name_of(Drop reason);

inline constexpr std::size_t causes = 16;
inline constexpr std::size_t topic_classes = 5;

/// What one thread of a gateway counts. Written by that thread only.
struct Tally {
    Count accepts;
    Count accepts_refused;   ///< connections_max, or no file descriptor left
    Count address_refusals;  ///< connections of an address over its limits
    Count connects;
    Count connects_refused;
    Count connects_deferred;           ///< of these, told to come back because there were too many
    Count drained;                     ///< connections closed to send their clients elsewhere
    Count rate_holds;                  ///< publishes after which their client was read more slowly
    Count handed_over;                 ///< connections passed to the worker of their client id
    std::array<Count, causes> closed;  ///< connections of a session, by Cause
    Count closed_unknown;              ///< connections that ended without a session
    std::array<std::array<Count, topic_classes>, 3> publishes;  ///< by QoS and TopicClass
    std::array<Count, topic_classes> relayed;                   ///< publishes put on the bus for other gateways
    Count shares_left;   ///< messages of shared subscriptions that were another gateway's to deliver
    Count shares_taken;  ///< messages of shared subscriptions that came from another gateway
    std::array<Count, drop_reasons> drops;
    Count subscriptions_refused;
    Count connect_timeouts;
    Count sessions_expired;
    Count sessions_taken_over;   ///< from other gateways
    Count sessions_handed_over;  ///< to them
    Count wills_cancelled;       ///< delayed, and the client came back in time
    Count handshakes;            ///< TLS handshakes begun
    Count handshakes_resumed;    ///< ended, with a ticket of an earlier one
    Count handshakes_full;       ///< ended, with certificates
    Count handshakes_deferred;   ///< had to wait in line
    Count revoked_closed;        ///< live connections whose certificate was revoked
    std::array<Count, transport_failures> transport_failed;
    Count delivered;  ///< messages sent or queued to clients
    Count bytes_in;
    Count bytes_out;
    Count reads;
    Count writes;
    Count held_ms;  ///< time in which some connection was not read, for back-pressure
    Count acknowledged;
    Count ticks;
    Count turns;
    Count session_changes;         ///< of kept sessions, to be stored
    Count session_store_failures;  ///< batches of them that could not be

    // Gauges.
    Count sessions;
    Count handshakes_waiting;
    Count bus_queue_bytes;
    Count control_records;
    Count session_store_bytes;
    Count output_bytes;

    void drop(Drop reason, std::uint64_t by = 1) { drops[static_cast<std::size_t>(reason)].add(by); }
};

}  // namespace muster
