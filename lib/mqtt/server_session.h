#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "base/time.h"
#include "mqtt/message.h"
#include "mqtt/message_queue.h"
#include "mqtt/packets.h"

namespace muster::mqtt {

/// Limits of sessions, shared by all of them; outlives them.
struct SessionLimits {
    std::uint16_t in_flight_max = 32;                ///< unacknowledged QoS 1 and 2 messages towards the client
    std::size_t in_flight_bytes_max = 512UL * 1024;  ///< the same, in bytes: at or over it the next one waits
    std::uint16_t receive_maximum = 64;      ///< the same from the client; announce it in CONNACK (v5 Receive Maximum)
    std::size_t queued_messages_max = 1000;  ///< waiting for the window or for the client to come back
    std::size_t queued_bytes_max = 1024UL * 1024;  ///< the same, in bytes
    std::size_t output_bytes_max = 256UL * 1024;   ///< unwritten output: at or over it QoS 1 and 2 messages wait
    std::size_t subscriptions_max = 256;
    std::size_t qos_2_ids_max = 4096;    ///< QoS 2 exchanges that a 3.1.1 client may leave open
    std::uint16_t topic_alias_max = 16;  ///< outgoing aliases a connection, of topics up to alias_topic_bytes_max
    std::size_t alias_topic_bytes_max = 256;
    /// Sessions that are kept are also stored: what happens to them is handed out to be stored, and goes to the client
    /// only when confirm() says that it is.
    bool stores_kept = false;
};

/// What a connection brings along when it takes up a session.
struct AttachOptions {
    ProtocolVersion version = ProtocolVersion::v3_1_1;
    std::uint16_t receive_maximum = 65'535;  ///< the client's (v5)
    std::uint32_t packet_bytes_max = 0;      ///< the client's Maximum Packet Size (v5); 0 = none
    std::uint16_t topic_alias_max = 0;       ///< the client's (v5)
    std::uint32_t session_expiry_s = 0;      ///< 0 = ends with the connection; session_never_expires

    /// From a CONNECT: 3.1.1 clean session 0 never expires, 1 expires at once.
    [[nodiscard]] static AttachOptions of(const Connect& connect);
};

inline constexpr std::uint32_t session_never_expires = 0xFFFF'FFFF;

/// How a message is to reach one session.
struct DeliverOptions {
    std::uint8_t qos = 0;            ///< the lesser of the message's and the subscription's
    bool retain = false;             ///< flag on the wire: retained message at subscribe, or retain as published
    std::string subscription_ids{};  ///< v5: those of the matching subscriptions, as encoded properties
    std::uint32_t share = 0;         ///< the caller's name for the shared subscription that it belongs to; 0 = none
};

/// Appends one to DeliverOptions::subscription_ids; 0 is none.
void add_subscription_id(std::uint32_t id, std::string& subscription_ids);

enum class Delivery : std::uint8_t {
    sent,             ///< appended to the output
    queued,           ///< window or output full, or client away; sent later
    dropped_full,     ///< the queue is at its bound: the older messages stay
    dropped_offline,  ///< QoS 0 and the client is away
    dropped_size,     ///< over the client's Maximum Packet Size
    dropped_expired,
};

/// What to do with an incoming QoS 1 or 2 PUBLISH.
enum class Incoming : std::uint8_t {
    fresh,              ///< hand it on, then finish_incoming() once it is safe
    repeated,           ///< QoS 2, seen before and not yet safe: ignore it, its PUBREC comes with finish_incoming()
    repeated_answered,  ///< QoS 2, seen before and safe: PUBREC has been appended again
    over_maximum,       ///< v5: over receive_maximum, 3.1.1: over qos_2_ids_max; end with receive_maximum_exceeded
};

/// What an acknowledgement of the client did.
struct Acknowledged {
    bool completed = false;    ///< a message is done
    bool released = false;     ///< QoS 2 of a stored session: PUBREL follows when confirm() says that this is stored
    std::uint64_t number = 0;  ///< of the message, if it is stored

