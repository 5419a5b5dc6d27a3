#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "app/cluster_command.h"
#include "app/cluster_roles.h"
#include "app/gateway_command.h"
#include "app/history_command.h"
#include "app/role_options.h"
#include "app/rules_command.h"
#include "bus/standard_topics.h"
#include "simulator/simulator.h"

namespace muster {

/// `muster serve`: every role in one process.
struct ServeOptions {
    std::string data_directory = "muster-data";
    GatewayRoleOptions gateway;
    ProcessorRoleOptions processor;
    HistoryRoleOptions history;
    AlertsRoleOptions alerts;
    ApiRoleOptions api;
    std::int32_t partitions = 16;
    std::uint32_t commit_interval_ms = 5;
    std::uint64_t events_bytes_max = events_bytes_max_default;
    std::string log_level = "info";
    std::uint32_t canaries = 1;  ///< of each kind, 0 = none

    std::uint32_t simulate = 0;  ///< devices
    std::uint64_t simulate_seed = 42;
    std::vector<std::string> simulate_outages;
};

/// `muster simulator`: the fleet alone, against any broker.
struct SimulateOptions {
    SimulatorOptions simulator;
    std::uint32_t duration_s = 0;  ///< 0 = until Ctrl-C
    std::string log_level = "info";
};

/// What the command line, the environment and the configuration file ask for, in this order of precedence.
using Command = std::variant<ServeOptions, SimulateOptions, HistoryExportOptions, HistoryVerifyOptions,
                             GatewayDrainOptions, RulesTestOptions, GatewayProcessOptions, ProcessorProcessOptions,
                             ShadowProcessOptions, AlertsProcessOptions, ApiProcessOptions, ClusterOptions>;

/// Prints help, the version or a mistake itself; then `exit_code` is set and there is nothing to run.
struct ParsedCommandLine {
    std::optional<Command> command;
    int exit_code = 0;
};
[[nodiscard]] ParsedCommandLine parse_command_line(int argc, char** argv);

}  // namespace muster
