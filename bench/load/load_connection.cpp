#include "load_connection.h"

#include "mqtt/encode.h"

namespace muster {
namespace {

constexpr auto version = mqtt::ProtocolVersion::v3_1_1;
constexpr std::size_t packet_bytes_max = std::size_t{64} << 10U;

// One thread: one buffer for all connections is enough.
std::array<char, packet_bytes_max> input;
std::string output;

}  // namespace

LoadConnection::LoadConnection(std::uint32_t number, std::string client_id, net::Reactor& reactor,
                               LoadListener& listener)
    : reactor_(reactor), listener_(listener), client_id_(std::move(client_id)), number_(number) {}

LoadConnection::~LoadConnection() {
    abort();
}

bool LoadConnection::open(const net::Address& broker, const std::optional<net::Address>& source,
                          const LoadGreeting& greeting) {
    greeting_ = greeting;
    opened_ = std::chrono::steady_clock::now();
    auto socket = net::TcpSocket::connect(broker, source);
    if (!socket || !reactor_.add(socket->fd(), *this, net::io_readable | net::io_writable | net::io_peer_ended)) {
        return false;
    }
    socket_ = std::move(*socket);
    return true;
}

void LoadConnection::abort() {
    if (socket_.is_open()) {
        socket_.set_reset_on_close();
        close();
    }
}

void LoadConnection::disconnect() {
    if (connected_) {
        output.clear();
        mqtt::encode(version, mqtt::Disconnect{}, output);
        (void)write(output);
    }
    close();
}

void LoadConnection::ping() {
    if (connected_) {
        output.clear();
        mqtt::encode(version, mqtt::Pingreq{}, output);
        (void)write(output);  // a broken socket is seen by on_io
    }
}

LoadConnection::Sent LoadConnection::publish(std::string_view topic, std::string_view payload, std::uint8_t qos) {
    if (!connected_ || is_full_ || in_flight_ >= in_flight_max) {
        return Sent::withheld;
    }
    mqtt::Publish packet;
    packet.topic = topic;
    packet.payload = payload;
    packet.qos = qos;
    if (qos > 0) {
        packet.packet_id = next_packet_id_;
        sent_at_[next_packet_id_ % in_flight_max] = std::chrono::steady_clock::now();
        next_packet_id_ = next_packet_id_ == 0xFFFF ? 1 : static_cast<std::uint16_t>(next_packet_id_ + 1);
        ++in_flight_;
    }
    mqtt::encode(version, packet, unsent_);
    return Sent::yes;
}

void LoadConnection::flush() {
    (void)write({});  // a broken socket is seen by on_io
}

void LoadConnection::on_io(std::uint32_t events) {
    const bool was_connected = connected_;
    if (!begun_) {
        begin_session();
    }
    const bool ended = (events & (net::io_peer_ended | net::io_hang_up | net::io_error)) != 0;
    if (!socket_.is_open() || !write({}) || !read_all(ended)) {
        close();
        listener_.on_lost(*this, was_connected);
    }
}

void LoadConnection::begin_session() {
    if (!socket_.connect_result()) {
        close();
        return;
    }
    begun_ = true;
    mqtt::Connect connect;
    connect.client_id = client_id_;
    connect.keep_alive_s = greeting_.keep_alive_s;
    const std::string will_topic = "status/" + client_id_;
    if (greeting_.has_will) {
        connect.will = mqtt::Will{.topic = will_topic, .payload = "OFFLINE", .properties = {}};
    }
    output.clear();
    mqtt::encode(connect, output);
    (void)write(output);
}

bool LoadConnection::read_all(bool to_the_end) {
    while (true) {
        const auto got = socket_.read(input);
        if (!got) {
            return got.error().code == ErrorCode::would_block;
        }
        bool alive = true;
        const auto fed = stream_.feed(std::string_view(input.data(), *got), packet_bytes_max,
                                      [&](const mqtt::PacketView& packet) { return alive = handle(packet); });
        if (!fed || !alive) {
            return false;
        }
        if (*got < input.size() && !to_the_end) {
            return true;
        }
    }
}

bool LoadConnection::handle(const mqtt::PacketView& packet) {
    if (packet.type == mqtt::PacketType::puback) {
        const auto ack = mqtt::decode_ack(version, packet);
        if (ack && in_flight_ > 0) {
            --in_flight_;
            listener_.on_acknowledged(sent_at_[ack->packet_id % in_flight_max]);
        }
        return ack.has_value();
    }
    if (packet.type == mqtt::PacketType::connack) {
        const auto connack = mqtt::decode_connack(version, packet);
        connected_ = connack && connack->reason == mqtt::ReasonCode::success;
        if (connected_) {
            listener_.on_connected(*this);
        }
        return connected_;
    }
    return true;
}

bool LoadConnection::write(std::string_view bytes) {
    unsent_.append(bytes);
    std::size_t sent = 0;
    while (sent < unsent_.size()) {
        const auto wrote = socket_.write(std::string_view(unsent_).substr(sent));
        if (!wrote) {
            unsent_.erase(0, sent);
            is_full_ = true;
            return wrote.error().code == ErrorCode::would_block;
        }
        sent += *wrote;
    }
    unsent_.clear();
    is_full_ = false;
    return true;
}

void LoadConnection::close() {
    if (!socket_.is_open()) {
        return;
    }
    reactor_.remove(socket_.fd());
    socket_.close();
    stream_.clear();
    unsent_.clear();
    in_flight_ = 0;
    begun_ = false;
    connected_ = false;
    is_full_ = false;
}

}  // namespace muster
