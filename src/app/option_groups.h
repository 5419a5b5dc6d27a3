#pragma once

#include <string>
#include <string_view>

#include "app/role_options.h"

namespace CLI {  // NOLINT(readability-identifier-naming): of CLI11
class App;
}

namespace muster {

// The command line's options in the groups that several commands have. Each adds its options to `command`; they write
// into `options`, whose values are the defaults.

void add_log_option(CLI::App& command, std::string& level);
void add_processor_options(CLI::App& command, ProcessorRoleOptions& options);
void add_api_options(CLI::App& command, ApiRoleOptions& options);
void add_history_options(CLI::App& command, HistoryRoleOptions& options);
void add_listener_options(CLI::App& command, GatewayRoleOptions& options);
void add_alerting_options(CLI::App& command, AlertsRoleOptions& options);
void add_limit_options(CLI::App& command, GatewayRoleOptions& options);
void add_kafka_connection(CLI::App& command, KafkaConnectionOptions& options);
void add_cluster_options(CLI::App& command, RoleProcessOptions& options, std::string_view role);
void add_redis_option(CLI::App& command, RoleProcessOptions& options);

}  // namespace muster
