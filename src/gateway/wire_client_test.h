#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "mqtt/decode.h"
#include "mqtt/encode.h"
#include "mqtt/packet_bytes.h"
#include "net/reactor.h"
#include "net/tcp_socket.h"

namespace muster {

/// Properties to send: PropertyBlock().number(PropertyId::message_expiry, 60).
class PropertyBlock final {
 public:
    PropertyBlock& number(mqtt::PropertyId id, std::uint32_t value) {
        mqtt::PropertyWriter(bytes_).number(id, value);
        return *this;
    }
    PropertyBlock& text(mqtt::PropertyId id, std::string_view value) {
        mqtt::PropertyWriter(bytes_).text(id, value);
        return *this;
    }
    PropertyBlock& user(std::string_view name, std::string_view value) {
        mqtt::PropertyWriter(bytes_).user(name, value);
        return *this;
    }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
    std::string bytes_;
};

namespace wire {

inline std::string name_of(mqtt::PropertyId id) {
    using mqtt::PropertyId;
    static const std::map<PropertyId, std::string> names = {{PropertyId::payload_format, "format"},
                                                            {PropertyId::message_expiry, "expiry"},
                                                            {PropertyId::content_type, "type"},
                                                            {PropertyId::response_topic, "response"},
                                                            {PropertyId::correlation_data, "correlation"},
                                                            {PropertyId::subscription_identifier, "id"},
                                                            {PropertyId::session_expiry, "session_expiry"},
                                                            {PropertyId::assigned_client_id, "client_id"},
                                                            {PropertyId::server_keep_alive, "keep_alive"},
                                                            {PropertyId::server_reference, "server"},
                                                            {PropertyId::reason_string, "why"},
                                                            {PropertyId::receive_maximum, "receive_max"},
                                                            {PropertyId::topic_alias_maximum, "alias_max"},
                                                            {PropertyId::topic_alias, "alias"},
                                                            {PropertyId::maximum_qos, "qos_max"},
                                                            {PropertyId::maximum_packet_size, "packet_max"}};
    const auto found = names.find(id);
    return found == names.end() ? "property-" + std::to_string(static_cast<int>(id)) : found->second;
}

inline std::string describe(const mqtt::Properties& properties) {
    std::string text;
    for (const mqtt::Property& property : properties) {
        if (property.id == mqtt::PropertyId::user_property) {
            text.append(" ").append(property.text).append(":").append(property.value);
            continue;
        }
        text.append(" ").append(name_of(property.id)).append("=");
        text += property.text.data() != nullptr ? std::string(property.text) : std::to_string(property.number);
    }
    return text;
}

inline std::string describe_codes(std::string_view codes) {
    std::string text;
    for (const char code : codes) {
        text.append(" ").append(mqtt::name_of(static_cast<mqtt::ReasonCode>(static_cast<std::uint8_t>(code))));
    }
    return text;
}

/// A packet of a server in words: "publish news/a 'hello' q1 #1 dup retain expiry=59 id=7".
inline std::string describe(const mqtt::Packet& packet) {
    struct Words {
        std::string operator()(const mqtt::Connack& p) const {
            return "connack " + std::string(mqtt::name_of(p.reason)) + (p.session_present ? " present" : "") +
                   describe(p.properties);
        }
        std::string operator()(const mqtt::Publish& p) const {
            std::string text = "publish " + std::string(p.topic) + " '" + std::string(p.payload) + "'";
            text += p.qos == 0 ? "" : " q" + std::to_string(p.qos) + " #" + std::to_string(p.packet_id);
            text += p.duplicate ? " dup" : "";
            text += p.retain ? " retain" : "";
            return text + describe(p.properties);
        }
        std::string operator()(const mqtt::Ack& p) const {
            const std::string reason =
                p.reason == mqtt::ReasonCode::success ? "" : " " + std::string(mqtt::name_of(p.reason));
            return std::string(mqtt::name_of(p.type)) + " #" + std::to_string(p.packet_id) + reason +
                   describe(p.properties);
        }
        std::string operator()(const mqtt::Suback& p) const {
            return "suback #" + std::to_string(p.packet_id) + describe_codes(p.reasons) + describe(p.properties);
        }
        std::string operator()(const mqtt::Unsuback& p) const {
            return "unsuback #" + std::to_string(p.packet_id) + describe_codes(p.reasons) + describe(p.properties);
        }
        std::string operator()(const mqtt::Pingresp&) const { return "pingresp"; }
        std::string operator()(const mqtt::Disconnect& p) const {
            return "disconnect " + std::string(mqtt::name_of(p.reason)) + describe(p.properties);
        }
        std::string operator()(const mqtt::Auth& p) const { return "auth " + std::string(mqtt::name_of(p.reason)); }
        std::string operator()(const mqtt::Connect&) const { return "connect"; }
        std::string operator()(const mqtt::Subscribe&) const { return "subscribe"; }
        std::string operator()(const mqtt::Unsubscribe&) const { return "unsubscribe"; }
        std::string operator()(const mqtt::Pingreq&) const { return "pingreq"; }
    };
    return std::visit(Words{}, packet);
}

}  // namespace wire

/// A client that says and hears packets as they are on the wire, those included that a correct one never sends. It
/// answers nothing by itself. Driven by the test's own reactor.
class WireClient final : public net::IoHandler {
 public:
    WireClient(net::Reactor& reactor, const net::Address& address,
               mqtt::ProtocolVersion version = mqtt::ProtocolVersion::v5)
        : reactor_(reactor), socket_(*net::TcpSocket::connect(address)), version_(version) {
        EXPECT_TRUE(reactor_.add(socket_.fd(), *this, net::io_readable | net::io_writable));
    }
    ~WireClient() override { vanish(); }

