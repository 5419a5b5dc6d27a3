#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bus/bus.h"
#include "gateway/connection.h"
#include "gateway/courier.h"
#include "gateway/gateway_context.h"
#include "gateway/mailbox.h"
#include "gateway/publish_path.h"
#include "gateway/session_journal.h"
#include "gateway/session_table.h"
#include "gateway/tally.h"
#include "net/reactor.h"

namespace muster {

/// The MQTT semantics of one worker's sessions: how they begin and end, what each packet does. One thread.
class SessionService final {
 public:
    SessionService(GatewayContext& context, Worker& worker, SessionTable& sessions, Uplink& uplink, Courier& courier,
                   SessionJournal& journal, const net::Reactor& reactor, Tally& tally);

    /// The connection's CONNECT is admitted and has its epoch (0 for clients that are no devices): takes over or makes
    /// the session, writes the connect record, then answers.
    void begin(Connection& connection, SessionEpoch epoch);
    /// The session's connection has ended: will, disconnect record; the session stays if it is to be kept.
    void end(Session& session, Cause cause);
    /// Its client is away, for this long already: its delayed will and the end of the session are awaited.
    void stay_away(Session& session, Cause cause, Millis since);
    /// Another gateway has claimed the session: it ends here, and leaves behind in the journal what it is to go on
    /// with.
    void hand_over(std::string_view key, SessionEpoch epoch);
    /// Something of an away client is due.
    void on_away_timer(Session& session);

    // Packets of a connection that has a session (on_connect: has none yet).
    void on_connect(Connection& connection, const mqtt::Connect& connect);
    void on_publish(Connection& connection, const mqtt::Publish& publish);
    void on_ack(Connection& connection, const mqtt::Ack& ack);
    void on_subscribe(Connection& connection, const mqtt::Subscribe& subscribe);
    void on_unsubscribe(Connection& connection, const mqtt::Unsubscribe& unsubscribe);
    void on_ping(Connection& connection);
    void on_disconnect(Connection& connection, const mqtt::Disconnect& disconnect);
    void on_error(Connection& connection, const mqtt::ProtocolError& error);

    /// A publish of one of the sessions is durable, or is not.
    void on_delivery(const Delivery& delivery);
    /// What muster.downlink asks.
    void obey(const Mailbox::Order& order);
    /// Something waits for the client to read what it has been sent.
    [[nodiscard]] bool has_more(const Connection& connection) const;
    /// Sends of it what has room.
    void pump(Connection& connection);

 private:
    [[nodiscard]] Session& take_up(const Admission& admission, bool& is_present);
    /// The session ends: its will, if one waits, is published now.
    void discard(Session& session);
    void publish_will(Session& session, Cause cause);
    /// Takes it out of this gateway, and nothing of it out of the store.
    void erase(Session& session);
    void on_will_delivered(Session& session, bool durable);
    void reroute_shared(Session& session, bool is_ending);
    void note_shared(Session& session, bool is_connected);
    struct Subscribed {
        mqtt::ReasonCode reason = mqtt::ReasonCode::success;
        bool is_new = false;
    };
    [[nodiscard]] Subscribed subscribe_one(Session& session, const mqtt::SubscribeEntry& entry,
                                           std::uint32_t identifier);
    void send_retained(Connection& connection, const mqtt::SubscribeEntry& entry, std::uint32_t identifier);
    void pump_retained(Connection& connection);
    void hold_if_needed(Connection& connection, const PublishPath::Outcome& outcome);
    void answer_stored(Connection& connection, std::string_view bytes);
    void deliver_order(Session& session, const mqtt::MessagePtr& message);
    [[nodiscard]] static std::uint64_t token_of(const Session& session, std::uint64_t kind, std::uint16_t packet_id);

    GatewayContext& context_;
    Worker& worker_;
    SessionTable& sessions_;
    Uplink& uplink_;
    Courier& courier_;
    SessionJournal& journal_;
    const net::Reactor& reactor_;
    Tally& tally_;
    PublishPath publish_path_;
    std::string text_;        ///< reused: SUBACK reasons, connect detail
    std::string properties_;  ///< reused: of answers
    std::string nowhere_;     ///< output of sessions that are away
    std::uint32_t last_attachment_ = 0;
};

/// Passes one connection's packets to the service; lives for the length of one receive().
class PacketEvents final : public mqtt::ServerListener {
 public:
    PacketEvents(SessionService& service, Connection& connection) : service_(service), connection_(connection) {}

    void on_connect(const mqtt::Connect& connect) override { service_.on_connect(connection_, connect); }
    void on_publish(const mqtt::Publish& publish) override { service_.on_publish(connection_, publish); }
    void on_ack(const mqtt::Ack& ack) override { service_.on_ack(connection_, ack); }
    void on_subscribe(const mqtt::Subscribe& subscribe) override { service_.on_subscribe(connection_, subscribe); }
    void on_unsubscribe(const mqtt::Unsubscribe& unsubscribe) override {
        service_.on_unsubscribe(connection_, unsubscribe);
    }
    void on_ping() override { service_.on_ping(connection_); }
    void on_auth(const mqtt::Auth&) override {}  // no authentication method is accepted in CONNECT
    void on_disconnect(const mqtt::Disconnect& disconnect) override { service_.on_disconnect(connection_, disconnect); }
    void on_error(const mqtt::ProtocolError& error) override { service_.on_error(connection_, error); }

 private:
    SessionService& service_;
    Connection& connection_;
};

}  // namespace muster
