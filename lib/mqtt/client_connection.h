#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "mqtt/packet_stream.h"
#include "mqtt/packets.h"

namespace muster::mqtt {

/// Limits of client connections, shared by all of them; outlives them.
struct ClientLimits {
    std::size_t packet_bytes_max = 256 * 1024;  ///< of one incoming packet
    std::uint16_t in_flight_max = 32;           ///< unacknowledged QoS 1 messages
    Millis connack_timeout{10'000};
    Millis ping_timeout{10'000};  ///< from PINGREQ to its answer
};

/// What the server did. Called from within ClientConnection::receive; packets are views that die when the call returns.
/// An implementation may call any method of the connection but must not destroy it.
class ClientListener {
 public:
    virtual ~ClientListener() = default;
    /// With an error reason the connection is closed now.
    virtual void on_connack(const Connack& connack) = 0;
    /// Its PUBACK (QoS 1) is appended to the output when this returns.

    virtual void on_publish(const Publish& publish) = 0;
    /// The server answered a QoS 1 publish() of ours.
    virtual void on_ack(const Ack& ack) = 0;
    virtual void on_suback(const Suback& suback) = 0;
    virtual void on_unsuback(const Unsuback& unsuback) = 0;
    /// v5: the server ends the connection, which is closed now.
    virtual void on_disconnect(const Disconnect& disconnect) = 0;
    /// The server broke the protocol, or is silent (keep_alive_timeout). The connection is closed now: drop the socket.
    virtual void on_error(const ProtocolError& error) = 0;
};

/// The client side of one connection after the other, without the network: bytes and time in, events and bytes out. QoS
/// 1 messages that are not acknowledged are kept and sent again with DUP when the next connection resumes the session.
/// QoS 0 and 1 in both directions. 64 bytes when idle. One thread.
class ClientConnection final {
 public:
    enum class State : std::uint8_t { closed, awaiting_connack, connected };

    explicit ClientConnection(const ClientLimits& limits);
    ~ClientConnection();
    ClientConnection(const ClientConnection&) = delete;
    ClientConnection& operator=(const ClientConnection&) = delete;

    /// A new network connection is up: appends CONNECT to `out`. With clean_start unacknowledged messages are
    /// forgotten.
    void connect(const Connect& connect, Millis now, std::string& out);
    /// Feeds what the socket gave. Answers (PUBACK, redelivery after CONNACK) are appended to `out`.
    void receive(std::string_view bytes, Millis now, std::string& out, ClientListener& listener);
    /// Call at or after deadline(): appends a PINGREQ when one is due, or reports the server's silence.
    void advance(Millis now, std::string& out, ClientListener& listener);
    /// When advance() is due next; Millis::max() when there is nothing to wait for.
    [[nodiscard]] Millis deadline() const;

    /// Appends a PUBLISH; packet_id and duplicate are set here. Gives the packet id, 0 for QoS 0. queue_full:
    /// in_flight_max unacknowledged (or the server's Receive Maximum); closed: not connected; unsupported: QoS 2;
    /// too_large: over the server's Maximum Packet Size.
    [[nodiscard]] Result<std::uint16_t> publish(const Publish& publish, Millis now, std::string& out);
    /// Gives the packet id that the SUBACK will carry. closed: not connected.
    [[nodiscard]] Result<std::uint16_t> subscribe(std::span<const SubscribeEntry> entries, Millis now, std::string& out,
                                                  Properties properties = {});
    [[nodiscard]] Result<std::uint16_t> unsubscribe(std::span<const UnsubscribeEntry> entries, Millis now,
                                                    std::string& out, Properties properties = {});
    /// Says good-bye: the socket is to be closed once `out` is written. The server discards the will (unless the v5
    /// reason is disconnect_with_will).
    void disconnect(std::string& out, ReasonCode reason = ReasonCode::success);
    /// The socket has gone. Unacknowledged messages stay for the next connect().
    void close();

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] ProtocolVersion version() const { return version_; }
    [[nodiscard]] std::size_t in_flight() const;

 private:
    struct InFlight;

    [[nodiscard]] bool handle(const PacketView& packet, std::string& out, ClientListener& listener);
    [[nodiscard]] Decoded<void> dispatch(const PacketView& packet, std::string& out, ClientListener& listener);
    [[nodiscard]] Decoded<void> handle_connack(const PacketView& packet, std::string& out, ClientListener& listener);
    [[nodiscard]] Decoded<void> handle_publish(const PacketView& packet, std::string& out, ClientListener& listener);
    [[nodiscard]] Decoded<void> handle_ack(const PacketView& packet, std::string& out, ClientListener& listener);
    [[nodiscard]] std::uint16_t take_packet_id();
    void send_waiting(std::string& out);
    void fail(const ProtocolError& error, ClientListener& listener);

    const ClientLimits& limits_;
    PacketStream stream_;
    std::unique_ptr<InFlight> in_flight_;
    Millis last_sent_{0};
    Millis waiting_since_{-1};  ///< CONNECT or PINGREQ without its answer; negative = none
    std::uint32_t server_packet_bytes_max_ = 0;
    std::uint16_t window_ = 0;
    std::uint16_t keep_alive_s_ = 0;
    std::uint16_t last_packet_id_ = 0;
    ProtocolVersion version_ = ProtocolVersion::v3_1_1;
    State state_ = State::closed;
};

}  // namespace muster::mqtt
