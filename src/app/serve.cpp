#include "app/serve.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "alerts/alertmanager_notifier.h"
#include "alerts/alerts.h"
#include "alerts/webhook_notifier.h"
#include "api/api.h"
#include "app/banner.h"
#include "app/pipeline_meter.h"
#include "app/process.h"
#include "app/rules_file.h"
#include "base/log.h"
#include "bus/embedded_bus.h"
#include "bus/standard_topics.h"
#include "canary/canaries.h"
#include "gateway/embedded_session_store.h"
#include "gateway/gateway.h"
#include "history/embedded_history_store.h"
#include "net/entropy.h"
#include "net/system_clock.h"
#include "processor/processor.h"
#include "shadow/embedded_document_store.h"
#include "shadow/shadow.h"
#include "simulator/simulator.h"
#include "status/embedded_status_store.h"

namespace muster {
namespace {

constexpr std::size_t token_bytes = 24;
constexpr std::string_view no_listener = "none";

/// Everything that `muster serve` runs. Members stand in the order in which they start: their destructors stop them in
/// reverse, devices first and stores last.
class Serve final {
 public:
    explicit Serve(const ServeOptions& options) : options_(options), meter_(clock_) {}

    [[nodiscard]] Result<void> start();
    [[nodiscard]] Endpoints endpoints() const;
    [[nodiscard]] bool has_tls() const { return has_tls_; }
    /// Certificates, keys and revocation lists.
    void reload_tls() { gateway_->reload_tls(); }

 private:
    [[nodiscard]] Result<void> make_data_directory() const;
    [[nodiscard]] Result<void> open_stores();
    [[nodiscard]] Result<void> start_folding_roles();
    [[nodiscard]] Result<void> start_alerts();
    [[nodiscard]] Result<void> start_api();
    [[nodiscard]] Result<void> read_listeners(GatewayOptions& gateway);
    [[nodiscard]] Result<void> start_gateway();
    [[nodiscard]] Result<void> start_canaries();
    [[nodiscard]] Result<void> start_simulator();
    [[nodiscard]] PipelineHealth pipeline();
    [[nodiscard]] DetectionAccuracy accuracy() const;
    [[nodiscard]] std::string path(std::string_view name) const {
        return (std::filesystem::path(options_.data_directory) / name).string();
    }

    const ServeOptions options_;
    net::SystemClock clock_;
    PipelineMeter meter_;
    MetricRegistry metrics_;
    Timestamp gateway_since_{};
    bool has_tls_ = false;
    /// The gateway starts after the API that reports on it; null until then.
    std::atomic<const Gateway*> reported_gateway_{nullptr};
    std::atomic<const Canaries*> reported_canaries_{nullptr};
    std::string canary_password_;

