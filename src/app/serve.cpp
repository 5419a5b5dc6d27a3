#include "app/serve.h"

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "alerts/alerts.h"
#include "api/api.h"
#include "app/banner.h"
#include "app/pipeline_meter.h"
#include "app/process.h"
#include "base/log.h"
#include "bus/embedded_bus.h"
#include "bus/standard_topics.h"
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

/// Everything that `muster serve` runs. Members stand in the order in which they start: their destructors stop them in
/// reverse, devices first and stores last.
class Serve final {
 public:
    explicit Serve(const ServeOptions& options) : options_(options), meter_(clock_) {}

    [[nodiscard]] Result<void> start();
    [[nodiscard]] Endpoints endpoints() const;

 private:
    [[nodiscard]] Result<void> make_data_directory() const;
    [[nodiscard]] Result<void> open_stores();
    [[nodiscard]] Result<void> start_folding_roles();
    [[nodiscard]] Result<void> start_api();
    [[nodiscard]] Result<void> start_gateway();
    [[nodiscard]] Result<void> start_simulator();
    [[nodiscard]] PipelineHealth pipeline();
    [[nodiscard]] std::string path(std::string_view name) const {
        return (std::filesystem::path(options_.data_directory) / name).string();
    }

    const ServeOptions options_;
    net::SystemClock clock_;
    PipelineMeter meter_;
    MetricRegistry metrics_;
    Timestamp gateway_since_{};
    /// The gateway starts after the API that reports on it; null until then.
    std::atomic<const Gateway*> reported_gateway_{nullptr};

    std::unique_ptr<Bus> bus_;
    std::unique_ptr<SessionStore> sessions_;
    std::unique_ptr<StatusStore> status_;
    std::unique_ptr<HistoryStore> history_;
    std::unique_ptr<DocumentStore> documents_;
    std::unique_ptr<Processor> processor_;
    std::unique_ptr<Alerts> alerts_;
    std::unique_ptr<Shadow> shadow_;
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
        .and_then([this] { return naming("--mqtt-listen", start_gateway()); })
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
        .and_then([this] { return keep(Alerts::start({}, *bus_, clock_, metrics_), alerts_); })
        .and_then([this] { return keep(Shadow::start({}, *bus_, *documents_, clock_, metrics_), shadow_); });
}

Result<void> Serve::start_api() {
    ApiOptions api;
    api.listen = options_.http_listen;
    api.data_directory = options_.data_directory;
    api.web_directory = options_.web_directory;
    api.version = MUSTER_VERSION;
    api.make_token = [] { return net::random_hex(token_bytes); };
    api.pipeline = [this] { return pipeline(); };
    return keep(Api::start(api, *bus_, *status_, *history_, *documents_, metrics_, clock_), api_);
}

Result<void> Serve::start_gateway() {
    const auto listen = net::Address::parse(options_.mqtt_listen);
    if (!listen) {
        return tl::unexpected(listen.error());
    }
    GatewayOptions gateway;
    gateway.name = options_.gateway_name;
    gateway.listen = *listen;
    gateway.threads = options_.gateway_threads;
    gateway.is_operator = [this](std::string_view user, std::string_view password) {
        return user == "operator" && api_->is_operator_token(password);
    };
    gateway_since_ = clock_.now();
    return keep(Gateway::start(gateway, *bus_, *sessions_, metrics_), gateway_).map([this] {
        reported_gateway_ = gateway_.get();
    });
}

Result<void> Serve::start_simulator() {
    if (options_.simulate == 0) {
        return {};
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
        health.gateways.push_back(
            {options_.gateway_name, static_cast<std::int64_t>(gateway->connections()), gateway_since_});
    }
    return health;
}

Endpoints Serve::endpoints() const {
    Endpoints endpoints;
    endpoints.mqtt = gateway_->address().to_string();
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
        wait_for_stop();
        fmt::print("\nStopping; a second Ctrl-C ends at once.\n");
        std::fflush(stdout);
        remove_endpoints(options.data_directory);
    }
    fmt::print("Stopped.\n");
    return 0;
}

}  // namespace muster