    explicit operator bool() const { return completed; }
};

/// Names one incoming QoS 1 or 2 PUBLISH until it is safe (on the bus, durably). The attachment keeps the answer from
/// going to a later connection, whose client may use the same packet id for something else.
struct IncomingTicket {
    std::uint16_t packet_id = 0;
    std::uint16_t attachment = 0;
    std::uint8_t qos = 0;
};

/// The state of a client's session that outlives a connection: subscriptions, messages in flight both ways, messages
/// waiting. Everything is allocated on first use: an idle session without subscriptions is 64 bytes. Lives on its
/// reactor's thread; outputs are appended to the caller's buffer and only while attached.
class ServerSession final {
 public:
    explicit ServerSession(const SessionLimits& limits);
    ~ServerSession();
    ServerSession(const ServerSession&) = delete;
    ServerSession& operator=(const ServerSession&) = delete;

    // Connection. attach() comes after CONNACK has been appended to `out`: it sends again what was in flight (DUP, same
    // packet ids, same order), then what was waiting as far as the window goes.
    void attach(const AttachOptions& options, Millis now, std::string& out);
    void detach();
    [[nodiscard]] bool is_attached() const { return attached_; }
    [[nodiscard]] std::uint32_t session_expiry_s() const { return session_expiry_s_; }
    /// v5 DISCONNECT may change it.
    void set_session_expiry_s(std::uint32_t seconds) { session_expiry_s_ = seconds; }
    /// The session is to be kept when its connection ends.
    [[nodiscard]] bool is_kept() const { return session_expiry_s_ != 0; }
    /// Nothing to keep: no subscription, nothing in flight or waiting.
    [[nodiscard]] bool is_empty() const;

    // Subscriptions.
    enum class Subscribed : std::uint8_t { added, replaced, full };
    struct Subscription {
        std::string_view filter;
        SubscriptionOptions options;
        std::uint32_t subscription_identifier = 0;
    };
    Subscribed subscribe(const Subscription& subscription);
    bool unsubscribe(std::string_view filter);
    /// `visit` must not change the session.
    void for_each_subscription(FunctionRef<void(const Subscription&)> visit) const;
    [[nodiscard]] std::size_t subscriptions() const;

    // Messages to the client.
    Delivery deliver(OutgoingMessage& message, const DeliverOptions& options, Millis now, std::string& out);
    /// PUBACK, PUBREC or PUBCOMP from the client: frees the window and sends what waits for it. An id that is not in
    /// flight is ignored (but a PUBREC is answered, as the specification asks).
    Acknowledged acknowledge(const Ack& ack, Millis now, std::string& out);
    /// A message waits for nothing but room in the output.
    [[nodiscard]] bool waits_for_room() const;
    /// There is room in the output: sends what waits for it.
    void send_waiting(Millis now, std::string& out);
    /// Messages that were accepted for the queue and dropped later (expired, or too large for the client that came
    /// back), since this was last asked.
    [[nodiscard]] std::uint32_t take_dropped() { return std::exchange(dropped_, 0); }
    /// The client is away: takes out the messages of shared subscriptions that another client may get instead, in their
    /// order. Left are QoS 2 messages whose delivery has begun [MQTT-4.8.2-4], and those for which `may_go` says no.
    void take_shared(FunctionRef<bool(std::uint32_t share)> may_go,
                     FunctionRef<void(const MessagePtr& message, std::uint32_t share)> take);
    [[nodiscard]] std::size_t in_flight() const;
    [[nodiscard]] std::size_t queued() const;
    [[nodiscard]] std::size_t queued_bytes() const;

