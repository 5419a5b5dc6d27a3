#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace muster {

/// How the pipeline before the api role is doing, as far as this process can see it. A plain value: the wiring fills it
/// from the roles' metrics whenever the api asks (ApiOptions::pipeline), at most a few times a second, from any thread.
struct PipelineHealth {
    struct Gateway {
        std::string name;
        std::int64_t sessions = 0;
        Timestamp since{};      ///< when this incarnation started
        bool draining = false;  ///< sends its clients elsewhere
    };

    /// One process of a cluster, of any role.
    struct Process {
        std::string role;  ///< "gateway", "processor", "shadow", "alerts", "api"
        std::string name;
        Timestamp since{};          ///< its start
        std::uint64_t lag = 0;      ///< processor: durable records not yet folded
        std::uint64_t devices = 0;  ///< processor: of its partitions
    };

    double records_per_s = 0;  ///< processed, over the last seconds
    double bytes_per_s = 0;
    Timestamp newest{};  ///< newest partition time of the processor; epoch 0 = it has not seen a record yet
    std::vector<Gateway> gateways;
    std::vector<Process> processes{};  ///< of a cluster; empty where one process is everything
};

}  // namespace muster
