#include "canary/canary.h"

#include <array>

#include <fmt/format.h>

#include "base/log.h"
#include "contract/identity.h"
#include "contract/mqtt_topics.h"

namespace muster {
namespace {

constexpr std::size_t unsent_bytes_max = std::size_t{16} << 10U;
constexpr std::size_t read_bytes = 4096;
constexpr Millis speak_interval{3000};
constexpr Millis rest{2000};         ///< between a death that was detected and the next life
constexpr Millis retry_after{5000};  ///< when the broker does not take it in
constexpr Millis connect_timeout{5000};
constexpr Millis seen_at_once{5000};  ///< G6: a broken socket, a will or a goodbye, always
constexpr Millis slack{3000};         ///< for a silence: 2 s of G6, and a tick
constexpr std::uint32_t frozen_timeout_s = 10;
constexpr std::uint16_t stalled_keep_alive_s = 4;
constexpr std::uint16_t usual_keep_alive_s = 60;
constexpr std::array<std::string_view, canary_kinds> kind_names{"will", "broken", "graceful", "frozen", "stalled"};

}  // namespace

Canary::Canary(CanaryLedger::Number number, CanaryKind kind, CanarySurroundings& around)
    : number_(number),
      kind_(kind),
      id_(fmt::format("{}{}-{}", canary_id_prefix, kind_names.at(static_cast<std::size_t>(kind)), number)),
      around_(around),
      mqtt_(around.limits),
      next_at_(around.reactor.monotonic() + Millis(static_cast<std::int64_t>(number) * 300)) {}

Canary::~Canary() {
    if (phase_ == Phase::alive) {
        mqtt_.disconnect(out_);
        flush();
    }
    go_away(Millis(0));
}

CanaryLedger::Death Canary::death() const {
    switch (kind_) {
        case CanaryKind::will:
            return {Cause::will, seen_at_once};
        case CanaryKind::broken:
            return {Cause::connection_lost, seen_at_once};
        case CanaryKind::graceful:
            return {Cause::client_disconnect, seen_at_once};
        case CanaryKind::frozen:
            return {Cause::heartbeat_timeout, Seconds(frozen_timeout_s) + slack};
        case CanaryKind::stalled:
            return {Cause::keepalive_timeout, Millis(stalled_keep_alive_s * 1500) + slack};
    }
    return {};
}

std::uint16_t Canary::keep_alive_s() const {
    return kind_ == CanaryKind::stalled ? stalled_keep_alive_s : usual_keep_alive_s;
}

void Canary::turn() {
    const Millis time = now();
    if (phase_ == Phase::away && time >= next_at_) {
        connect();
    } else if (phase_ == Phase::connecting && time >= next_at_) {
        lost_ = true;
    } else if (phase_ == Phase::alive) {
        live();
    } else if (phase_ == Phase::dead && around_.ledger.is_settled(number_)) {
        go_away(rest);
    }
    settle();
}

void Canary::connect() {
    auto socket = net::TcpSocket::connect(around_.broker);
    if (!socket ||
        !around_.reactor.add(socket->fd(), *this, net::io_readable | net::io_writable | net::io_peer_ended)) {
        next_at_ = now() + retry_after;
        return;
    }
    socket_ = std::move(*socket);
    phase_ = Phase::connecting;
    next_at_ = now() + connect_timeout;
}

void Canary::say_connect() {
    tcp_connected_ = true;
    const std::string topic = status_topic(id_);
    mqtt::Connect connect;
    connect.client_id = id_;
    connect.keep_alive_s = keep_alive_s();
    if (kind_ == CanaryKind::will) {
        connect.will = mqtt::Will{.topic = topic, .payload = "OFFLINE", .properties = {}, .qos = 0};
    }
    connect.user_name = id_;
    connect.password = around_.password;
    mqtt_.connect(connect, now(), out_);
}

void Canary::on_connack(const mqtt::Connack& connack) {
    if (connack.reason != mqtt::ReasonCode::success) {
        lost_ = true;
        return;
    }
    phase_ = Phase::alive;
    introduced_ = false;
    last_said_ = now();
    next_at_ = now() + around_.alive_for;
    speak_at_ = now();
    around_.ledger.lives(number_, now());
}

void Canary::live() {
    if (now() >= next_at_ && around_.ledger.is_settled(number_)) {
        die();
        return;
    }
    if (now() >= speak_at_) {
        speak();
    }
    if (mqtt_.deadline() <= now()) {
        mqtt_.advance(now(), out_, *this);
    }
}

/// One that is to stall by its keep-alive only pings: it may not have promised more.
void Canary::speak() {
    speak_at_ = now() + speak_interval;
    if (kind_ == CanaryKind::stalled) {
        return;
    }
    const bool first = !std::exchange(introduced_, true);
    const std::string topic = first ? status_topic(id_) : telemetry_topic(id_);
    const std::string payload =
        first
            ? fmt::format(R"({{"status":"ONLINE","model":"muster-canary","heartbeat_timeout_s":{}}})", frozen_timeout_s)
            : std::string(R"({"canary":1})");
    mqtt::Publish publish;
    publish.topic = topic;
    publish.payload = payload;
    lost_ = lost_ || !mqtt_.publish(publish, now(), out_);
    last_said_ = now();
}

void Canary::die() {
    phase_ = Phase::dead;
    switch (kind_) {
        case CanaryKind::frozen:
        case CanaryKind::stalled:
            around_.ledger.dies(number_, death(), last_said_);
            return;  // on an open connection
        case CanaryKind::graceful:
            mqtt_.disconnect(out_);
            flush();
            break;
        case CanaryKind::will:
        case CanaryKind::broken:
            socket_.set_reset_on_close();
            break;
    }
    around_.ledger.dies(number_, death(), now());
    around_.reactor.remove(socket_.fd());
    socket_.close();
    mqtt_.close();
}

void Canary::on_io(std::uint32_t) {
    if (!tcp_connected_) {
        if (socket_.connect_result()) {
            say_connect();
        } else {
            lost_ = true;
        }
    }
    read_all();
    settle();
}

void Canary::read_all() {
    std::array<char, read_bytes> in{};
    while (!lost_ && socket_.is_open()) {
        const auto got = socket_.read(in);
        if (!got) {
            lost_ = got.error().code != ErrorCode::would_block;
            return;
        }
        mqtt_.receive(std::string_view(in.data(), *got), now(), out_, *this);
    }
}

void Canary::flush() {
    if (!out_.empty() && phase_ != Phase::away && tcp_connected_ && kind_ == CanaryKind::stalled) {
        last_said_ = now();  // its keep-alive runs from its last packet, whatever it was
    }
    while (!out_.empty() && socket_.is_open()) {
        const auto wrote = socket_.write(out_);
        if (!wrote) {
            lost_ = lost_ || wrote.error().code != ErrorCode::would_block || out_.size() > unsent_bytes_max;
            return;
        }
        out_.erase(0, *wrote);
    }
}

void Canary::settle() {
    if (phase_ == Phase::dead) {
        out_.clear();  // the dead say nothing, and that the broker ends their connection is what they wait for
        lost_ = false;
        return;
    }
    if (tcp_connected_ && !lost_) {
        flush();
    }
    if (!std::exchange(lost_, false)) {
        return;
    }
    if (phase_ == Phase::alive) {
        around_.ledger.is_disturbed(number_);
    }
    go_away(retry_after);
}

void Canary::go_away(Millis back_after) {
    phase_ = Phase::away;
    next_at_ = now() + back_after;
    tcp_connected_ = false;
    out_.clear();
    if (socket_.is_open()) {
        socket_.set_reset_on_close();
        around_.reactor.remove(socket_.fd());
        socket_.close();
    }
    mqtt_.close();
}

}  // namespace muster