    // Storing, of a session that is kept (SessionLimits::stores_kept).
    [[nodiscard]] bool is_stored() const { return limits_.stores_kept && is_kept(); }
    /// deliver() has just queued a message: gives it this number, larger than every one before it.
    const PendingMessage& name_newest(std::uint64_t number);
    /// The last change of this message is stored: it goes on. A number that is no more is ignored.
    void confirm(std::uint64_t number, Millis now, std::string& out);
    /// Appends the numbers of those that take_dropped() counted, since this was last asked.
    void take_dropped_numbers(std::vector<std::uint64_t>& out);
    /// The last message that has been sent; 0 = none of those that are there.
    [[nodiscard]] std::uint64_t sent_through() const;
    [[nodiscard]] std::uint16_t last_packet_id() const { return last_packet_id_; }
    /// `visit` must not change the session.
    void for_each_outgoing(FunctionRef<void(const PendingMessage&)> visit) const;
    void for_each_incoming_id(FunctionRef<void(std::uint16_t packet_id)> visit) const;
    /// Of a session that is made anew from the store, before anything else: its messages in ascending order of their
    /// numbers, then its packet ids. false: the queue is at its bound.
    bool restore(PendingMessage message);
    void restore_incoming_id(std::uint16_t packet_id);
    void restore_last_packet_id(std::uint16_t packet_id) { last_packet_id_ = packet_id; }

    // Messages from the client.
    [[nodiscard]] Incoming begin_incoming(const Publish& publish, std::string& out);
    [[nodiscard]] IncomingTicket ticket_of(const Publish& publish) const;
    /// The message is safe (or refused): appends PUBACK or PUBREC, if the client is still there. A PUBREC with an error
    /// ends the exchange.
    void finish_incoming(const IncomingTicket& ticket, ReasonCode reason, std::string& out);
    /// PUBREL: appends PUBCOMP.
    void release_incoming(const Ack& pubrel, std::string& out);
    [[nodiscard]] std::size_t incoming_unanswered() const { return incoming_unanswered_; }

 private:
    struct Outgoing;
    struct Subscriptions;
    struct IncomingIds;
    struct Aliases;

    Delivery deliver_at_once(OutgoingMessage& message, const DeliverOptions& options, Millis now, std::string& out);
    Delivery deliver_kept(OutgoingMessage& message, const DeliverOptions& options, Millis now, std::string& out);
    [[nodiscard]] bool send_or_drop(std::size_t index, Millis now, std::string& out);
    [[nodiscard]] bool has_window() const;
    [[nodiscard]] bool has_room(const std::string& out) const;
    void send(const Publish& publish, std::string& out);
    [[nodiscard]] bool fits(const Publish& publish) const;
    [[nodiscard]] std::uint16_t alias_of(std::string_view topic, bool& is_new);
    [[nodiscard]] std::uint16_t take_packet_id();
    [[nodiscard]] bool is_packet_id_used(std::uint16_t packet_id) const;
    void drop(std::size_t index);
    Acknowledged acknowledge_pubrec(const Ack& ack, PendingMessage* pending, std::string& out);
    void release_memory();
    void forget_incoming(std::uint16_t packet_id);
    void answer(PacketType type, std::uint16_t packet_id, ReasonCode reason, std::string& out) const;

    const SessionLimits& limits_;
    std::unique_ptr<Outgoing> outgoing_;
    std::unique_ptr<Subscriptions> subscriptions_;
    std::unique_ptr<IncomingIds> incoming_;  ///< QoS 2
    std::unique_ptr<Aliases> aliases_;       ///< outgoing, of this connection; made for a client that takes any
    std::uint32_t session_expiry_s_ = 0;
    std::uint32_t client_packet_bytes_max_ = 0;
    std::uint32_t incoming_unanswered_ = 0;
    std::uint32_t dropped_ = 0;
    std::uint16_t window_ = 0;  ///< the lesser of in_flight_max and the client's Receive Maximum
    std::uint16_t last_packet_id_ = 0;
    std::uint16_t attachment_ = 0;
    ProtocolVersion version_ = ProtocolVersion::v3_1_1;
    bool attached_ = false;
};

}  // namespace muster::mqtt