    std::unique_ptr<Bus> bus_;
    std::unique_ptr<SessionStore> sessions_;
    std::unique_ptr<StatusStore> status_;
    std::unique_ptr<HistoryStore> history_;
    std::unique_ptr<DocumentStore> documents_;
    std::unique_ptr<Processor> processor_;
    std::unique_ptr<Alerts> alerts_;
    std::unique_ptr<Shadow> shadow_;
    std::unique_ptr<Canaries> canaries_;  ///< started after the gateway; the API asks it to the last
    std::unique_ptr<Api> api_;
    std::unique_ptr<Gateway> gateway_;
    std::unique_ptr<Simulator> simulator_;
};

/// Keeps what was started in its place, or passes on why it was not.
template <class Started, class Place>
Result<void> keep(Result<std::unique_ptr<Started>> started, std::unique_ptr<Place>& place) {
    if (!started) {
        return tl::unexpected(started.error());
    }
    place = std::move(*started);
    return {};
}

/// A start-up error that an option can mend says which.
Result<void> naming(std::string_view option, Result<void> result) {
    if (!result && result.error().code != ErrorCode::corrupt &&
        result.error().message().find(option) == std::string::npos) {
        result.error().detail = fmt::format("{} (option {})", result.error().detail, option);
    }
    return result;
}

Result<void> Serve::start() {
    return make_data_directory()
        .and_then([this] { return open_stores(); })
        .and_then([this] { return start_folding_roles(); })
        .and_then([this] { return naming("--http-listen", start_api()); })
        .and_then([this] {
            return naming(options_.listen.empty() ? "--mqtt-listen" : "--mqtt-listen or --listen", start_gateway());
        })
        .and_then([this] { return start_canaries(); })
        .and_then([this] { return start_simulator(); })
        .and_then([this] { return write_endpoints(endpoints()); });
}

Result<void> Serve::make_data_directory() const {
    std::error_code error;
    std::filesystem::create_directories(options_.data_directory, error);
    if (error) {
        return fail(ErrorCode::io, "cannot make the data directory; choose another with --data-dir",
                    options_.data_directory + ": " + error.message());
    }
    remove_endpoints(options_.data_directory);
    return {};
}

Result<void> Serve::open_stores() {
    EmbeddedBusOptions bus;
    bus.directory = path("bus");
    bus.partitions = options_.partitions;
    bus.commit_interval = Millis(options_.commit_interval_ms);
    EmbeddedHistoryStoreOptions history;
    history.directory = path("history");
    history.raw_days = options_.history_raw_days;
    history.minute_days = options_.history_minute_days;
    history.hour_days = options_.history_hour_days;
    history.bytes_max = options_.history_bytes_max;
    history.transition_days = static_cast<int>(options_.presence_days);
    return keep(EmbeddedBus::open(bus, metrics_), bus_)
        .and_then([this]() -> Result<void> {
            for (const TopicSpec& spec : standard_topics(options_.events_bytes_max)) {
                if (auto opened = bus_->open_topic(spec); !opened) {
                    return tl::unexpected(opened.error());
                }
            }
            return {};
        })
        .and_then([this] { return keep(EmbeddedSessionStore::open(path("sessions")), sessions_); })
        .and_then([this] { return keep(EmbeddedStatusStore::open({path("status")}, metrics_), status_); })
        .and_then([this, &history] { return keep(EmbeddedHistoryStore::open(history, metrics_), history_); })
        .and_then([this] { return keep(EmbeddedDocumentStore::open(path("documents")), documents_); });
}

Result<void> Serve::start_folding_roles() {
    ProcessorOptions processor;
    processor.data_directory = path("processor");
    processor.heartbeat_timeout = Seconds(options_.heartbeat_timeout_s);
    processor.threads = options_.processor_threads;
    return keep(Processor::start(processor, *bus_, *status_, *history_, clock_, metrics_), processor_)
        .and_then([this] { return start_alerts(); })
        .and_then([this] { return keep(Shadow::start({}, *bus_, *documents_, clock_, metrics_), shadow_); });
}

Result<void> Serve::start_alerts() {
    AlertsOptions alerts;
    if (!options_.rules_file.empty()) {
        auto rules = read_rules_file(options_.rules_file);
        if (!rules) {
            return naming("--rules", tl::unexpected(rules.error()));
        }
        alerts.file_rules = std::move(*rules);
    }
    const auto add = [&](std::string sink, std::unique_ptr<Notifier> notifier) {
        alerts.notifiers.push_back(
            std::make_unique<NotificationSender>(std::move(sink), std::move(notifier), clock_, metrics_));
    };
    if (!options_.webhook.empty()) {
        WebhookOptions webhook;
        webhook.url = options_.webhook;
        webhook.secret = options_.webhook_secret;
        add("webhook", std::make_unique<WebhookNotifier>(std::move(webhook)));
    }
    if (!options_.alertmanager.empty()) {
        AlertmanagerOptions alertmanager;
        alertmanager.url = options_.alertmanager.substr(0, options_.alertmanager.find_last_not_of('/') + 1);
        alertmanager.dashboard_url = options_.dashboard_url;
        alertmanager.resend = Seconds(options_.alertmanager_resend_s);
        add("alertmanager", std::make_unique<AlertmanagerNotifier>(std::move(alertmanager)));
    }
    return keep(Alerts::start(std::move(alerts), *bus_, clock_, metrics_), alerts_);
}

Result<void> Serve::start_api() {
    ApiOptions api;
    api.listen = options_.http_listen;
    api.data_directory = options_.data_directory;
    api.web_directory = options_.web_directory;
    api.version = MUSTER_VERSION;
    api.make_token = [] { return net::random_hex(token_bytes); };
    api.pipeline = [this] { return pipeline(); };
    api.accuracy = [this] { return accuracy(); };
    return keep(Api::start(api, *bus_, *status_, *history_, *documents_, metrics_, clock_), api_);
}

Result<void> Serve::read_listeners(GatewayOptions& gateway) {
    gateway.listen.reset();
    if (options_.mqtt_listen != no_listener) {
        const auto listen = net::Address::parse(options_.mqtt_listen);
        if (!listen) {
            return tl::unexpected(listen.error());
        }
        gateway.listen = *listen;
    }
    const ListenerDefaults defaults{.certificate_file = options_.tls_certificate_file,
                                    .key_file = options_.tls_key_file,
                                    .client_ca_file = options_.tls_client_ca_file,
                                    .crl_file = options_.tls_crl_file};
    for (const std::string& text : options_.listen) {
        auto listener = parse_listener(text, defaults);
        if (!listener) {
            return tl::unexpected(listener.error());
        }
        has_tls_ = has_tls_ || listener->has_tls();
        gateway.listeners.push_back(std::move(*listener));
    }
    return {};
}

Result<void> Serve::start_gateway() {
    GatewayOptions gateway;
    if (auto read = read_listeners(gateway); !read) {
        return read;
    }
    gateway.name = options_.gateway_name;
    gateway.threads = options_.gateway_threads;
    gateway.is_operator = [this](std::string_view user, std::string_view password) {
        return user == "operator" && api_->is_operator_token(password);
    };
    canary_password_ = net::random_hex(token_bytes);
    gateway.is_canary = [this](std::string_view, std::string_view password) { return password == canary_password_; };
    gateway.limits.client_messages_per_s = options_.client_messages_per_s;
    gateway.limits.client_bytes_per_s = options_.client_bytes_per_s;
    gateway.limits.connects_per_s_max = options_.connects_per_s;
    gateway.limits.address_connects_per_s = options_.address_connects_per_s;
    gateway.limits.address_strangers_max = options_.address_strangers_max;
    gateway.limits.limits_loopback = options_.limit_loopback;
    gateway_since_ = clock_.now();
    return keep(Gateway::start(gateway, *bus_, *sessions_, metrics_), gateway_).map([this] {
        reported_gateway_ = gateway_.get();
    });
}

Result<void> Serve::start_canaries() {
    if (options_.canaries == 0 || options_.mqtt_listen == no_listener) {
        return {};  // they speak plain MQTT
    }
    CanariesOptions canaries;
    canaries.broker = gateway_->address();
    canaries.password = canary_password_;
    canaries.of_each_kind = options_.canaries;
    return keep(Canaries::start(std::move(canaries), *status_, metrics_), canaries_).map([this] {
        reported_canaries_ = canaries_.get();
    });
}

Result<void> Serve::start_simulator() {
    if (options_.simulate == 0) {
        return {};
    }
    if (options_.mqtt_listen == no_listener) {
        return fail(ErrorCode::invalid_argument, "the simulated devices speak plain MQTT: they need --mqtt-listen");
    }
    SimulatorOptions simulator;
    simulator.broker = gateway_->address().to_string();
    simulator.scenario.devices = options_.simulate;
    simulator.scenario.seed = options_.simulate_seed;
    if (!options_.simulate_outages.empty()) {
        simulator.scenario.outages.clear();
        for (const auto& text : options_.simulate_outages) {
            simulator.scenario.outages.push_back(*parse_outage(text));
        }
    }
    return keep(Simulator::start(simulator, metrics_), simulator_);
}

PipelineHealth Serve::pipeline() {
    PipelineHealth health;
    meter_.measure(processor_->progress(), health);
    if (const Gateway* gateway = reported_gateway_) {
        const auto connections = static_cast<std::int64_t>(gateway->connections());
        health.gateways.push_back({options_.gateway_name, std::max<std::int64_t>(0, connections - accuracy().connected),
                                   gateway_since_, gateway->is_draining()});
    }
    return health;
}

DetectionAccuracy Serve::accuracy() const {
    const Canaries* const canaries = reported_canaries_;
    return canaries == nullptr ? DetectionAccuracy{} : canaries->accuracy();
}

Endpoints Serve::endpoints() const {
    Endpoints endpoints;
    endpoints.mqtt = gateway_->address().to_string();
    endpoints.listeners = gateway_->urls();
    endpoints.http = api_->url().substr(std::string_view("http://").size());
    endpoints.token = api_->token(Role::admin);
    endpoints.data_directory = options_.data_directory;
    endpoints.simulated_devices = options_.simulate;
    return endpoints;
}

}  // namespace

int run_serve(const ServeOptions& options) {
    if (const auto logging = start_log(options.log_level); !logging) {
        fmt::print(stderr, "muster serve: {}\n", logging.error().message());
        return 1;
    }
    {
        Serve serve(options);
        if (const auto started = serve.start(); !started) {
            fmt::print(stderr, "muster serve: {}\n", started.error().message());
            return 1;
        }
        fmt::print("{}", banner(serve.endpoints(), MUSTER_VERSION));
        std::fflush(stdout);
        wait_for_stop(0, serve.has_tls() ? [&] { serve.reload_tls(); } : std::function<void()>());
        fmt::print("\nStopping; a second Ctrl-C ends at once.\n");
        std::fflush(stdout);
        remove_endpoints(options.data_directory);
    }
    fmt::print("Stopped.\n");
    return 0;
}

}  // namespace muster
