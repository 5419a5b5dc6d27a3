#include "simulator/simulated_device.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/log.h"

namespace muster {
namespace {

constexpr Millis settled_after{30'000};    ///< a session that lived so long makes the next back-off start anew
constexpr int network_return_spread = 10;  ///< modems find a network again within so many first back-offs
constexpr Millis reboot_least{1'000};
constexpr Millis reboot_spread{3'000};
constexpr Millis leave_patience{2'000};  ///< for acknowledgements before a clean disconnect
constexpr std::uint32_t devices_per_source = 64;
constexpr std::uint32_t sources_per_net = 250;

/// 127.1.0.1 for the first 64 devices, 127.1.0.2 for the next, ...; all of 1,000,000 stay within 127.1.0.0/16.
net::Address source_address(std::uint32_t number) {
    const std::uint32_t source = number / devices_per_source;
    auto address =
        net::Address::parse(fmt::format("127.1.{}.{}:0", source / sources_per_net, 1 + source % sources_per_net));
    MUSTER_ASSERT(address.has_value());
    return *address;
}

Labels of_thread(const std::string& thread) {
    return {{"thread", thread}};
}

}  // namespace

FleetMetrics::FleetMetrics(MetricRegistry& registry, const std::string& thread)
    : connected(registry.gauge("muster_simulator_connected_devices", "Simulated devices that are connected",
                               of_thread(thread))),
      connects(registry.counter("muster_simulator_connects_total", "Connections that the broker accepted",
                                of_thread(thread))),
      reconnects(registry.counter("muster_simulator_reconnects_total",
                                  "Accepted connections of devices that had been connected before", of_thread(thread))),
      connect_failures(registry.counter("muster_simulator_connect_failures_total", "Connections that were not accepted",
                                        of_thread(thread))),
      published(registry.counter("muster_simulator_published_total", "Messages published", of_thread(thread))),
      dropped(registry.counter("muster_simulator_dropped_total",
                               "Messages not published because the broker did not take or acknowledge earlier ones",
                               of_thread(thread))),
      received(
          registry.counter("muster_simulator_received_total", "Messages that devices received", of_thread(thread))),
      protocol_errors(registry.counter("muster_simulator_protocol_errors_total",
                                       "Connections that ended because the broker broke the protocol or was silent",
                                       of_thread(thread))) {}

void FleetSurroundings::note(const Error& error) {
    std::uint64_t swallowed = 0;
    if (log_limit.allow(reactor.monotonic(), swallowed)) {
        spdlog::warn("simulator: {} ({} more)", error.message(), swallowed);
    }
}

SimulatedDevice::SimulatedDevice(const PlannedDevice& plan, std::uint32_t number, FleetSurroundings& around)
    : around_(around),
      model_(plan),
      random_(plan.seed ^ 0xc044ec7ULL),
      mqtt_(around.limits),
      number_(number),
      broker_(number) {}

SimulatedDevice::~SimulatedDevice() {
    drop_socket(true);
}

void SimulatedDevice::start(Millis at) {
    connect_at_ = at;
    rearm();
}

void SimulatedDevice::lose_network() {
    ++outages_;
    if (socket_.is_open()) {
        drop_socket(true);
        set_truth(Truth::offline, TruthReason::outage);
        connect_at_ = now();
    }
    rearm();
}

void SimulatedDevice::restore_network() {
    MUSTER_ASSERT(outages_ > 0);
    if (--outages_ == 0 && !socket_.is_open() && !stopped_) {
        back_off_.reset();
        connect_at_ = std::max(connect_at_, now() + draw_below(network_return_spread * around_.back_off.first));
    }
    rearm();
}

void SimulatedDevice::break_connection() {
    if (socket_.is_open()) {
        drop_socket(true);
        set_truth(Truth::offline, TruthReason::outage);
        come_back_after(back_off_.next(around_.back_off, random_));
    }
}

void SimulatedDevice::stop() {
    stopped_ = true;
    if (mqtt_.state() == mqtt::ClientConnection::State::connected) {
        mqtt_.disconnect(around_.out);
        flush();
    }
    drop_socket(false);
    lost_ = false;
    set_truth(Truth::offline, TruthReason::stop);
    connect_at_ = Millis::max();
    rearm();
}

void SimulatedDevice::on_timer() {
    const Millis time = now();
    if (!socket_.is_open()) {
        if (connect_at_ <= time && outages_ == 0) {
            connect();
        } else if (connect_at_ <= time && truth_ == Truth::sleeping) {
            set_truth(Truth::offline, TruthReason::outage);  // it was to wake up, and cannot be heard
        }
        rearm();
        return;
    }
    if (tcp_connected_ && mqtt_.deadline() <= time) {
        mqtt_.advance(time, around_.out, *this);
    } else if (!tcp_connected_ && online_since_ + around_.limits.connack_timeout <= time) {
        lost_ = true;
    }
    if (!lost_ && depart_at_ <= time) {
        depart();
    }
    if (!lost_ && telemetry_at_ <= time && leave_ == Leave::no && socket_.is_open()) {
        publish_telemetry();
    }
    settle();
}

void SimulatedDevice::connect() {
    connect_at_ = Millis::max();
    auto socket =
        net::TcpSocket::connect(around_.brokers[broker_ % around_.brokers.size()],
                                around_.spread_sources ? std::optional(source_address(number_)) : std::nullopt);
    if (!socket) {
        around_.note(socket.error());
        on_connection_failed();
        return;
    }
    const auto watched =
        around_.reactor.add(socket->fd(), *this, net::io_readable | net::io_writable | net::io_peer_ended);
    if (!watched) {
        around_.note(watched.error());
        on_connection_failed();
        return;
    }
    socket_ = std::move(*socket);
    online_since_ = now();  // of the attempt, until CONNACK
}

void SimulatedDevice::on_io(std::uint32_t events) {
    if (!tcp_connected_) {
        on_tcp_connected();
    }
    if (tcp_connected_ && !lost_) {
        read_all((events & (net::io_peer_ended | net::io_hang_up | net::io_error)) != 0);
    }
    settle();
}

void SimulatedDevice::on_tcp_connected() {
    if (const auto connected = socket_.connect_result(); !connected) {
        around_.note(connected.error());
        lost_ = true;
        return;
    }
    tcp_connected_ = true;
    const DeviceMessage will = model_.will();
    mqtt::Connect connect;
    connect.version = all_device_types()[model_.plan().type].protocol;
    connect.client_id = model_.plan().id;
    connect.keep_alive_s = profile_of(model_.plan().network).keep_alive_s;
    connect.will = mqtt::Will{.topic = will.topic, .payload = will.payload, .properties = {}, .qos = will.qos};
    if (!around_.user_name.empty()) {
        connect.user_name = around_.user_name;
        connect.password = around_.password;
    }
    mqtt_.connect(connect, now(), around_.out);
}

void SimulatedDevice::read_all(bool to_the_end) {
    while (!lost_) {
        const auto got = socket_.read(around_.in);
        if (!got) {
            lost_ = got.error().code != ErrorCode::would_block;
            return;
        }
        mqtt_.receive(std::string_view(around_.in.data(), *got), now(), around_.out, *this);
        if (*got < around_.in.size() && !to_the_end) {
            return;  // drained: what arrives later is a new edge
        }
    }
}

/// The end of every event: writes what it produced, and draws the consequence when the connection ended.
void SimulatedDevice::settle() {
    if (!lost_ && socket_.is_open()) {
        if (leave_ != Leave::no && mqtt_.state() == mqtt::ClientConnection::State::connected &&
            mqtt_.in_flight() == 0) {
            mqtt_.disconnect(around_.out);
        }
        flush();
        if (leave_ != Leave::no && !lost_ && unsent_.empty() &&
            mqtt_.state() == mqtt::ClientConnection::State::closed) {
            leave_cleanly();
        }
    }
    around_.out.clear();
    if (std::exchange(lost_, false)) {
        on_connection_failed();
    }
    rearm();
}

void SimulatedDevice::flush() {
    std::string& out = around_.out;
    if (!unsent_.empty()) {
        unsent_.append(out);
        out = std::exchange(unsent_, {});
    }
    std::size_t sent = 0;
    while (sent < out.size()) {
        const auto wrote = socket_.write(std::string_view(out).substr(sent));
        if (!wrote) {
            lost_ = lost_ || wrote.error().code != ErrorCode::would_block;
            break;
        }
        sent += *wrote;
    }
    unsent_.assign(out, sent);
    out.clear();
    lost_ = lost_ || unsent_.size() > 2 * unsent_bytes_max;
}

/// Not by our own wish: refused, silent or broken by the broker.
void SimulatedDevice::on_connection_failed() {
    const Millis lived = is_online() ? now() - online_since_ : Millis(0);
    if (!is_online()) {
        around_.metrics.connect_failures.Increment();
    }
    drop_socket(true);
    ++broker_;
    if (truth_ == Truth::online) {
        set_truth(Truth::offline, TruthReason::broker);
    }
    if (lived >= settled_after) {
        back_off_.reset();
    }
    come_back_after(back_off_.next(around_.back_off, random_));
}

void SimulatedDevice::come_back_after(Millis delay) {
    const NetworkProfile& radio = profile_of(model_.plan().network);
    connect_at_ =
        now() + delay + radio.connect_latency_min + draw_below(radio.connect_latency_max - radio.connect_latency_min);
    rearm();
}

void SimulatedDevice::drop_socket(bool abruptly) {
    if (!socket_.is_open()) {
        return;
    }
    if (abruptly) {
        socket_.set_reset_on_close();  // and leaves no TIME_WAIT behind
    }
    around_.reactor.remove(socket_.fd());
    socket_.close();
    mqtt_.close();
    unsent_ = {};
    tcp_connected_ = false;
    if (leave_ == Leave::reboot) {
        model_.restart();
    }
    leave_ = Leave::no;
    telemetry_at_ = Millis::max();
    depart_at_ = Millis::max();
}

void SimulatedDevice::on_connack(const mqtt::Connack& connack) {
    if (connack.reason != mqtt::ReasonCode::success) {
        around_.note(
            Error{ErrorCode::unauthorized, "the broker refuses the device", std::string(name_of(connack.reason))});
        lost_ = true;
        return;
    }
    online_since_ = now();
    around_.metrics.connects.Increment();
    if (std::exchange(was_online_, true)) {
        around_.metrics.reconnects.Increment();
    }
    set_truth(Truth::online, TruthReason::connect);
    subscribe();
    publish(model_.birth());
    telemetry_at_ = now() + draw_below(model_.telemetry_interval());
    plan_departure();
}

void SimulatedDevice::subscribe() {
    const auto filters = model_.subscriptions();
    std::vector<mqtt::SubscribeEntry> entries;
    entries.reserve(filters.size());
    for (const std::string& filter : filters) {
        entries.push_back({filter, mqtt::SubscriptionOptions::of_qos(1)});
    }
    const auto subscribed = mqtt_.subscribe(entries, now(), around_.out);
    lost_ = lost_ || !subscribed;
}

void SimulatedDevice::on_suback(const mqtt::Suback&) {
    for (const DeviceMessage& message : model_.on_subscribed()) {
        publish(message);
    }
}

void SimulatedDevice::on_publish(const mqtt::Publish& received) {
    around_.metrics.received.Increment();
    const Millis interval = model_.telemetry_interval();
    const DeviceReaction reaction = model_.on_message(received.topic, received.payload);
    for (const DeviceMessage& message : reaction.messages) {
        publish(message);
    }
    if (model_.telemetry_interval() != interval) {
        telemetry_at_ = std::min(telemetry_at_, now() + model_.telemetry_interval());
    }
    if (reaction.reboot && leave_ != Leave::reboot) {
        leave_ = Leave::reboot;
        away_for_ = reboot_least + draw_below(reboot_spread);
        depart_at_ = now() + leave_patience;
    }
}

void SimulatedDevice::on_disconnect(const mqtt::Disconnect&) {
    lost_ = true;
}

void SimulatedDevice::on_error(const mqtt::ProtocolError&) {
    around_.metrics.protocol_errors.Increment();
    lost_ = true;
}

void SimulatedDevice::publish(const DeviceMessage& message) {
    const mqtt::Publish packet{
        .topic = message.topic, .payload = message.payload, .properties = {}, .qos = message.qos};
    const bool sent = unsent_.size() < unsent_bytes_max && mqtt_.publish(packet, now(), around_.out).has_value();
    (sent ? around_.metrics.published : around_.metrics.dropped).Increment();
}

void SimulatedDevice::publish_telemetry() {
    publish(model_.telemetry(around_.reactor.now()));
    const double jitter = 0.98 + 0.04 * random_.uniform();
    telemetry_at_ =
        now() + Millis(static_cast<std::int64_t>(jitter * static_cast<double>(model_.telemetry_interval().count())));
}

Millis SimulatedDevice::draw_below(Millis bound) {
    return Millis(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(bound.count()) + 1)));
}

Millis SimulatedDevice::draw_seconds(double least, double mean) {
    return Millis(static_cast<std::int64_t>(1000 * (least + random_.exponential(mean))));
}

void SimulatedDevice::plan_departure() {
    const PlannedDevice& plan = model_.plan();
    switch (plan.role) {
        case DeviceRole::flapper:
            depart_at_ = now() + draw_seconds(5, 25);
            break;
        case DeviceRole::sleeper:
            depart_at_ = now() + draw_seconds(20, 10);
            break;
        case DeviceRole::steady:
            depart_at_ = now() + draw_seconds(0, 3600 / profile_of(plan.network).drops_per_hour);
            break;
    }
}

void SimulatedDevice::depart() {
    if (leave_ != Leave::no) {  // patience has ended
        if (mqtt_.state() == mqtt::ClientConnection::State::connected) {
            mqtt_.disconnect(around_.out);
            flush();
        }
        leave_cleanly();
        return;
    }
    if (model_.plan().role == DeviceRole::sleeper) {
        leave_ = Leave::sleep;
        away_for_ = std::chrono::floor<Seconds>(draw_seconds(60, 120));
        depart_at_ = now() + leave_patience;
        publish(model_.sleep_notice(std::chrono::duration_cast<Seconds>(away_for_)));
        return;
    }
    const bool flaps = model_.plan().role == DeviceRole::flapper;
    drop_socket(true);
    set_truth(Truth::offline, flaps ? TruthReason::flap : TruthReason::radio);
    come_back_after(flaps ? draw_seconds(1, 8) : back_off_.next(around_.back_off, random_));
}

void SimulatedDevice::leave_cleanly() {
    const bool sleeps = leave_ == Leave::sleep;
    drop_socket(false);
    set_truth(sleeps ? Truth::sleeping : Truth::offline, sleeps ? TruthReason::sleep : TruthReason::reboot);
    connect_at_ = now() + (sleeps ? std::chrono::duration_cast<Millis>(0.98 * away_for_) : away_for_);
    rearm();
}

void SimulatedDevice::rearm() {
    const bool held = outages_ > 0 && connect_at_ <= now();
    Millis next = held ? Millis::max() : connect_at_;
    if (socket_.is_open()) {
        next = tcp_connected_ ? mqtt_.deadline() : online_since_ + around_.limits.connack_timeout;
        next = std::min({next, telemetry_at_, depart_at_});
    }
    if (next == Millis::max()) {
        around_.reactor.timers().disarm(*this);
    } else {
        around_.reactor.timers().arm(*this, next);
    }
}

void SimulatedDevice::set_truth(Truth truth, TruthReason why) {
    if (truth == truth_) {
        return;
    }
    const int change = static_cast<int>(truth == Truth::online) - static_cast<int>(truth_ == Truth::online);
    around_.metrics.connected.Increment(change);
    truth_ = truth;
    around_.truth.append(around_.reactor.now(), model_.plan().id, truth, why);
}

}  // namespace muster
