#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "mqtt/client_connection.h"
#include "net/address.h"
#include "net/reactor.h"
#include "net/tcp_socket.h"
#include "simulator/back_off.h"
#include "simulator/device_model.h"
#include "simulator/ground_truth.h"

namespace muster {

/// What the devices of one thread count. Each is labelled with its thread.
struct FleetMetrics {
    FleetMetrics(MetricRegistry& registry, const std::string& thread);

    Gauge& connected;
    Counter& connects;
    Counter& reconnects;        ///< connects of devices that had been connected before
    Counter& connect_failures;  ///< refused, timed out, or no descriptor left
    Counter& published;
    Counter& dropped;  ///< telemetry not sent: the broker does not read, or owes too many acknowledgements
    Counter& received;
    Counter& protocol_errors;
};

/// What the devices of one thread share: owned by their FleetShard, used by its thread.
struct FleetSurroundings {
    net::Reactor& reactor;
    const mqtt::ClientLimits& limits;
    const BackOffLimits back_off;
    const std::vector<net::Address> brokers;  ///< at least one
    const bool spread_sources;                ///< each 64 devices from an address of their own in 127.1.0.0/16
    const std::string user_name;
    const std::string password;
    TruthLog& truth;
    FleetMetrics metrics;
    LogLimit log_limit{};
    std::string out{};                              ///< one device's output at a time
    std::array<char, std::size_t{64} << 10U> in{};  ///< one device's input at a time

    /// Logs why a device cannot connect, now and then.
    void note(const Error& error);
};

/// One device on a real connection: connects, publishes, obeys, loses its network, comes back. Lives in its FleetShard
/// and on its thread. Unsent bytes are bounded by unsent_bytes_max.
class SimulatedDevice final : net::IoHandler, net::Timer, mqtt::ClientListener {
 public:
    /// Beyond it telemetry is dropped; at twice as much the connection is given up.
    static constexpr std::size_t unsent_bytes_max = std::size_t{64} << 10U;

    /// `number`: place in the fleet, which gives its source address. `plan` and `around` outlive the device.
    SimulatedDevice(const PlannedDevice& plan, std::uint32_t number, FleetSurroundings& around);
    ~SimulatedDevice() override;

    /// Connects for the first time at `at`.
    void start(Millis at);
    /// The network is gone, abruptly: the socket breaks, and nothing is tried until restore().
    void lose_network();
    /// The network is back: the device reconnects within some seconds, like its neighbours.
    void restore_network();
    /// The connection breaks now and the device comes back as fast as its back-off lets it.
    void break_connection();
    /// Disconnects cleanly and stays away.
    void stop();

    [[nodiscard]] bool is_online() const { return truth_ == Truth::online; }
    [[nodiscard]] const DeviceModel& model() const { return model_; }

 private:
    enum class Leave : std::uint8_t { no, sleep, reboot };

    void on_io(std::uint32_t events) override;
    void on_timer() override;
    void on_connack(const mqtt::Connack& connack) override;
    void on_publish(const mqtt::Publish& publish) override;
    void on_ack(const mqtt::Ack&) override {}
    void on_suback(const mqtt::Suback& suback) override;
    void on_unsuback(const mqtt::Unsuback&) override {}
    void on_disconnect(const mqtt::Disconnect& disconnect) override;
    void on_error(const mqtt::ProtocolError& error) override;

    void connect();
    void on_tcp_connected();
    void read_all(bool to_the_end);
    void flush();
    void settle();
    void on_connection_failed();
    void come_back_after(Millis delay);
    void drop_socket(bool abruptly);
    void subscribe();
    void publish(const DeviceMessage& message);
    void publish_telemetry();
    void plan_departure();
    void depart();
    void leave_cleanly();
    void rearm();
    void set_truth(Truth truth, TruthReason why);
    [[nodiscard]] Millis draw_below(Millis bound);
    [[nodiscard]] Millis draw_seconds(double least, double mean);
    [[nodiscard]] Millis now() const { return around_.reactor.monotonic(); }

    FleetSurroundings& around_;
    DeviceModel model_;
    Random random_;
    mqtt::ClientConnection mqtt_;
    net::TcpSocket socket_;
    std::string unsent_;
    // Deadlines; Millis::max() = none.
    Millis connect_at_ = Millis::max();
    Millis telemetry_at_ = Millis::max();
    Millis depart_at_ = Millis::max();  ///< next flap, sleep or radio loss; while leaving: when patience ends
    Millis online_since_{0};
    Millis away_for_{0};  ///< after a planned sleep or reboot
    const std::uint32_t number_;
    std::uint32_t broker_;       ///< whose turn it is, modulo how many there are
    std::uint16_t outages_ = 0;  ///< that hold it at present
    BackOff back_off_;
    Truth truth_ = Truth::offline;
    Leave leave_ = Leave::no;
    bool tcp_connected_ = false;
    bool lost_ = false;  ///< the connection ended within this event; settle() draws the consequence
    bool was_online_ = false;
    bool stopped_ = false;
};

}  // namespace muster
