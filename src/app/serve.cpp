#include "app/serve.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "alerts/alerts.h"
#include "api/api.h"
#include "app/banner.h"
#include "app/pipeline_meter.h"
#include "app/process.h"
#include "app/roles.h"
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
    [[nodiscard]] Result<void> open_stores();
    [[nodiscard]] Result<void> start_folding_roles();
    [[nodiscard]] Result<void> start_alerts();
    [[nodiscard]] Result<void> start_api();
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

Result<void> Serve::start() {
    return make_data_directory(options_.data_directory)
        .map([this] { remove_endpoints(options_.data_directory); })
        .and_then([this] { return open_stores(); })
        .and_then([this] { return start_folding_roles(); })
        .and_then([this] { return naming("--http-listen", start_api()); })
        .and_then([this] {
            return naming(options_.gateway.listen.empty() ? "--mqtt-listen" : "--mqtt-listen or --listen",
                          start_gateway());
        })
        .and_then([this] { return start_canaries(); })
        .and_then([this] { return start_simulator(); })
        .and_then([this] { return write_endpoints(endpoints()); });
}

Result<void> Serve::open_stores() {
    EmbeddedBusOptions bus;
    bus.directory = path("bus");
    bus.partitions = options_.partitions;
    bus.commit_interval = Millis(options_.commit_interval_ms);
    const EmbeddedHistoryStoreOptions history = history_options(options_.history, path("history"));
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
    const ProcessorOptions processor = processor_options(options_.processor, path("processor"));
    return keep(Processor::start(processor, *bus_, *status_, *history_, clock_, metrics_), processor_)
        .and_then([this] { return start_alerts(); })
        .and_then([this] { return keep(Shadow::start({}, *bus_, *documents_, clock_, metrics_), shadow_); });
}

Result<void> Serve::start_alerts() {
    auto alerts = alerts_options(options_.alerts, clock_, metrics_);
    if (!alerts) {
        return tl::unexpected(alerts.error());
    }
    return keep(Alerts::start(std::move(*alerts), *bus_, clock_, metrics_), alerts_);
}

Result<void> Serve::start_api() {
    ApiOptions api = api_options(options_.api, options_.data_directory);
    api.pipeline = [this] { return pipeline(); };
    api.accuracy = [this] { return accuracy(); };
    return keep(Api::start(api, *bus_, *status_, *history_, *documents_, metrics_, clock_), api_);
}

Result<void> Serve::start_gateway() {
    auto options = gateway_options(options_.gateway, has_tls_);
    if (!options) {
        return tl::unexpected(options.error());
    }
    GatewayOptions& gateway = *options;
    gateway.is_operator = [this](std::string_view user, std::string_view password) {
        return user == operator_user && api_->is_operator_token(password);
    };
    canary_password_ = net::random_hex(token_bytes);
    gateway.is_canary = [this](std::string_view, std::string_view password) { return password == canary_password_; };
    gateway_since_ = clock_.now();
    return keep(Gateway::start(std::move(gateway), *bus_, *sessions_, metrics_), gateway_).map([this] {
        reported_gateway_ = gateway_.get();
    });
}

Result<void> Serve::start_canaries() {
    if (options_.canaries == 0 || options_.gateway.mqtt_listen == no_listener) {
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
    if (options_.gateway.mqtt_listen == no_listener) {
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
        health.gateways.push_back({options_.gateway.name, std::max<std::int64_t>(0, connections - accuracy().connected),
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
