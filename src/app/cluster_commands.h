#pragma once

#include <optional>
#include <string>
#include <variant>

#include "app/cluster_roles.h"
#include "base/result.h"

namespace CLI {  // NOLINT(readability-identifier-naming): of CLI11
class App;
}

namespace muster {

/// The commands of the roles that run as processes of their own, as the command line knows them.
struct ClusterCommands {
    GatewayProcessOptions gateway;
    ProcessorProcessOptions processor;
    ShadowProcessOptions shadow;
    AlertsProcessOptions alerts;
    ApiProcessOptions api;
};

using ClusterCommand = std::variant<GatewayProcessOptions, ProcessorProcessOptions, ShadowProcessOptions,
                                    AlertsProcessOptions, ApiProcessOptions>;

/// Adds `gateway`, `processor`, `shadow`, `alerts` and `api`. Returns the gateway's, which has subcommands beside.
CLI::App* add_cluster_commands(CLI::App& app, ClusterCommands& commands);
/// What was asked for, with what the role must have checked and defaults made; nullopt: none of them.
[[nodiscard]] Result<std::optional<ClusterCommand>> cluster_command(const CLI::App& app, ClusterCommands& commands);

}  // namespace muster
