#include "app/cluster_process.h"

#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include "api/access.h"
#include "api/http_server.h"
#include "api/problem.h"
#include "app/banner.h"
#include "app/process.h"
#include "app/roles.h"
#include "base/log.h"
#include "bus/kafka_bus.h"

namespace muster {
namespace {

constexpr std::size_t metrics_threads = 1;
constexpr std::size_t metrics_connections_max = 64;

HttpResponse text(std::string body, unsigned status = 200) {
    HttpResponse response;
    response.status = status;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = std::move(body);
    return response;
}

}  // namespace

ClusterProcess::ClusterProcess(std::string role, RoleProcessOptions options)
    : role_(std::move(role)), options_(std::move(options)) {}

ClusterProcess::~ClusterProcess() {
    if (metrics_server_) {
        metrics_server_->stop();
    }
}

std::string ClusterProcess::path(std::string_view name) const {
    return (std::filesystem::path(options_.data_directory) / name).string();
}

Result<void> ClusterProcess::open() {
    if (auto made = make_data_directory(options_.data_directory); !made) {
        return made;
    }
    remove_endpoints(options_.data_directory);
    auto options = kafka_bus_options(options_.kafka);
    if (!options) {
        return tl::unexpected(options.error());
    }
    KafkaBusOptions& kafka = *options;
    kafka.client = fmt::format("muster-{}-{}", role_, options_.name);
    return naming("--kafka", keep(KafkaBus::open(std::move(kafka), metrics_), bus_));
}

/// /metrics, /healthz and /readyz, for Prometheus and for whoever restarts processes. No token: loopback only.
Result<void> ClusterProcess::serve_metrics() {
    const auto listen = parse_listen_address(options_.metrics_listen);
    if (!listen) {
        return tl::unexpected(listen.error());
    }
    HttpServerOptions server;
    server.address = listen->address;
    server.port = listen->port;
    server.threads = metrics_threads;
    server.connections_max = metrics_connections_max;
    HttpCallbacks callbacks;
    callbacks.on_request = [this](const HttpRequest& request, const Respond& respond) {
        if (request.path == "/metrics") {
            return respond(text(metrics_.render()));
        }
        if (request.path == "/healthz") {
            return respond(text("ok\n"));
        }
        if (request.path == "/readyz") {
            const std::string why = running_->unready();
            return respond(why.empty() ? text("ready\n") : text(why + "\n", 503));
        }
        respond(problem(404, "there are /metrics, /healthz and /readyz here"));
    };
    callbacks.on_upgrade = [](const HttpRequest&) { return tl::unexpected(problem(404, "no WebSocket is here")); };
    callbacks.on_bad_request = [](unsigned status) { return problem(status, "this is no request"); };
    callbacks.run_aside = [](const std::function<void()>&) { return false; };
    return keep(HttpServer::start(std::move(server), std::move(callbacks), metrics_), metrics_server_).map([&] {
        metrics_address_ = fmt::format("{}:{}", listen->address, metrics_server_->port());
    });
}

Result<void> ClusterProcess::start_role(const Start& start) {
    return open()
        .and_then([&] { return keep(start(*this), running_); })
        .and_then([&] { return naming("--metrics-listen", serve_metrics()); })
        .and_then([&] {
            ProcessReport report;
            report.role = role_;
            report.name = options_.name;
            report.metrics_address = metrics_address_;
            return keep(
                ProcessReporter::start(
                    std::move(report), [this](ProcessReport& filled) { running_->fill(filled); }, *bus_, clock_),
                reporter_);
        })
        .and_then([&] {
            Endpoints endpoints;
            endpoints.mqtt = running_->mqtt();
            endpoints.http = running_->http().empty() ? metrics_address_ : running_->http();
            endpoints.data_directory = options_.data_directory;
            return write_endpoints(endpoints);
        });
}

void ClusterProcess::print_ready() const {
    fmt::print("Muster {} {} {} is ready.\n", MUSTER_VERSION, role_, options_.name);
    for (const std::string& line : running_->lines()) {
        fmt::print("  {}\n", line);
    }
    fmt::print("  Metrics     http://{}/metrics\n", metrics_address_);
    std::fflush(stdout);
}

int ClusterProcess::run(const Start& start) {
    const auto say = [this](const Error& error) {
        fmt::print(stderr, "muster {}: {}\n", role_, error.message());
        return 1;
    };
    if (const auto logging = start_log(options_.log_level); !logging) {
        return say(logging.error());
    }
    if (const auto started = start_role(start); !started) {
        return say(started.error());
    }
    print_ready();
    wait_for_stop(0, running_->has_reload() ? [this] { running_->reload(); } : std::function<void()>());
    fmt::print("Stopping; a second Ctrl-C ends at once.\n");
    std::fflush(stdout);
    remove_endpoints(options_.data_directory);
    metrics_server_->stop();
    reporter_.reset();
    running_.reset();
    fmt::print("Stopped.\n");
    return 0;
}

}  // namespace muster
