#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "simulator/back_off.h"
#include "simulator/scenario.h"

namespace muster {

/// How the fleet is doing, since the start unless said.
struct SimulatorProgress {
    std::uint32_t devices = 0;
    std::uint32_t connected = 0;  ///< now
    std::uint64_t connects = 0;
    std::uint64_t reconnects = 0;
    std::uint64_t connect_failures = 0;
    std::uint64_t published = 0;
    std::uint64_t received = 0;
    std::uint64_t dropped = 0;
    double published_per_s = 0;  ///< since the last report
};

/// "982 of 1000 devices connected, 33 messages/s, 41 reconnects, 0 failed connects".
[[nodiscard]] std::string to_string(const SimulatorProgress& progress);

/// Everything about a run of the simulator: a plain value.
struct SimulatorOptions {
    Scenario scenario;
    /// address:port, numeric; "localhost:…" is 127.0.0.1. Several with commas: the devices are spread over them, and
    /// one that cannot connect or was dropped tries the next.
    std::string broker = "127.0.0.1:1883";
    std::string user_name;  ///< MQTT user name of every device; empty = none
    std::string password;
    std::string truth_file;  ///< ground truth as JSON lines; empty = none
    std::uint32_t threads = 1;
    double connect_rate = 500;   ///< first connects a second
    BackOffLimits back_off;      ///< of a device that cannot connect or was dropped
    bool spread_sources = true;  ///< over 127.1.0.0/16 when the broker is on loopback, so that over 28,000 can connect
    Millis progress_interval{5'000};  ///< 0 = no reports
    /// Called on a simulator's thread; without it reports are logged.
    std::function<void(const SimulatorProgress&)> on_progress;
};

/// One sentence an administrator understands for the first thing that is wrong.
[[nodiscard]] Result<void> validate(const SimulatorOptions& options);

}  // namespace muster
