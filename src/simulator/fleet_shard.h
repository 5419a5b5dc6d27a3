#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/metrics.h"
#include "net/reactor.h"
#include "simulator/fleet_plan.h"
#include "simulator/ground_truth.h"
#include "simulator/simulated_device.h"
#include "simulator/simulator_options.h"

namespace muster {

/// The devices that one thread plays, and the outages that hit them. Owned by the Simulator; lives on its reactor's
/// thread.
class FleetShard final : net::Timer {
 public:
    /// Plays every device whose place in the plan modulo `options.threads` is `index`. The options must be valid; all
    /// references outlive the shard.
    FleetShard(const FleetPlan& plan, const SimulatorOptions& options, std::uint32_t index, net::Reactor& reactor,
               TruthLog& truth, MetricRegistry& registry);

    /// Devices begin to connect, one after the other in an order of chance, at the connect rate; outages are counted
    /// from now on.
    void start();
    /// Every device disconnects cleanly.
    void stop();

    [[nodiscard]] SimulatorProgress progress() const;
    /// By place in this shard.
    [[nodiscard]] SimulatedDevice& device(std::size_t place) { return devices_[place]; }
    [[nodiscard]] std::size_t size() const { return devices_.size(); }

 private:
    /// An outage begins or ends.
    struct Turn {
        Millis at;
        const PlannedOutage* outage;
        bool begins;
    };

    void on_timer() override;
    void apply(const Turn& turn);
    void arm_next();

    const FleetPlan& plan_;
    const SimulatorOptions& options_;
    const std::uint32_t index_;
    mqtt::ClientLimits limits_;
    FleetSurroundings around_;
    std::deque<SimulatedDevice> devices_;
    std::vector<Turn> turns_;  ///< ascending by time
    std::size_t next_turn_ = 0;
    Millis started_{0};
};

/// The brokers' addresses as the options name them; at least one.
[[nodiscard]] Result<std::vector<net::Address>> broker_addresses(const SimulatorOptions& options);

}  // namespace muster