    void send_bytes(std::string_view bytes) {
        out_ += bytes;
        write();
    }
    /// As packet_bytes() reads it: "C0 00".
    void send(std::string_view written) { send_bytes(mqtt::packet_bytes(written)); }

    struct Hello {
        std::string id{};
        bool clean = true;
        std::uint16_t keep_alive_s = 0;
        PropertyBlock properties{};
        std::string will_topic{};
        std::string will_payload{};
        std::uint8_t will_qos = 0;
        bool will_retain = false;
        PropertyBlock will_properties{};
        std::string user{};
        std::string password{};
    };
    void connect(const Hello& hello) {
        mqtt::Connect packet;
        packet.version = version_;
        packet.client_id = hello.id;
        packet.clean_start = hello.clean;
        packet.keep_alive_s = hello.keep_alive_s;
        packet.properties = mqtt::Properties(hello.properties.bytes());
        if (!hello.will_topic.empty()) {
            packet.will = mqtt::Will{.topic = hello.will_topic,
                                     .payload = hello.will_payload,
                                     .properties = mqtt::Properties(hello.will_properties.bytes()),
                                     .qos = hello.will_qos,
                                     .retain = hello.will_retain};
        }
        if (!hello.user.empty()) {
            packet.user_name = hello.user;
            packet.password = hello.password;
        }
        send_bytes(mqtt::encoded(packet));
    }
    void subscribe(std::string_view filter, std::uint8_t options = 0, const PropertyBlock& properties = {},
                   std::uint16_t packet_id = 1) {
        std::string entries;
        mqtt::SubscribeEntry{filter, {options}}.append_to(entries);
        send_bytes(mqtt::encoded(version_, mqtt::Subscribe{packet_id, mqtt::Properties(properties.bytes()),
                                                           mqtt::EncodedRange<mqtt::SubscribeEntry>(entries)}));
    }
    struct Message {
        std::string topic{};
        std::string payload{};
        std::uint8_t qos = 0;
        std::uint16_t packet_id = 0;
        bool retain = false;
        bool duplicate = false;
        PropertyBlock properties{};
    };
    void publish(const Message& message) {
        mqtt::Publish packet;
        packet.topic = message.topic;
        packet.payload = message.payload;
        packet.qos = message.qos;
        packet.packet_id = message.packet_id;
        packet.retain = message.retain;
        packet.duplicate = message.duplicate;
        packet.properties = mqtt::Properties(message.properties.bytes());
        send_bytes(mqtt::encoded(version_, packet));
    }
    void ack(mqtt::PacketType type, std::uint16_t packet_id, mqtt::ReasonCode reason = mqtt::ReasonCode::success) {
        send_bytes(mqtt::encoded(version_, mqtt::Ack{type, packet_id, reason, {}}));
    }
    /// As when its power is cut.
    void vanish() {
        if (socket_.is_open()) {
            reactor_.remove(socket_.fd());
            socket_.close();
        }
    }

    std::vector<std::string> heard;  ///< every packet in words
    bool ended = false;              ///< the server closed the connection
    bool is_garbled = false;         ///< the server sent what is no packet of its version

 private:
    void on_io(std::uint32_t events) override {
        write();
        if ((events & ~net::io_writable) == 0) {
            return;
        }
        std::vector<char> buffer(64 * 1024);
        while (socket_.is_open()) {
            const auto got = socket_.read(buffer);
            if (!got) {
                ended = ended || got.error().code != ErrorCode::would_block;
                break;
            }
            in_.append(buffer.data(), *got);
        }
        hear();
    }
    void hear() {
        std::string_view rest = in_;
        while (!is_garbled) {
            const mqtt::Frame frame = mqtt::next_packet(rest, mqtt::packet_bytes_ceiling);
            if (frame.status != mqtt::Frame::Status::packet) {
                is_garbled = frame.status == mqtt::Frame::Status::error;
                break;
            }
            const auto packet = mqtt::decode(version_, frame.packet);
            is_garbled = !packet;
            heard.push_back(packet ? wire::describe(*packet) : "garbled");
            rest.remove_prefix(frame.size);
        }
        in_.erase(0, in_.size() - rest.size());
    }
    void write() {
        while (!out_.empty() && socket_.is_open()) {
            const auto written = socket_.write(out_);
            if (!written) {
                return;
            }
            out_.erase(0, *written);
        }
    }

    net::Reactor& reactor_;
    net::TcpSocket socket_;
    const mqtt::ProtocolVersion version_;
    std::string in_;
    std::string out_;
};

}  // namespace muster
