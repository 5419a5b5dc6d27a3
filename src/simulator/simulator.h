#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "net/reactor.h"
#include "simulator/fleet_plan.h"
#include "simulator/fleet_shard.h"
#include "simulator/ground_truth.h"
#include "simulator/simulator_options.h"

namespace muster {

/// The simulator role: a seeded fleet over real MQTT connections, with its ground truth. Owns one thread and one
/// reactor for each of `threads`. Memory is bounded by the number of devices.
class Simulator final {
 public:
    /// Devices connect in the background; a broker that is not there yet is tried again and again. invalid_argument: as
    /// validate(); io: the ground truth file cannot be created; too_large: more devices than the process may have
    /// sockets.
    [[nodiscard]] static Result<std::unique_ptr<Simulator>> start(const SimulatorOptions& options,
                                                                  MetricRegistry& registry);
    ~Simulator();
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;

    /// Every device disconnects cleanly, threads end, the ground truth is on disk. Once.
    void stop();

    [[nodiscard]] SimulatorProgress progress() const;
    /// Some lines for people: what happened, by reason.
    [[nodiscard]] std::string summary() const;
    [[nodiscard]] const FleetPlan& plan() const { return plan_; }

 private:
    /// Calls something again and again on the first thread.
    class Repeat;
    struct Lane {
        std::unique_ptr<net::Reactor> reactor;
        std::unique_ptr<FleetShard> shard;
        std::thread thread;
    };

    Simulator(const SimulatorOptions& options, std::unique_ptr<TruthLog> truth);
    [[nodiscard]] Result<void> add_lane(std::uint32_t index, MetricRegistry& registry);
    void run();
    void report();

    const SimulatorOptions options_;
    const FleetPlan plan_;
    const std::unique_ptr<TruthLog> truth_;
    std::vector<Lane> lanes_;
    std::unique_ptr<Repeat> flushing_;  ///< of the ground truth
    std::unique_ptr<Repeat> reporting_;
    std::uint64_t published_before_ = 0;
    bool stopped_ = false;
};

}  // namespace muster
