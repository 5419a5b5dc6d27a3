// Input: chunk size (0: all at once), behaviour of the server (bits below), then what a client sends. A server that
// answers by the book must see the same events however the bytes are cut, none after the end, and say only whole, valid
// packets, none over the client's Maximum Packet Size.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"
#include "mqtt/packed_will.h"
#include "mqtt/server_connection.h"
#include "mqtt/server_session.h"
#include "mqtt/subscription_tree.h"
#include "mqtt/topic.h"

using namespace muster;
using namespace muster::mqtt;

namespace {

constexpr std::uint8_t accepts_late = 1;
constexpr std::uint8_t holds_after_publish = 2;
constexpr std::uint8_t echoes_at_qos_2 = 4;
constexpr std::uint8_t resumes_at_ping = 8;
constexpr std::uint8_t shares_everything = 16;

const ServerLimits server_limits{
    .packet_bytes_max = 2048, .connect_timeout = Millis(10), .qos_max = 2, .topic_alias_max = 3};
const SessionLimits session_limits{.in_flight_max = 3,
                                   .in_flight_bytes_max = 600,
                                   .receive_maximum = 4,
                                   .queued_messages_max = 5,
                                   .queued_bytes_max = 1000,
                                   .output_bytes_max = 2000,
                                   .subscriptions_max = 4,
                                   .qos_2_ids_max = 5};

class Server final : public ServerListener {
 public:
    explicit Server(std::uint8_t behaviour) : behaviour_(behaviour) {}

    void feed(std::string_view bytes) {
        connection_.receive(bytes, now_, *this);
        while (connection_.is_held()) {
            if (connection_.state() == ServerConnection::State::awaiting_accept) {
                accept();
            } else {
                connection_.release(now_);
            }
            connection_.receive({}, now_, *this);
        }
        MUSTER_ASSERT(connection_.pending_bytes() <= server_limits.packet_bytes_max);
        MUSTER_ASSERT(connection_.state() != ServerConnection::State::closed || connection_.pending_bytes() == 0);
        now_ += Millis(1);
    }

    void on_connect(const Connect& connect) override {
        note("connect ", connect.client_id);
        if (connect.will) {
            check_will(*connect.will);
        }
        attach_ = AttachOptions::of(connect);
        if ((behaviour_ & accepts_late) == 0) {
            accept();
        }
    }
    void on_publish(const Publish& publish) override {
        MUSTER_ASSERT(is_valid_topic_name(publish.topic));
        note("publish ", publish.topic);
        if (publish.qos != 0) {
            const Incoming incoming = session_.begin_incoming(publish, out_);
            if (incoming == Incoming::over_maximum) {
                connection_.end(ReasonCode::receive_maximum_exceeded, out_);
                return;
            }
            if (incoming == Incoming::fresh) {
                session_.finish_incoming(session_.ticket_of(publish), ReasonCode::success, out_);
            }
        }
        deliver(publish);
        if ((behaviour_ & holds_after_publish) != 0) {
            connection_.hold();
        }
    }
    void on_ack(const Ack& ack) override {
        note("ack ", name_of(ack.type));
        if (ack.type == PacketType::pubrel) {
            session_.release_incoming(ack, out_);
        } else {
            session_.acknowledge(ack, now_, out_);
        }
    }
    void on_subscribe(const Subscribe& subscribe) override {
        std::string reasons;
        for (const SubscribeEntry& entry : subscribe.entries) {
            note("subscribe ", entry.filter);
            reasons.push_back(static_cast<char>(take_subscription(
                entry, subscribe.properties.number(PropertyId::subscription_identifier).value_or(0))));
        }
        std::string properties;
        connection_.explain("some of them are refused", properties);
        encode(connection_.version(), Suback{subscribe.packet_id, Properties(properties), reasons}, out_);
    }
    void on_unsubscribe(const Unsubscribe& unsubscribe) override {
        std::string reasons;
        for (const UnsubscribeEntry& entry : unsubscribe.entries) {
            note("unsubscribe ", entry.filter);
            const bool was_there = session_.unsubscribe(entry.filter);
            MUSTER_ASSERT(tree_.unsubscribe(entry.filter, 1) == was_there);
            reasons.push_back(was_there ? '\0' : '\x11');
        }
        encode(connection_.version(), Unsuback{unsubscribe.packet_id, {}, reasons}, out_);
    }
    void on_ping() override {
        note("ping", "");
        read_output();
        if ((behaviour_ & resumes_at_ping) != 0) {
            resume();
        }
        encode(connection_.version(), Pingresp{}, out_);
    }
    void on_auth(const Auth& auth) override { note("auth ", name_of(auth.reason)); }
    void on_disconnect(const Disconnect& disconnect) override {
        note("disconnect ", name_of(disconnect.reason));
        if (const auto expiry_s = disconnect.properties.number(PropertyId::session_expiry)) {
            session_.set_session_expiry_s(*expiry_s);
        }
        is_over_ = true;
    }
    void on_error(const ProtocolError& error) override {
        note("error ", error.text);
        is_over_ = true;
        connection_.end(error.code, out_);
    }

