#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "gateway/listener_options.h"
#include "mqtt/server_connection.h"
#include "mqtt/server_session.h"
#include "net/address.h"

namespace muster {

/// Every bound of a gateway in one place; each has a metric. "A worker" is one reactor thread.
struct GatewayLimits {
    std::size_t connections_max = 1'000'000;
    std::size_t sessions_kept_max =
        1'000'000;  ///< of clients that are away; over it a session ends with its connection
    std::uint32_t session_expiry_s_max = 7 * 24 * 3600;  ///< for a client that is away; as long as AWS IoT keeps one
    std::uint16_t keep_alive_s_max = 1200;  ///< v5 Server Keep Alive; AWS IoT's; 0 = the client's own, whatever it is
    std::size_t output_bytes_ceiling = 1024 * 1024;    ///< a connection: over it a slow reader is closed (throttled)
    std::size_t outputs_bytes_max = 256UL << 20U;      ///< a worker: over it who is far behind is closed the same way
    std::size_t unanswered_publishes_max = 512;        ///< a connection: QoS 1 and 2 taken and not yet durable
    std::size_t bus_queue_bytes_max = 32U << 20U;      ///< a worker: on the way to the bus
    std::size_t control_records_max = 200'000;         ///< a worker: presence records that wait for room on the bus
    std::size_t mailbox_messages_max = 100'000;        ///< a worker: routed to it by other threads
    std::size_t mailbox_bytes_max = 32U << 20U;        ///< the same, in bytes
    std::size_t session_store_bytes_max = 32U << 20U;  ///< a worker: changes of kept sessions not yet durable
    std::size_t retained_topics_max = 2'000'000;
    std::size_t retained_bytes_max = 512U << 20U;
    std::size_t subscriptions_max = 16'000'000;
    std::size_t routes_gateways_max = 1'000;            ///< others whose subscribers are known; more are overlooked
    std::size_t routes_groups_max = 1'000'000;          ///< shared subscriptions of others, each by gateway
    std::size_t routes_groups_announced_max = 100'000;  ///< own ones told to others; more are shared here alone
    std::size_t accepts_per_turn = 256;                 ///< a listener
    std::size_t handshakes_per_second = 500;            ///< a worker: TLS handshakes begun; 0.6 ms each on a slow core
    std::size_t handshakes_per_turn = 4;                ///< a worker: between two looks at those who are already on
    std::size_t handshakes_waiting_max = 20'000;        ///< a worker: over it TLS clients wait to be accepted
    std::size_t read_bytes = 64 * 1024;  ///< one read; the buffer is shared by all connections of a worker
    std::size_t reads_per_turn = 4;      ///< a connection; more waits for the next turn
    // Rates; 0 = no limit. Over them a client is read more slowly, a CONNECT refused, a connection closed unread.
    double client_messages_per_s = 0;
    double client_bytes_per_s = 0;
    double connects_per_s_max = 0;  ///< of the gateway; who is refused is told when to come back
    // One network address (a /64 of IPv6), before its clients have said who they are. High, because a carrier's NAT
    // stands before thousands of devices.
    double address_connects_per_s = 1000;      ///< new connections; ten seconds of it at once
    std::size_t address_strangers_max = 2000;  ///< connections without a complete CONNECT
    std::size_t addresses_max = 65'536;        ///< that are remembered
    bool limits_loopback = false;              ///< these limits also hold for this machine's own addresses
    mqtt::ServerLimits connection{.topic_alias_max = 16};
    /// Its output_bytes_max also bounds what goes past the session's queue: over it QoS 0 to a slow reader is dropped.
    mqtt::SessionLimits session{.stores_kept = true};
};

inline constexpr int address_burst_s = 10;

/// What a gateway is told at its start.
struct GatewayOptions {
    std::string name = "gw-1";  ///< 1 to 64 bytes; no two gateways of one bus may share it
    std::optional<net::Address> listen = *net::Address::parse("127.0.0.1:1883");  ///< for plain MQTT, on loopback
    std::vector<ListenerOptions> listeners{};                                     ///< the others, at most 31
    Millis tls_look_interval{1'000};  ///< how often certificate, key and revocation files are looked at for changes
    std::size_t threads = 2;
    bool relay_messages = false;            ///< there are other gateways, whose subscribers get what is published here
    Millis routes_look_interval{100};       ///< what changed meanwhile is told to them in one announcement
    Millis routes_refresh_interval{5'000};  ///< the next one, when nothing changes
    Millis routes_silent_max{15'000};       ///< without one another gateway has gone
    Millis routes_farewell{200};  ///< stop() still delivers what others send until they have read that it stops
    Millis ping_record_interval{
        10'000};  ///< a device that says nothing else is recorded as alive this often, at PINGREQ
    Millis tick_interval{1'000};
    Millis pace{1};              ///< what arrives within it is handled in one go
    Millis stop_timeout{5'000};  ///< how long stop() waits for the bus
    /// Whether these credentials are an operator's. Any thread; must not block. Empty: nobody is an operator.
    std::function<bool(std::string_view user, std::string_view password)> is_operator{};
    /// Whether these credentials are those of Muster's own canary with this id. Any thread; must not block. Empty:
    /// nobody may connect under canary_id_prefix.
    std::function<bool(std::string_view user, std::string_view password)> is_canary{};
    GatewayLimits limits{};
};

}  // namespace muster
