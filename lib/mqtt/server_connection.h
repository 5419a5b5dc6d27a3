#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "mqtt/decode.h"
#include "mqtt/packet_stream.h"
#include "mqtt/packets.h"

namespace muster::mqtt {

/// Limits of server connections, shared by all of them; outlives them.
struct ServerLimits {
    std::size_t packet_bytes_max = 256UL * 1024;  ///< of one incoming packet
    Millis connect_timeout{10'000};               ///< from accept to a complete CONNECT
    std::uint8_t qos_max = 2;           ///< of incoming PUBLISH and wills; announce it in CONNACK (v5 Maximum QoS)
    std::uint16_t topic_alias_max = 0;  ///< incoming aliases a connection; announce it in CONNACK
    std::size_t topic_alias_bytes_max = 16UL * 1024;  ///< of the topics behind them
};

/// What a client did. Called from within ServerConnection::receive; packets are views that die when the call returns.
/// An implementation may call any method of the connection but must not destroy it.
class ServerListener {
 public:
    virtual ~ServerListener() = default;
    /// A valid CONNECT. Nothing more is read until accept() is called, here or later; or refuse it with end().
    virtual void on_connect(const Connect& connect) = 0;
    /// The topic is complete: an alias has been resolved already. QoS 1 and 2 want their answer sent.
    virtual void on_publish(const Publish& publish) = 0;
    virtual void on_ack(const Ack& ack) = 0;
    virtual void on_subscribe(const Subscribe& subscribe) = 0;
    virtual void on_unsubscribe(const Unsubscribe& unsubscribe) = 0;
    /// PINGREQ: answer with PINGRESP.
    virtual void on_ping() = 0;
    /// v5, only when CONNECT named an authentication method.
    virtual void on_auth(const Auth& auth) = 0;
    /// The client says good-bye: no will, unless the reason is disconnect_with_will. The connection is closed now.
    virtual void on_disconnect(const Disconnect& disconnect) = 0;
    /// The client broke the protocol or a limit. The connection is closed now; say why with end(), then drop the
    /// socket.
    virtual void on_error(const ProtocolError& error) = 0;
};

/// The protocol of one network connection, server side, without the network: bytes and time in, events out. Checks the
/// order of packets (first CONNECT, and only one), keep-alive, aliases and limits. Holds no buffer but the part of a
/// packet that has not arrived whole. 48 bytes when idle. Lives on its reactor's thread.
class ServerConnection final {
 public:
    enum class State : std::uint8_t {
        awaiting_connect,
        awaiting_accept,  ///< CONNECT seen, the listener has not answered it yet
        connected,
        closed,  ///< nothing more is read
    };

    ServerConnection(const ServerLimits& limits, Millis now);
    ~ServerConnection();
    ServerConnection(const ServerConnection&) = delete;
    ServerConnection& operator=(const ServerConnection&) = delete;

    /// Feeds what the socket gave; `bytes` may be reused when it returns. Whole packets are handled in place, without a
    /// copy. After release() or accept() outside of an event, call it once with no bytes to go on with what was kept
    /// back.
    void receive(std::string_view bytes, Millis now, ServerListener& listener);

    /// Answers CONNECT with success and appends the CONNACK to `out`. A Server Keep Alive among its properties replaces
    /// the client's.
    void accept(const Connack& connack, Millis now, std::string& out);
    /// Closes with a reason and appends what the protocol says to `out`: CONNACK before accept(), DISCONNECT after it
    /// in v5, nothing in 3.1.1. Also after on_error, but only once. Properties for which the client's Maximum Packet
    /// Size has no room are left out.
    void end(ReasonCode reason, std::string& out, Properties properties = {});
    /// Makes `properties` those of a SUBACK, UNSUBACK or other answer that needs `why` said; nothing when the client
    /// wants no problem information (v5 Request Problem Information), or has none to understand (3.1.1).
    void explain(std::string_view why, std::string& properties) const;
    /// Closes without a word: the socket has gone.
    void close();

    /// Back-pressure: after the current packet nothing more is handled until release(). Stop reading the socket too:
    /// bytes fed meanwhile are kept, up to packet_bytes_max, then the connection ends with quota_exceeded.
    void hold();
    /// Keep-alive starts anew.
    void release(Millis now);

    /// When to close for silence: connect_timeout after the start, then 1.5 x keep-alive after the last packet.
    /// Millis::max() when there is no limit. It only moves forward, so a timer may look again when it fires (lazy
    /// re-arming).
    [[nodiscard]] Millis deadline() const;

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] bool is_held() const { return held_ || state_ == State::awaiting_accept; }
    [[nodiscard]] ProtocolVersion version() const { return version_; }
    [[nodiscard]] std::uint16_t keep_alive_s() const { return keep_alive_s_; }
    /// Whether the client takes a packet of this size (v5 Maximum Packet Size, known from on_connect on).
    [[nodiscard]] bool may_send(std::size_t packet_bytes) const {
        return client_packet_bytes_max_ == 0 || packet_bytes <= client_packet_bytes_max_;
    }
    /// Bytes of incomplete or held packets.
    [[nodiscard]] std::size_t pending_bytes() const { return stream_.pending_bytes(); }

 private:
    [[nodiscard]] bool handle(const PacketView& packet, ServerListener& listener);
    [[nodiscard]] Decoded<void> dispatch(const PacketView& packet, ServerListener& listener);
    [[nodiscard]] Decoded<void> handle_connect(const PacketView& packet, ServerListener& listener);
    [[nodiscard]] Decoded<void> handle_publish(const PacketView& packet, ServerListener& listener);
    [[nodiscard]] Decoded<void> handle_disconnect(const PacketView& packet, ServerListener& listener);
    [[nodiscard]] Decoded<void> resolve_alias(Publish& publish);
    [[nodiscard]] Decoded<void> set_alias(std::size_t alias, std::string_view topic);
    void say_end(ReasonCode reason, const Properties& properties, std::string& out) const;
    void fail(const ProtocolError& error, ServerListener& listener);

    const ServerLimits& limits_;
    Millis last_packet_;
    PacketStream stream_;
    std::unique_ptr<std::vector<std::string>> aliases_;  ///< index alias - 1; made by the first alias
    std::uint16_t keep_alive_s_ = 0;
    ProtocolVersion version_ = ProtocolVersion::v3_1_1;
    State state_ = State::awaiting_connect;
    std::uint32_t client_packet_bytes_max_ = 0;  ///< 0 = no limit
    bool held_ = false;
    bool said_connect_ = false;  ///< it is MQTT: worth an answer
    bool answered_ = false;      ///< CONNACK with success was sent
    bool ended_ = false;         ///< end() has spoken
    bool names_auth_method_ = false;
    bool session_expiry_is_zero_ = false;
    bool wants_problem_information_ = true;
};

}  // namespace muster::mqtt