    /// Everything said is whole packets, valid in the client's version.
    void check_output() const {
        std::string_view rest = out_;
        while (!rest.empty()) {
            const Frame frame = next_packet(rest, packet_bytes_ceiling);
            MUSTER_ASSERT(frame.status == Frame::Status::packet);
            MUSTER_ASSERT(decode(connection_.version(), frame.packet));
            MUSTER_ASSERT(frame.packet.type != PacketType::publish || connection_.may_send(frame.size));
            rest.remove_prefix(frame.size);
        }
    }
    [[nodiscard]] const std::string& events() const { return events_; }

 private:
    void note(std::string_view what, std::string_view about) {
        MUSTER_ASSERT(!is_over_);
        events_.append(what).append(about).push_back('\n');
    }
    void accept() {
        std::string properties;
        PropertyWriter(properties)
            .number(PropertyId::receive_maximum, session_limits.receive_maximum)
            .number(PropertyId::topic_alias_maximum, server_limits.topic_alias_max);
        connection_.accept(Connack{false, ReasonCode::success, Properties(properties)}, now_, out_);
        session_.attach(attach_, now_, out_);
    }
    /// As when the client had read all of it: what waited for room follows.
    void read_output() {
        check_output();
        out_.clear();
        session_.send_waiting(now_, out_);
        MUSTER_ASSERT(!session_.waits_for_room() || out_.size() >= session_limits.output_bytes_max);
    }
    static void check_will(const Will& will) {
        const PackedWill packed(will);
        const MessagePtr message = packed.published_at(Millis(0), 0);
        MUSTER_ASSERT(message->topic == will.topic && message->payload == will.payload);
        const auto read = PackedWill::parse(packed.bytes());
        MUSTER_ASSERT(read && read->bytes() == packed.bytes());
    }
    /// As when the client had gone and come back: what is shared goes to others, the rest is sent again.
    void resume() {
        session_.detach();
        const std::size_t before = session_.queued_bytes();
        session_.take_shared(
            [](std::uint32_t share) { return share == 1; },
            [](const MessagePtr& message, std::uint32_t share) { MUSTER_ASSERT(message != nullptr && share == 1); });
        MUSTER_ASSERT(session_.queued_bytes() <= before);
        session_.attach(attach_, now_, out_);
    }
    ReasonCode take_subscription(const SubscribeEntry& entry, std::uint32_t identifier) {
        if (!is_valid_topic_filter(entry.filter)) {
            return ReasonCode::topic_filter_invalid;
        }
        if (session_.subscribe({entry.filter, entry.options, identifier}) == ServerSession::Subscribed::full) {
            return ReasonCode::quota_exceeded;
        }
        const auto outcome = tree_.subscribe(entry.filter, {1, identifier, entry.options});
        if (outcome == SubscriptionTree::Outcome::too_deep) {
            session_.unsubscribe(entry.filter);
            return ReasonCode::topic_filter_invalid;
        }
        MUSTER_ASSERT(tree_.subscriptions() == session_.subscriptions());
        return static_cast<ReasonCode>(entry.options.qos());
    }
    void deliver(const Publish& publish) {
        OutgoingMessage message(publish, now_);
        tree_.match(publish.topic, [&](const Subscriber& subscriber) {
            DeliverOptions options;
            options.qos = (behaviour_ & echoes_at_qos_2) != 0 ? 2 : std::min(subscriber.options.qos(), publish.qos);
            options.retain = subscriber.options.retain_as_published() && publish.retain;
            options.share = (behaviour_ & shares_everything) != 0 ? 1 : 0;
            add_subscription_id(subscriber.subscription_identifier, options.subscription_ids);
            session_.deliver(message, options, now_, out_);
        });
        MUSTER_ASSERT(session_.in_flight() <= session_limits.in_flight_max);
        MUSTER_ASSERT(session_.queued() <= session_limits.queued_messages_max);
        MUSTER_ASSERT(session_.queued_bytes() <= session_limits.queued_bytes_max);
    }

    const std::uint8_t behaviour_;
    Millis now_{0};
    ServerConnection connection_{server_limits, Millis(0)};
    ServerSession session_{session_limits};
    SubscriptionTree tree_{SubscriptionTree::Options{}};
    AttachOptions attach_;
    std::string out_;
    std::string events_;
    bool is_over_ = false;
};

std::string run(std::string_view bytes, std::size_t chunk, std::uint8_t behaviour) {
    Server server(behaviour);
    while (!bytes.empty()) {
        const std::string_view piece = bytes.substr(0, chunk);
        server.feed(piece);
        bytes.remove_prefix(piece.size());
    }
    server.check_output();
    return server.events();
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const std::string_view stream(reinterpret_cast<const char*>(bytes) + 2, size - 2);
    if (const auto will = PackedWill::parse(stream)) {
        MUSTER_ASSERT(is_valid_topic_name(will->published_at(Millis(0), 0)->topic));
    }
    const std::size_t chunk = bytes[0] == 0 ? stream.size() + 1 : bytes[0];
    MUSTER_ASSERT(run(stream, chunk, bytes[1]) == run(stream, stream.size() + 1, bytes[1]));
    return 0;
}
