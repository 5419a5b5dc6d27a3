#pragma once

#include <string>

#include "app/role_options.h"

namespace muster {

// `muster gateway`, `processor`, `shadow`, `alerts` and `api`: each role as a process of its own, on Kafka and Redis.
// Each runs until SIGINT or SIGTERM and returns the exit code.

struct GatewayProcessOptions {
    RoleProcessOptions cluster;
    GatewayRoleOptions gateway;
    std::string tokens_file;  ///< the API's tokens.json: whose operators may connect; empty: no operators
};

struct ProcessorProcessOptions {
    RoleProcessOptions cluster;
    ProcessorRoleOptions processor;
};

struct ShadowProcessOptions {
    RoleProcessOptions cluster;
};

struct AlertsProcessOptions {
    RoleProcessOptions cluster;
    AlertsRoleOptions alerts;
};

struct ApiProcessOptions {
    RoleProcessOptions cluster;
    ApiRoleOptions api;
    HistoryRoleOptions history;
    ProcessorRoleOptions processor;  ///< of the history: the same heartbeat timeout as the processors have
};

[[nodiscard]] int run_gateway_process(const GatewayProcessOptions& options);
[[nodiscard]] int run_processor_process(const ProcessorProcessOptions& options);
[[nodiscard]] int run_shadow_process(const ShadowProcessOptions& options);
[[nodiscard]] int run_alerts_process(const AlertsProcessOptions& options);
[[nodiscard]] int run_api_process(const ApiProcessOptions& options);

}  // namespace muster
