#include "app/roles.h"

#include <filesystem>

#include "alerts/alertmanager_notifier.h"
#include "alerts/webhook_notifier.h"
#include "app/rules_file.h"
#include "net/entropy.h"

namespace muster {

Result<void> naming(std::string_view option, Result<void> result) {
    if (!result && result.error().code != ErrorCode::corrupt &&
        result.error().message().find(option) == std::string::npos) {
        result.error().detail = fmt::format("{} (option {})", result.error().detail, option);
    }
    return result;
}

Result<void> make_data_directory(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) {
        return fail(ErrorCode::io, "cannot make the data directory; choose another with --data-dir",
                    path + ": " + error.message());
    }
    return {};
}

Result<GatewayOptions> gateway_options(const GatewayRoleOptions& given, bool& has_tls) {
    GatewayOptions gateway;
    gateway.listen.reset();
    if (given.mqtt_listen != no_listener) {
        const auto listen = net::Address::parse(given.mqtt_listen);
        if (!listen) {
            return tl::unexpected(listen.error());
        }
        gateway.listen = *listen;
    }
    const ListenerDefaults defaults{.certificate_file = given.tls_certificate_file,
                                    .key_file = given.tls_key_file,
                                    .client_ca_file = given.tls_client_ca_file,
                                    .crl_file = given.tls_crl_file};
    for (const std::string& text : given.listen) {
        auto listener = parse_listener(text, defaults);
        if (!listener) {
            return tl::unexpected(listener.error());
        }
        has_tls = has_tls || listener->has_tls();
        gateway.listeners.push_back(std::move(*listener));
    }
    gateway.name = given.name;
    gateway.threads = given.threads;
    gateway.limits.client_messages_per_s = given.client_messages_per_s;
    gateway.limits.client_bytes_per_s = given.client_bytes_per_s;
    gateway.limits.connects_per_s_max = given.connects_per_s;
    gateway.limits.address_connects_per_s = given.address_connects_per_s;
    gateway.limits.address_strangers_max = given.address_strangers_max;
    gateway.limits.limits_loopback = given.limit_loopback;
    return gateway;
}

ProcessorOptions processor_options(const ProcessorRoleOptions& given, const std::string& directory) {
    ProcessorOptions processor;
    processor.data_directory = directory;
    processor.heartbeat_timeout = Seconds(given.heartbeat_timeout_s);
    processor.threads = given.threads;
    return processor;
}

EmbeddedHistoryStoreOptions history_options(const HistoryRoleOptions& given, const std::string& directory) {
    EmbeddedHistoryStoreOptions history;
    history.directory = directory;
    history.raw_days = given.raw_days;
    history.minute_days = given.minute_days;
    history.hour_days = given.hour_days;
    history.bytes_max = given.bytes_max;
    history.transition_days = static_cast<int>(given.presence_days);
    return history;
}

Result<AlertsOptions> alerts_options(const AlertsRoleOptions& given, const Clock& clock, MetricRegistry& metrics) {
    AlertsOptions alerts;
    if (!given.rules_file.empty()) {
        auto rules = read_rules_file(given.rules_file);
        if (!rules) {
            return tl::unexpected(naming("--rules", tl::unexpected(rules.error())).error());
        }
        alerts.file_rules = std::move(*rules);
    }
    const auto add = [&](std::string sink, std::unique_ptr<Notifier> notifier) {
        alerts.notifiers.push_back(
            std::make_unique<NotificationSender>(std::move(sink), std::move(notifier), clock, metrics));
    };
    if (!given.webhook.empty()) {
        WebhookOptions webhook;
        webhook.url = given.webhook;
        webhook.secret = given.webhook_secret;
        add("webhook", std::make_unique<WebhookNotifier>(std::move(webhook)));
    }
    if (!given.alertmanager.empty()) {
        AlertmanagerOptions alertmanager;
        alertmanager.url = given.alertmanager.substr(0, given.alertmanager.find_last_not_of('/') + 1);
        alertmanager.dashboard_url = given.dashboard_url;
        alertmanager.resend = Seconds(given.alertmanager_resend_s);
        add("alertmanager", std::make_unique<AlertmanagerNotifier>(std::move(alertmanager)));
    }
    return alerts;
}

ApiOptions api_options(const ApiRoleOptions& given, const std::string& data_directory) {
    ApiOptions api;
    api.listen = given.http_listen;
    api.data_directory = data_directory;
    api.web_directory = given.web_directory;
    api.version = MUSTER_VERSION;
    api.make_token = [] { return net::random_hex(token_bytes); };
    return api;
}

}  // namespace muster
