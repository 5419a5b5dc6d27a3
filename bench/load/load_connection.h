#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mqtt/packet_stream.h"
#include "net/address.h"
#include "net/reactor.h"
#include "net/tcp_socket.h"

namespace muster {

class LoadConnection;

/// Hears what happens to connections; must not destroy them.
class LoadListener {
 public:
    virtual ~LoadListener() = default;
    virtual void on_connected(LoadConnection& connection) = 0;
    /// PUBACK of the message sent at `sent`.
    virtual void on_acknowledged(std::chrono::steady_clock::time_point sent) = 0;
    /// Refused or ended by the broker; the socket is closed.
    virtual void on_lost(LoadConnection& connection, bool was_connected) = 0;
};

/// What a connection says in its CONNECT besides its client id: all of a fleet say the same.
struct LoadGreeting {
    std::uint16_t keep_alive_s = 0;
    bool has_will = false;  ///< on status/{id}, `OFFLINE`, QoS 0: as a device's
};

/// One MQTT 3.1.1 connection that does as little as it can: clean session, no subscription. Lives in its LoadFleet; one
/// thread.
class LoadConnection final : net::IoHandler {
 public:
    /// Unacknowledged QoS 1 messages, and the bound of what a slow broker is owed.
    static constexpr std::uint16_t in_flight_max = 64;

    enum class Sent : std::uint8_t { yes, withheld };

    LoadConnection(std::uint32_t number, std::string client_id, net::Reactor& reactor, LoadListener& listener);
    ~LoadConnection() override;

    /// False: no socket could be had; try again later.
    [[nodiscard]] bool open(const net::Address& broker, const std::optional<net::Address>& source,
                            const LoadGreeting& greeting);
    /// Breaks the connection with a reset, as a lost network would.
    void abort();
    void disconnect();
    void ping();
    /// Queues a message for flush(). withheld: not connected, the broker does not read, or it owes in_flight_max
    /// acknowledgements.
    Sent publish(std::string_view topic, std::string_view payload, std::uint8_t qos);
    /// Writes what publish() queued, in one go. `is_full` afterwards while the broker does not read.
    void flush();
    [[nodiscard]] bool is_full() const { return is_full_; }

    [[nodiscard]] bool is_open() const { return socket_.is_open(); }
    [[nodiscard]] bool is_connected() const { return connected_; }
    [[nodiscard]] std::uint16_t in_flight() const { return in_flight_; }
    [[nodiscard]] const std::string& client_id() const { return client_id_; }
    [[nodiscard]] std::uint32_t number() const { return number_; }
    /// When open() was called last.
    [[nodiscard]] std::chrono::steady_clock::time_point opened() const { return opened_; }

 private:
    void on_io(std::uint32_t events) override;
    void begin_session();
    /// False once the connection has ended.
    [[nodiscard]] bool read_all(bool to_the_end);
    [[nodiscard]] bool handle(const mqtt::PacketView& packet);
    [[nodiscard]] bool write(std::string_view bytes);
    void close();

    net::Reactor& reactor_;
    LoadListener& listener_;
    const std::string client_id_;
    net::TcpSocket socket_;
    mqtt::PacketStream stream_;
    std::string unsent_;
    std::array<std::chrono::steady_clock::time_point, in_flight_max> sent_at_{};  ///< by packet id modulo
    std::chrono::steady_clock::time_point opened_;
    const std::uint32_t number_;
    LoadGreeting greeting_;
    std::uint16_t next_packet_id_ = 1;
    std::uint16_t in_flight_ = 0;
    bool begun_ = false;
    bool connected_ = false;
    bool is_full_ = false;  ///< the kernel took less than was to be written
};

}  // namespace muster
