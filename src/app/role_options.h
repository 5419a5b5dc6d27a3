#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/cluster_command.h"

namespace muster {

// What each role can be told, whether it runs in `muster serve` or as a process of its own. Plain values, as the
// command line gives them; roles.h makes the roles' own options of them.

struct GatewayRoleOptions {
    std::string name = "gw-1";
    std::string mqtt_listen = "127.0.0.1:1883";  ///< "none": only the others
    std::vector<std::string> listen{};           ///< more listeners, each as parse_listener() takes it
    std::string tls_certificate_file{};
    std::string tls_key_file{};
    std::string tls_client_ca_file{};
    std::string tls_crl_file{};
    std::uint32_t threads = 2;
    // Rates; 0 = no limit.
    double client_messages_per_s = 0;
    double client_bytes_per_s = 0;
    double connects_per_s = 0;
    double address_connects_per_s = 1000;
    std::uint32_t address_strangers_max = 2000;
    bool limit_loopback = false;
};

struct ProcessorRoleOptions {
    std::uint32_t heartbeat_timeout_s = 60;  ///< design: silent for 60 s is offline
    std::uint32_t threads = 1;
};

struct HistoryRoleOptions {
    int raw_days = 7;
    int minute_days = 30;
    int hour_days = 5 * 365;
    std::uint64_t bytes_max = 0;  ///< 0: what the disk can give
    std::uint32_t presence_days = 90;
};

struct AlertsRoleOptions {
    std::string rules_file;      ///< TOML or JSON; empty: the built-in rule and those of the API
    std::string webhook;         ///< URL that incidents are posted to; empty: none
    std::string webhook_secret;  ///< that signs them
    std::string alertmanager;    ///< base URL of a Prometheus Alertmanager; empty: none
    std::uint32_t alertmanager_resend_s = 30;
    std::string dashboard_url;  ///< what others reach the dashboard by, for links in notifications
};

struct ApiRoleOptions {
    std::string http_listen = "127.0.0.1:8080";
    std::string web_directory;
};

/// Where the servers are that the roles of a cluster share.
struct RoleProcessOptions {
    KafkaConnectionOptions kafka;
    std::string redis;                           ///< "127.0.0.1:6379"
    std::string name;                            ///< of this process: no two of one role share it
    std::string data_directory;                  ///< of what this process alone keeps
    std::string metrics_listen = "127.0.0.1:0";  ///< /metrics, /healthz, /readyz
    std::string log_level = "info";
};

}  // namespace muster
