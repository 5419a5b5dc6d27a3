#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "app/cluster_command.h"
#include "app/gateway_command.h"
#include "app/history_command.h"
#include "app/rules_command.h"
#include "simulator/simulator.h"

namespace muster {

/// `muster serve`: every role in one process.
struct ServeOptions {
    std::string data_directory = "muster-data";
    std::string mqtt_listen = "127.0.0.1:1883";  ///< "none": only the others
    std::vector<std::string> listen{};           ///< more listeners, each as parse_listener() takes it
    std::string tls_certificate_file{};
    std::string tls_key_file{};
    std::string tls_client_ca_file{};
    std::string tls_crl_file{};
    std::string http_listen = "127.0.0.1:8080";
    std::string gateway_name = "gw-1";
    std::uint32_t heartbeat_timeout_s = 60;  ///< design: silent for 60 s is offline
    std::uint32_t gateway_threads = 2;
    std::uint32_t processor_threads = 1;
    std::int32_t partitions = 16;
    std::uint32_t commit_interval_ms = 5;
    std::uint64_t events_bytes_max = 4ULL << 30U;
    int history_raw_days = 7;
    int history_minute_days = 30;
    int history_hour_days = 5 * 365;
    std::uint64_t history_bytes_max = 0;  ///< 0: what the disk can give
    std::uint32_t presence_days = 90;
    std::string rules_file;      ///< TOML or JSON; empty: the built-in rule and those of the API
    std::string webhook;         ///< URL that incidents are posted to; empty: none
    std::string webhook_secret;  ///< that signs them
    std::string alertmanager;    ///< base URL of a Prometheus Alertmanager; empty: none
    std::uint32_t alertmanager_resend_s = 30;
    std::string dashboard_url;  ///< what others reach the dashboard by, for links in notifications
    std::string web_directory;
    std::string log_level = "info";

    std::uint32_t canaries = 1;  ///< of each kind, 0 = none
    // Rates of the gateway; 0 = no limit.
    double client_messages_per_s = 0;
    double client_bytes_per_s = 0;
    double connects_per_s = 0;
    double address_connects_per_s = 1000;
    std::uint32_t address_strangers_max = 2000;
    bool limit_loopback = false;

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
                             GatewayDrainOptions, RulesTestOptions, ClusterOptions>;

/// Prints help, the version or a mistake itself; then `exit_code` is set and there is nothing to run.
struct ParsedCommandLine {
    std::optional<Command> command;
    int exit_code = 0;
};
[[nodiscard]] ParsedCommandLine parse_command_line(int argc, char** argv);

}  // namespace muster
