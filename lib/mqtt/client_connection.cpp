#include "mqtt/client_connection.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "mqtt/decode.h"
#include "mqtt/encode.h"

namespace muster::mqtt {

namespace {

using enum ReasonCode;

constexpr Millis not_waiting{-1};

template <class Entry>
EncodedRange<Entry> pack(std::span<const Entry> entries, std::string& block) {
    for (const Entry& entry : entries) {
        entry.append_to(block);
    }
    return EncodedRange<Entry>(block);
}

}  // namespace

/// QoS 1 messages without their PUBACK, as encoded: the first `sent` have been sent on this connection. Exists while
/// there is any.
struct ClientConnection::InFlight {
    struct Message {
        std::uint16_t packet_id = 0;
        std::string encoded;
    };
    std::vector<Message> messages;
    std::size_t sent = 0;
};

ClientConnection::ClientConnection(const ClientLimits& limits) : limits_(limits) {}

ClientConnection::~ClientConnection() = default;

void ClientConnection::connect(const Connect& connect, Millis now, std::string& out) {
    stream_.clear();
    if (connect.clean_start || connect.version != version_) {
        in_flight_.reset();
    }
    if (in_flight_) {
        in_flight_->sent = 0;
    }
    version_ = connect.version;
    keep_alive_s_ = connect.keep_alive_s;
    state_ = State::awaiting_connack;
    last_sent_ = waiting_since_ = now;
    encode(connect, out);
}

void ClientConnection::receive(std::string_view bytes, Millis now, std::string& out, ClientListener& listener) {
    if (state_ == State::closed) {
        return;
    }
    const std::size_t out_before = out.size();
    const auto fed = stream_.feed(bytes, limits_.packet_bytes_max,
                                  [&](const PacketView& packet) { return handle(packet, out, listener); });
    if (out.size() != out_before) {
        last_sent_ = now;
    }
    if (state_ == State::closed) {
        stream_.clear();
    } else if (!fed) {
        fail(fed.error(), listener);
    }
}

bool ClientConnection::handle(const PacketView& packet, std::string& out, ClientListener& listener) {
    const auto handled = dispatch(packet, out, listener);
    if (!handled && state_ != State::closed) {
        fail(handled.error(), listener);
    }
    return state_ != State::closed;
}

void ClientConnection::fail(const ProtocolError& error, ClientListener& listener) {
    close();
    listener.on_error(error);
}

Decoded<void> ClientConnection::dispatch(const PacketView& packet, std::string& out, ClientListener& listener) {
    if (state_ == State::awaiting_connack && packet.type != PacketType::connack) {
        return refuse(protocol_error, "the first packet of the server is not CONNACK");
    }
    const auto hand = [&](const auto& decoded, auto&& event) -> Decoded<void> {
        if (!decoded) {
            return tl::unexpected(decoded.error());
        }
        (listener.*event)(*decoded);
        return {};
    };
    switch (packet.type) {
        case PacketType::connack:
            return handle_connack(packet, out, listener);
        case PacketType::publish:
            return handle_publish(packet, out, listener);
        case PacketType::puback:
            return handle_ack(packet, out, listener);
        case PacketType::suback:
            return hand(decode_suback(version_, packet), &ClientListener::on_suback);
        case PacketType::unsuback:
            return hand(decode_unsuback(version_, packet), &ClientListener::on_unsuback);
        case PacketType::pingresp:
            if (!packet.body.empty()) {
                return refuse(malformed_packet, "a packet has surplus bytes");
            }
            waiting_since_ = not_waiting;
            return {};
        case PacketType::disconnect: {
            if (version_ != ProtocolVersion::v5) {
                return refuse(protocol_error, "a 3.1.1 server does not send DISCONNECT");
            }
            const auto disconnect = decode_disconnect(version_, packet);
            if (disconnect) {
                close();
            }
            return hand(disconnect, &ClientListener::on_disconnect);
        }
        default:
            return refuse(protocol_error, "a packet that is not expected from this server");
    }
}

Decoded<void> ClientConnection::handle_connack(const PacketView& packet, std::string& out, ClientListener& listener) {
    if (state_ != State::awaiting_connack) {
        return refuse(protocol_error, "a second CONNACK");
    }
    const auto connack = decode_connack(version_, packet);
    if (!connack) {
        return tl::unexpected(connack.error());
    }
    waiting_since_ = not_waiting;
    if (is_error(connack->reason)) {
        close();
        listener.on_connack(*connack);
        return {};
    }
    state_ = State::connected;
    const Properties& properties = connack->properties;
    const auto receive_maximum =
        static_cast<std::uint16_t>(properties.number(PropertyId::receive_maximum).value_or(65'535));
    window_ = std::min(limits_.in_flight_max, receive_maximum);
    server_packet_bytes_max_ = properties.number(PropertyId::maximum_packet_size).value_or(0);
    if (const auto keep_alive = properties.number(PropertyId::server_keep_alive)) {
        keep_alive_s_ = static_cast<std::uint16_t>(*keep_alive);
    }
    if (in_flight_) {
        // A server that has lost the session gets them as new messages.
        for (InFlight::Message& message : in_flight_->messages) {
            set_duplicate(message.encoded, connack->session_present);
        }
    }
    send_waiting(out);
    listener.on_connack(*connack);
    return {};
}

Decoded<void> ClientConnection::handle_publish(const PacketView& packet, std::string& out, ClientListener& listener) {
    const auto publish = decode_publish(version_, packet);
    if (!publish) {
        return tl::unexpected(publish.error());
    }
    if (publish->qos == 2) {
        return refuse(qos_not_supported, "QoS 2 was not asked for");
    }
    if (publish->topic.empty()) {
        return refuse(topic_alias_invalid, "a topic alias was not allowed");
    }
    listener.on_publish(*publish);
    if (publish->qos == 1 && state_ == State::connected) {
        encode(version_, Ack{PacketType::puback, publish->packet_id, success, {}}, out);
    }
    return {};
}

Decoded<void> ClientConnection::handle_ack(const PacketView& packet, std::string& out, ClientListener& listener) {
    const auto ack = decode_ack(version_, packet);
    if (!ack) {
        return tl::unexpected(ack.error());
    }
    if (!in_flight_) {
        return {};
    }
    auto& messages = in_flight_->messages;
    const auto end = messages.begin() + static_cast<std::ptrdiff_t>(in_flight_->sent);
    const auto found =
        std::find_if(messages.begin(), end, [&](const auto& one) { return one.packet_id == ack->packet_id; });
    if (found == end) {
        return {};
    }
    messages.erase(found);
    --in_flight_->sent;
    if (messages.empty()) {
        in_flight_.reset();
    } else {
        send_waiting(out);
    }
    listener.on_ack(*ack);
    return {};
}

void ClientConnection::send_waiting(std::string& out) {
    while (in_flight_ && in_flight_->sent < std::min<std::size_t>(window_, in_flight_->messages.size())) {
        out.append(in_flight_->messages[in_flight_->sent++].encoded);
    }
}

void ClientConnection::advance(Millis now, std::string& out, ClientListener& listener) {
    if (now < deadline()) {
        return;
    }
    if (waiting_since_ >= Millis(0)) {
        fail({keep_alive_timeout, "the server does not answer"}, listener);
        return;
    }
    encode(version_, Pingreq{}, out);
    last_sent_ = waiting_since_ = now;
}

Millis ClientConnection::deadline() const {
    if (state_ == State::awaiting_connack) {
        return waiting_since_ + limits_.connack_timeout;
    }
    if (state_ == State::closed || keep_alive_s_ == 0) {
        return Millis::max();
    }
    return waiting_since_ >= Millis(0) ? waiting_since_ + limits_.ping_timeout : last_sent_ + Seconds(keep_alive_s_);
}

std::uint16_t ClientConnection::take_packet_id() {
    const auto is_used = [this](std::uint16_t id) {
        return in_flight_ && std::any_of(in_flight_->messages.begin(), in_flight_->messages.end(),
                                         [id](const auto& one) { return one.packet_id == id; });
    };
    do {
        ++last_packet_id_;
    } while (last_packet_id_ == 0 || is_used(last_packet_id_));
    return last_packet_id_;
}

Result<std::uint16_t> ClientConnection::publish(const Publish& publish, Millis now, std::string& out) {
    if (state_ != State::connected) {
        return muster::fail(ErrorCode::closed, "not connected");
    }
    if (publish.qos > 1) {
        return muster::fail(ErrorCode::unsupported, "QoS 2 is not supported");
    }
    if (publish.qos == 1 && in_flight() >= window_) {
        return muster::fail(ErrorCode::queue_full, "too many messages are not acknowledged");
    }
    Publish packet = publish;
    packet.duplicate = false;
    packet.packet_id = publish.qos == 0 ? std::uint16_t{0} : std::uint16_t{1};
    if (server_packet_bytes_max_ != 0 && encoded_size(version_, packet) > server_packet_bytes_max_) {
        return muster::fail(ErrorCode::too_large, "the message is over the server's maximum packet size");
    }
    last_sent_ = now;
    if (publish.qos == 0) {
        encode(version_, packet, out);
        return std::uint16_t{0};
    }
    packet.packet_id = take_packet_id();
    if (!in_flight_) {
        in_flight_ = std::make_unique<InFlight>();
    }
    InFlight::Message& message = in_flight_->messages.emplace_back();
    message.packet_id = packet.packet_id;
    encode(version_, packet, message.encoded);
    send_waiting(out);
    return packet.packet_id;
}

Result<std::uint16_t> ClientConnection::subscribe(std::span<const SubscribeEntry> entries, Millis now, std::string& out,
                                                  Properties properties) {
    if (state_ != State::connected) {
        return muster::fail(ErrorCode::closed, "not connected");
    }
    last_sent_ = now;
    std::string block;
    const Subscribe packet{take_packet_id(), properties, pack(entries, block)};
    encode(version_, packet, out);
    return packet.packet_id;
}

Result<std::uint16_t> ClientConnection::unsubscribe(std::span<const UnsubscribeEntry> entries, Millis now,
                                                    std::string& out, Properties properties) {
    if (state_ != State::connected) {
        return muster::fail(ErrorCode::closed, "not connected");
    }
    last_sent_ = now;
    std::string block;
    const Unsubscribe packet{take_packet_id(), properties, pack(entries, block)};
    encode(version_, packet, out);
    return packet.packet_id;
}

void ClientConnection::disconnect(std::string& out, ReasonCode reason) {
    if (state_ == State::connected) {
        encode(version_, Disconnect{reason, {}}, out);
    }
    close();
}

void ClientConnection::close() {
    state_ = State::closed;
    waiting_since_ = not_waiting;
    stream_.clear();
}

std::size_t ClientConnection::in_flight() const {
    return in_flight_ ? in_flight_->messages.size() : 0;
}

}  // namespace muster::mqtt
