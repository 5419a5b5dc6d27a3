#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "contract/event.h"
#include "contract/mqtt_topics.h"
#include "gateway/courier.h"
#include "gateway/gateway_context.h"
#include "gateway/session.h"
#include "gateway/session_table.h"
#include "gateway/share_settlement.h"
#include "gateway/tally.h"
#include "gateway/uplink.h"
#include "net/reactor.h"

namespace muster {

/// Where a publish goes: onto the bus by its topic's class, into the retained table, to subscribers. And all other
/// records that a session writes. One worker's thread.
class PublishPath final {
 public:
    struct Outcome {
        std::uint8_t records = 0;  ///< that come back with the token: from the bus, from the session store
        bool refused = false;      ///< QoS 1 or 2, and the bus had no room even in its reserve
        bool congested = false;    ///< a subscriber's worker is behind
    };

    PublishPath(GatewayContext& context, const SessionTable& sessions, Uplink& uplink, Courier& courier,
                const net::Reactor& reactor, Tally& tally)
        : context_(context),
          sessions_(sessions),
          uplink_(uplink),
          courier_(courier),
          reactor_(reactor),
          tally_(tally),
          shares_(context.options.name) {}

    /// The client may publish to the topic. `token` comes back once for each record when it is durable; 0 for QoS 0.
    Outcome publish(Session& session, const mqtt::Publish& publish, const ClassifiedTopic& classified,
                    std::uint64_t token);
    /// The session ended without a good-bye, because of `cause`: after a take-over a will makes nobody offline. How
    /// often `token` comes back; 0: nobody asks.
    std::uint8_t publish_will(Session& session, const mqtt::PackedWill& will, Cause cause, std::uint64_t token);

    // Presence, requests: control records of a device's session.
    void record_connect(Session& session, std::uint16_t keep_alive_s, std::string_view detail);
    void record_disconnect(Session& session, Cause cause);
    void record_subscribed(Session& session, std::string_view filter);
    /// The client showed a sign of life that writes no record of its own.
    void record_ping_if_due(Session& session);

 private:
    [[nodiscard]] EventHeader header(const Session& session, EventKind kind) const;
    [[nodiscard]] UplinkRecord record_of(const Session& session, const mqtt::Publish& publish,
                                         const ClassifiedTopic& classified) const;
    void number(const Session& session, UplinkRecord& record) const;
    void note_sent(Session& session, const UplinkRecord& record) const;
    [[nodiscard]] bool send(Session& session, UplinkRecord& record);
    void send_control(Session& session, UplinkRecord& record);
    Outcome publish(Session& session, mqtt::OutgoingMessage& message, const ClassifiedTopic& classified,
                    std::uint64_t token);
    void find_subscribers(std::string_view topic, TopicClass topic_class, bool may_relay);
    [[nodiscard]] bool is_relayed(const mqtt::Publish& publish, TopicClass topic_class) const;
    [[nodiscard]] bool relay(Session& session, mqtt::OutgoingMessage& message, TopicClass topic_class,
                             std::uint64_t token);
    [[nodiscard]] bool retain(Session& session, mqtt::OutgoingMessage& message, std::uint64_t token);
    [[nodiscard]] bool put_on_bus(Session& session, mqtt::OutgoingMessage& message, const ClassifiedTopic& classified,
                                  std::uint64_t token, Outcome& outcome);
    [[nodiscard]] std::string_view properties_of(const mqtt::OutgoingMessage& message);

    GatewayContext& context_;
    const SessionTable& sessions_;
    Uplink& uplink_;
    Courier& courier_;
    const net::Reactor& reactor_;
    Tally& tally_;
    ShareDecision shares_;    ///< of the message under way
    std::string properties_;  ///< reused
};

}  // namespace muster
