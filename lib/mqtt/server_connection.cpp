#include "mqtt/server_connection.h"

#include <utility>

#include "base/assert.h"
#include "mqtt/encode.h"

namespace muster::mqtt {

namespace {

using enum ReasonCode;

constexpr std::size_t explained_packet_bytes = 1024;  // what else such a packet may hold
constexpr std::string_view mqtt_name("\0\4MQTT", 6);
constexpr std::string_view mqtt_3_1_name("\0\6MQIsdp", 8);

/// The reason, or the nearest that this packet may carry.
ReasonCode sayable(PacketType type, ReasonCode reason) {
    if (may_carry(type, reason)) {
        return reason;
    }
    return reason == server_shutting_down ? server_unavailable : unspecified_error;
}

}  // namespace

ServerConnection::ServerConnection(const ServerLimits& limits, Millis now) : limits_(limits), last_packet_(now) {}

ServerConnection::~ServerConnection() = default;

void ServerConnection::receive(std::string_view bytes, Millis now, ServerListener& listener) {
    if (state_ == State::closed) {
        return;
    }
    if (is_held()) {
        if (stream_.pending_bytes() + bytes.size() > limits_.packet_bytes_max) {
            fail({quota_exceeded, "too much is sent ahead of an answer"}, listener);
        } else {
            stream_.keep(bytes);
        }
        return;
    }
    const auto fed = stream_.feed(bytes, limits_.packet_bytes_max, [&](const PacketView& packet) {
        last_packet_ = now;
        return handle(packet, listener);
    });
    if (state_ == State::closed) {
        stream_.clear();
    } else if (!fed) {
        fail(fed.error(), listener);
    }
}

bool ServerConnection::handle(const PacketView& packet, ServerListener& listener) {
    const auto handled = dispatch(packet, listener);
    if (!handled && state_ != State::closed) {
        fail(handled.error(), listener);
    }
    return state_ == State::connected && !held_;
}

void ServerConnection::fail(const ProtocolError& error, ServerListener& listener) {
    close();
    listener.on_error(error);
}

Decoded<void> ServerConnection::dispatch(const PacketView& packet, ServerListener& listener) {
    if (state_ == State::awaiting_connect) {
        return handle_connect(packet, listener);
    }
    const auto hand = [&](const auto& decoded, auto&& event) -> Decoded<void> {
        if (!decoded) {
            return tl::unexpected(decoded.error());
        }
        (listener.*event)(*decoded);
        return {};
    };
    switch (packet.type) {
        case PacketType::publish:
            return handle_publish(packet, listener);
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp:
            return hand(decode_ack(version_, packet), &ServerListener::on_ack);
        case PacketType::subscribe:
            return hand(decode_subscribe(version_, packet), &ServerListener::on_subscribe);
        case PacketType::unsubscribe:
            return hand(decode_unsubscribe(version_, packet), &ServerListener::on_unsubscribe);
        case PacketType::pingreq:
            if (!packet.body.empty()) {
                return refuse(malformed_packet, "a packet has surplus bytes");
            }
            listener.on_ping();
            return {};
        case PacketType::disconnect:
            return handle_disconnect(packet, listener);
        case PacketType::auth:
            if (version_ == ProtocolVersion::v5 && !names_auth_method_) {
                return refuse(protocol_error, "AUTH without an authentication method in CONNECT");
            }
            return hand(decode_auth(version_, packet), &ServerListener::on_auth);
        case PacketType::connect:
            return refuse(protocol_error, "a second CONNECT");
        default:
            return refuse(protocol_error, "a packet that only a server sends");
    }
}

Decoded<void> ServerConnection::handle_connect(const PacketView& packet, ServerListener& listener) {
    if (packet.type != PacketType::connect) {
        return refuse(protocol_error, "the first packet is not CONNECT");
    }
    // The version byte decides in which words even a CONNECT that cannot be decoded is refused.
    for (const std::string_view name : {mqtt_name, mqtt_3_1_name}) {
        if (packet.body.size() > name.size() && packet.body.starts_with(name)) {
            version_ = packet.body[name.size()] >= 5 ? ProtocolVersion::v5 : ProtocolVersion::v3_1_1;
            said_connect_ = true;
        }
    }
    auto connect = decode_connect(packet);
    if (!connect) {
        // A 3.1.1 client is told of a bad version or client id; anything else malformed gets no answer (MQTT-3.1.4-1).
        const ReasonCode code = connect.error().code;
        said_connect_ = said_connect_ && (version_ == ProtocolVersion::v5 || code == unsupported_protocol_version ||
                                          code == client_identifier_not_valid);
        return tl::unexpected(connect.error());
    }
    if (connect->will && connect->will->qos > limits_.qos_max) {
        return refuse(qos_not_supported, "the will's QoS is not supported");
    }
    keep_alive_s_ = connect->keep_alive_s;
    client_packet_bytes_max_ = connect->properties.number(PropertyId::maximum_packet_size).value_or(0);
    wants_problem_information_ = connect->properties.number(PropertyId::request_problem_information).value_or(1) != 0;
    names_auth_method_ = connect->properties.has(PropertyId::authentication_method);
    session_expiry_is_zero_ = connect->properties.number(PropertyId::session_expiry).value_or(0) == 0;
    state_ = State::awaiting_accept;
    listener.on_connect(*connect);
    return {};
}

Decoded<void> ServerConnection::handle_publish(const PacketView& packet, ServerListener& listener) {
    auto publish = decode_publish(version_, packet);
    if (!publish) {
        return tl::unexpected(publish.error());
    }
    if (publish->qos > limits_.qos_max) {
        return refuse(qos_not_supported, "the QoS is not supported");
    }
    if (!publish->properties.empty()) {
        if (publish->properties.has(PropertyId::subscription_identifier)) {
            return refuse(protocol_error, "a client's PUBLISH has a subscription identifier");
        }
        if (auto resolved = resolve_alias(*publish); !resolved) {
            return resolved;
        }
    }
    listener.on_publish(*publish);
    return {};
}

Decoded<void> ServerConnection::resolve_alias(Publish& publish) {
    const auto alias = publish.properties.number(PropertyId::topic_alias);
    if (!alias) {
        return {};
    }
    if (*alias > limits_.topic_alias_max) {
        return refuse(topic_alias_invalid, "a topic alias is over the maximum");
    }
    if (!aliases_) {
        aliases_ = std::make_unique<std::vector<std::string>>();
    }
    if (aliases_->size() < *alias) {
        aliases_->resize(*alias);
    }
    if (!publish.topic.empty()) {
        return set_alias(*alias, publish.topic);
    }
    const std::string& topic = (*aliases_)[*alias - 1];
    if (topic.empty()) {
        return refuse(protocol_error, "a topic alias is used before it is set");
    }
    publish.topic = topic;
    return {};
}

Decoded<void> ServerConnection::set_alias(std::size_t alias, std::string_view topic) {
    std::string& place = (*aliases_)[alias - 1];
    std::size_t bytes = topic.size() - place.size();
    for (const std::string& other : *aliases_) {
        bytes += other.size();
    }
    if (bytes > limits_.topic_alias_bytes_max) {
        return refuse(quota_exceeded, "the topics behind aliases are too long");
    }
    place = topic;
    return {};
}

Decoded<void> ServerConnection::handle_disconnect(const PacketView& packet, ServerListener& listener) {
    const auto disconnect = decode_disconnect(version_, packet);
    if (!disconnect) {
        return tl::unexpected(disconnect.error());
    }
    const auto expiry = disconnect->properties.number(PropertyId::session_expiry);
    if (expiry.value_or(0) != 0 && session_expiry_is_zero_) {
        return refuse(protocol_error, "DISCONNECT asks to keep a session that CONNECT did not");
    }
    ended_ = true;
    close();
    listener.on_disconnect(*disconnect);
    return {};
}

void ServerConnection::accept(const Connack& connack, Millis now, std::string& out) {
    MUSTER_ASSERT(state_ == State::awaiting_accept && connack.reason == success);
    if (const auto keep_alive = connack.properties.number(PropertyId::server_keep_alive)) {
        keep_alive_s_ = static_cast<std::uint16_t>(*keep_alive);
    }
    state_ = State::connected;
    answered_ = true;
    last_packet_ = now;
    encode(version_, connack, out);
}

void ServerConnection::end(ReasonCode reason, std::string& out, Properties properties) {
    close();
    if (std::exchange(ended_, true)) {
        return;
    }
    const std::size_t before = out.size();
    say_end(reason, properties, out);
    if (!properties.empty() && !may_send(out.size() - before)) {
        out.resize(before);
        say_end(reason, {}, out);
    }
    if (!may_send(out.size() - before)) {
        out.resize(before);
    }
}

void ServerConnection::say_end(ReasonCode reason, const Properties& properties, std::string& out) const {
    if (answered_) {
        if (version_ == ProtocolVersion::v5) {
            encode(version_, Disconnect{sayable(PacketType::disconnect, reason), properties}, out);
        }
    } else if (said_connect_) {
        const ReasonCode said = is_error(reason) ? sayable(PacketType::connack, reason) : unspecified_error;
        encode(version_, Connack{false, said, properties}, out);
    }
}

void ServerConnection::explain(std::string_view why, std::string& properties) const {
    properties.clear();
    // A reason string must not make the packet too large [MQTT-3.9.2-1]; it is far from any sensible maximum.
    if (!why.empty() && version_ == ProtocolVersion::v5 && wants_problem_information_ &&
        may_send(why.size() + explained_packet_bytes)) {
        PropertyWriter(properties).text(PropertyId::reason_string, why);
    }
}

void ServerConnection::close() {
    state_ = State::closed;
    stream_.clear();  // aliases stay: the listener may be looking at a topic right now
}

void ServerConnection::hold() {
    held_ = true;
}

void ServerConnection::release(Millis now) {
    held_ = false;
    last_packet_ = now;
}

Millis ServerConnection::deadline() const {
    if (state_ == State::awaiting_connect) {
        return last_packet_ + limits_.connect_timeout;
    }
    if (state_ != State::connected || held_ || keep_alive_s_ == 0) {
        return Millis::max();
    }
    return last_packet_ + Millis(keep_alive_s_ * 1500);
}

}  // namespace muster::mqtt
