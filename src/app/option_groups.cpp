#include "app/option_groups.h"

#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "alerts/webhook_http.h"

namespace muster {

void add_log_option(CLI::App& command, std::string& level) {
    command.add_option("--log-level", level, "What is logged: trace, debug, info, warn, error, off")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}))
        ->envname("MUSTER_LOG_LEVEL")
        ->capture_default_str();
}

void add_processor_options(CLI::App& command, ProcessorRoleOptions& options) {
    command
        .add_option("--heartbeat-timeout", options.heartbeat_timeout_s,
                    "Seconds of silence after which a device is offline; a device's own setting wins")
        ->check(CLI::Range(1, 7 * 86'400))
        ->envname("MUSTER_HEARTBEAT_TIMEOUT")
        ->capture_default_str();
}

void add_api_options(CLI::App& command, ApiRoleOptions& options) {
    command.add_option("--http-listen", options.http_listen, "Address and port for the API and the dashboard")
        ->envname("MUSTER_HTTP_LISTEN")
        ->capture_default_str();
    command
        .add_option("--web-dir", options.web_directory, "Serve the dashboard from this folder, not from the program")
        ->envname("MUSTER_WEB_DIR");
}

void add_history_options(CLI::App& command, HistoryRoleOptions& options) {
    command.add_option("--history-raw-days", options.raw_days, "Days that every sample is kept")
        ->check(CLI::Range(1, 366))
        ->envname("MUSTER_HISTORY_RAW_DAYS")
        ->capture_default_str()
        ->group("History");
    command.add_option("--history-minute-days", options.minute_days, "Days that minute rollups are kept")
        ->check(CLI::Range(1, 3660))
        ->envname("MUSTER_HISTORY_MINUTE_DAYS")
        ->capture_default_str()
        ->group("History");
    command.add_option("--history-hour-days", options.hour_days, "Days that hour rollups are kept")
        ->check(CLI::Range(1, 36'600))
        ->envname("MUSTER_HISTORY_HOUR_DAYS")
        ->capture_default_str()
        ->group("History");
    command
        .add_option("--history-bytes-max", options.bytes_max,
                    "Disk for the history: over it the oldest days of samples go first; 0: what the disk can give")
        ->envname("MUSTER_HISTORY_BYTES_MAX")
        ->capture_default_str()
        ->group("History");
    command.add_option("--presence-days", options.presence_days, "Days for which every presence transition is kept")
        ->check(CLI::Range(1, 3660))
        ->envname("MUSTER_PRESENCE_DAYS")
        ->capture_default_str()
        ->group("History");
}

void add_listener_options(CLI::App& command, GatewayRoleOptions& options) {
    constexpr const char* group = "Listeners";
    command
        .add_option(
            "--mqtt-listen", options.mqtt_listen,
            "Address and port for plain MQTT, on loopback; port 0 takes a free one, 'none' listens by --listen only")
        ->envname("MUSTER_MQTT_LISTEN")
        ->capture_default_str()
        ->group(group);
    command
        .add_option("--listen", options.listen,
                    "One more listener (repeatable): mqtts://0.0.0.0:8883, wss://0.0.0.0:8443/mqtt, mqtt:// or ws://. "
                    "Options follow as ?name=value&...: cert, key, client-ca, crl (files, instead of --tls-*), "
                    "min-version (1.2, 1.3), client-certificate (required, optional, none), identity (cn, san-uri, "
                    "san-dns, none: what in the certificate is the device id), proxy (on: PROXY protocol v2), "
                    "proxy-from (10.0.0.0/8,...: the load balancers), connections-max")
        ->envname("MUSTER_LISTEN")
        ->group(group);
    command
        .add_option("--tls-cert", options.tls_certificate_file, "The server's certificate and intermediate ones, PEM")
        ->envname("MUSTER_TLS_CERT")
        ->group(group);
    command.add_option("--tls-key", options.tls_key_file, "The certificate's key, PEM, without a password")
        ->envname("MUSTER_TLS_KEY")
        ->group(group);
    command.add_option("--tls-client-ca", options.tls_client_ca_file, "Who issues the devices' certificates, PEM")
        ->envname("MUSTER_TLS_CLIENT_CA")
        ->group(group);
    command
        .add_option("--tls-crl", options.tls_crl_file,
                    "Revoked devices' certificates, PEM. All TLS files are read again when they change, and on SIGHUP")
        ->envname("MUSTER_TLS_CRL")
        ->group(group);
}

void add_alerting_options(CLI::App& command, AlertsRoleOptions& options) {
    const auto is_url = CLI::Validator(
        [](std::string& text) {
            const auto checked = check_notification_url(text);
            return checked ? std::string() : checked.error().message();
        },
        "");
    command.add_option("--rules", options.rules_file, "Alert rules of a TOML file ([[rule]] tables) or a JSON file")
        ->envname("MUSTER_RULES")
        ->group("Alerting");
    command.add_option("--webhook", options.webhook, "Post incidents to this URL when they open, worsen and end")
        ->check(is_url)
        ->envname("MUSTER_WEBHOOK")
        ->group("Alerting");
    command
        .add_option("--webhook-secret", options.webhook_secret, "Signs them (HMAC-SHA256); better in the environment")
        ->envname("MUSTER_WEBHOOK_SECRET")
        ->group("Alerting");
    command
        .add_option("--alertmanager", options.alertmanager,
                    "Base URL of a Prometheus Alertmanager that is kept told of open incidents")
        ->check(is_url)
        ->envname("MUSTER_ALERTMANAGER")
        ->group("Alerting");
    command
        .add_option("--alertmanager-resend", options.alertmanager_resend_s,
                    "Seconds between two tellings; well under Alertmanager's resolve_timeout (5 min)")
        ->check(CLI::Range(1, 240))
        ->envname("MUSTER_ALERTMANAGER_RESEND")
        ->capture_default_str()
        ->group("Alerting");
    command
        .add_option("--dashboard-url", options.dashboard_url,
                    "What others reach the dashboard by, for links to incidents")
        ->check(is_url)
        ->envname("MUSTER_DASHBOARD_URL")
        ->group("Alerting");
}

/// What the gateway allows its clients.
void add_limit_options(CLI::App& command, GatewayRoleOptions& options) {
    const auto add = [&](const char* name, auto& value, const char* help, const char* environment) {
        command.add_option(name, value, help)
            ->check(CLI::NonNegativeNumber)
            ->envname(environment)
            ->capture_default_str()
            ->group("Limits (0: none)");
    };
    add("--client-messages-per-second", options.client_messages_per_s,
        "Messages a client may publish; over it the gateway reads it more slowly, nothing is dropped",
        "MUSTER_CLIENT_MESSAGES_PER_SECOND");
    add("--client-bytes-per-second", options.client_bytes_per_s, "The same in bytes of topics and payloads",
        "MUSTER_CLIENT_BYTES_PER_SECOND");
    add("--connects-per-second", options.connects_per_s,
        "Clients accepted; those over it are refused, and MQTT 5.0 clients told when to come back",
        "MUSTER_CONNECTS_PER_SECOND");
    add("--address-connects-per-second", options.address_connects_per_s,
        "New connections from one network address; ten seconds of it may come at once",
        "MUSTER_ADDRESS_CONNECTS_PER_SECOND");
    add("--address-strangers-max", options.address_strangers_max,
        "Connections of one network address that have not yet said who they are", "MUSTER_ADDRESS_STRANGERS_MAX");
    command
        .add_flag("--limit-loopback", options.limit_loopback,
                  "The limits of network addresses also hold for this machine's own")
        ->envname("MUSTER_LIMIT_LOOPBACK")
        ->group("Limits (0: none)");
}

void add_kafka_connection(CLI::App& command, KafkaConnectionOptions& options) {
    constexpr const char* group = "Kafka";
    command
        .add_option("--kafka", options.brokers,
                    "Brokers to ask first, host:port or several with commas; they tell of the others")
        ->envname("MUSTER_KAFKA")
        ->group(group);
    command
        .add_option("--kafka-prefix", options.prefix,
                    "Put before the names of topics and groups: several Musters on one cluster")
        ->envname("MUSTER_KAFKA_PREFIX")
        ->group(group);
    command
        .add_option(
            "--kafka-setting", options.settings,
            "How to connect, by librdkafka's names (repeatable): security.protocol=ssl, ssl.ca.location=ca.pem, "
            "sasl.username=...; only security.*, ssl.*, sasl.* and socket.*")
        ->envname("MUSTER_KAFKA_SETTING")
        ->group(group);
}

void add_cluster_options(CLI::App& command, RoleProcessOptions& options, std::string_view role) {
    constexpr const char* group = "Cluster";
    add_kafka_connection(command, options.kafka);
    command.add_option("--name", options.name, fmt::format("Name of this {}: no two share one", role))
        ->envname("MUSTER_NAME")
        ->capture_default_str()
        ->group(group);
    command
        .add_option("--data-dir", options.data_directory,
                    "What this process keeps for itself; made when it is not there")
        ->envname("MUSTER_DATA_DIR")
        ->capture_default_str()
        ->group(group);
    command
        .add_option("--metrics-listen", options.metrics_listen,
                    "Address and port for /metrics, /healthz and /readyz, on loopback; port 0 takes a free one")
        ->envname("MUSTER_METRICS_LISTEN")
        ->capture_default_str()
        ->group(group);
}

void add_redis_option(CLI::App& command, RoleProcessOptions& options) {
    command
        .add_option(
            "--redis", options.redis,
            "Redis, host:port or redis://user:password@host:port/database: status of the devices, kept sessions")
        ->envname("MUSTER_REDIS")
        ->group("Cluster");
}

}  // namespace muster
