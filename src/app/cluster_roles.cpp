#include "app/cluster_roles.h"

#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "api/tokens.h"
#include "app/cluster_process.h"
#include "app/discarding_stores.h"
#include "app/process_watch.h"
#include "app/roles.h"
#include "bus/standard_topics.h"
#include "gateway/redis_session_store.h"
#include "shadow/document_publisher.h"
#include "shadow/embedded_document_store.h"
#include "shadow/shadow.h"
#include "status/redis_status_store.h"

namespace muster {
namespace {

/// The role of type `Role`, or why it could not be started. `start` makes it ready.
template <class Role, class... Arguments>
Result<std::unique_ptr<RunningRole>> started(Arguments&&... arguments) {
    auto role = std::make_unique<Role>(std::forward<Arguments>(arguments)...);
    if (auto done = role->start(); !done) {
        return tl::unexpected(done.error());
    }
    return std::unique_ptr<RunningRole>(std::move(role));
}

/// Of a URL, or of host:port alone.
Result<RedisOptions> redis_options(const std::string& text) {
    return parse_redis_url(text.find("://") == std::string::npos ? "redis://" + text : text);
}

Result<std::unique_ptr<RedisStatusStore>> open_status(ClusterProcess& process) {
    auto redis = redis_options(process.options().redis);
    if (!redis) {
        return tl::unexpected(redis.error());
    }
    RedisStatusStoreOptions options;
    options.redis = std::move(*redis);
    options.writer = process.options().name;
    return RedisStatusStore::open(std::move(options), process.metrics());
}

// Gateway -------------------------------------------------------------------------------------------------------------

class GatewayRole final : public RunningRole {
 public:
    GatewayRole(ClusterProcess& process, GatewayProcessOptions options)
        : process_(process), options_(std::move(options)) {}

    Result<void> start() {
        options_.gateway.name = process_.options().name;
        auto gateway = gateway_options(options_.gateway, has_tls_);
        if (!gateway) {
            return tl::unexpected(gateway.error());
        }
        if (!options_.tokens_file.empty()) {
            auto tokens = Tokens::load(options_.tokens_file);
            if (!tokens) {
                return naming("--tokens", tl::unexpected(tokens.error()));
            }
            tokens_ = std::move(*tokens);
        }
        gateway->is_operator = [this](std::string_view user, std::string_view password) {
            return user == operator_user && tokens_ && tokens_->has_operator(password);
        };
        gateway->relay_messages = true;
        return naming("--redis", open_sessions()).and_then([&] {
            return naming(
                options_.gateway.listen.empty() ? "--mqtt-listen" : "--mqtt-listen or --listen",
                keep(Gateway::start(std::move(*gateway), process_.bus(), *sessions_, process_.metrics()), gateway_));
        });
    }

    Result<void> open_sessions() {
        auto redis = redis_options(process_.options().redis);
        if (!redis) {
            return tl::unexpected(redis.error());
        }
        RedisSessionStoreOptions options;
        options.redis = std::move(*redis);
        return keep(RedisSessionStore::open(std::move(options), process_.metrics()), sessions_);
    }

    void fill(ProcessReport& report) override {
        report.sessions = static_cast<std::int64_t>(gateway_->connections());
        report.draining = gateway_->is_draining();
    }
    [[nodiscard]] std::string unready() override {
        return gateway_->is_draining() ? "it sends its clients elsewhere" : std::string();
    }
    [[nodiscard]] std::vector<std::string> lines() const override {
        std::vector<std::string> lines;
        for (const std::string& url : gateway_->urls()) {
            lines.push_back("MQTT        " + url);
        }
        return lines;
    }
    void reload() override { gateway_->reload_tls(); }
    [[nodiscard]] bool has_reload() const override { return has_tls_; }
    [[nodiscard]] std::string mqtt() const override { return gateway_->address().to_string(); }

 private:
    ClusterProcess& process_;
    GatewayProcessOptions options_;
    bool has_tls_ = false;
    std::optional<Tokens> tokens_;
    std::unique_ptr<SessionStore> sessions_;
    std::unique_ptr<Gateway> gateway_;
};

// Processor -----------------------------------------------------------------------------------------------------------

class ProcessorRole final : public RunningRole {
 public:
    ProcessorRole(ClusterProcess& process, ProcessorRoleOptions options) : process_(process), options_(options) {}

    Result<void> start() {
        ProcessorOptions options = processor_options(options_, process_.path("processor"));
        options.name = process_.options().name;
        options.is_alone = false;
        return naming("--redis", keep(open_status(process_), status_)).and_then([&] {
            return keep(Processor::start(std::move(options), process_.bus(), *status_, history_, process_.clock(),
                                         process_.metrics()),
                        processor_);
        });
    }

    void fill(ProcessReport& report) override {
        const ProcessorProgress progress = processor_->progress();
        report.records = progress.records;
        report.bytes = progress.bytes;
        report.lag = progress.lag;
        report.devices = progress.devices;
        report.newest = progress.newest;
    }

 private:
    ClusterProcess& process_;
    const ProcessorRoleOptions options_;
    DiscardingHistoryStore history_;
    std::unique_ptr<StatusStore> status_;
    std::unique_ptr<Processor> processor_;
};

// Shadow --------------------------------------------------------------------------------------------------------------

class ShadowRole final : public RunningRole {
 public:
    explicit ShadowRole(ClusterProcess& process) : process_(process) {}

    Result<void> start() {
        ShadowOptions options;
        options.name = process_.options().name;
        return keep(EmbeddedDocumentStore::open(process_.path("documents")), documents_)
            .and_then([&] {
                return keep(DocumentPublisher::start(*documents_, process_.bus(), process_.metrics()), publisher_);
            })
            .and_then([&] {
                return keep(Shadow::start(std::move(options), process_.bus(), *publisher_, process_.clock(),
                                          process_.metrics()),
                            shadow_);
            });
    }

    void fill(ProcessReport&) override {}

 private:
    ClusterProcess& process_;
    std::unique_ptr<DocumentStore> documents_;
    std::unique_ptr<DocumentPublisher> publisher_;
    std::unique_ptr<Shadow> shadow_;
};

// Alerts --------------------------------------------------------------------------------------------------------------

class AlertsRole final : public RunningRole {
 public:
    AlertsRole(ClusterProcess& process, AlertsRoleOptions options) : process_(process), options_(std::move(options)) {}

    Result<void> start() {
        auto options = alerts_options(options_, process_.clock(), process_.metrics());
        if (!options) {
            return tl::unexpected(options.error());
        }
        return keep(Alerts::start(std::move(*options), process_.bus(), process_.clock(), process_.metrics()), alerts_);
    }

    void fill(ProcessReport&) override {}

 private:
    ClusterProcess& process_;
    const AlertsRoleOptions options_;
    std::unique_ptr<Alerts> alerts_;
};

// API -----------------------------------------------------------------------------------------------------------------

/// The API, and what it reads beside the status: the history, folded here from the same records by a group of its own,
/// and a copy of the shadow role's documents.
class ApiRole final : public RunningRole {
 public:
    ApiRole(ClusterProcess& process, ApiProcessOptions options) : process_(process), options_(std::move(options)) {}

    Result<void> start() {
        return naming("--redis", keep(open_status(process_), status_))
            .and_then([this] { return open_history(); })
            .and_then([this] { return keep(EmbeddedDocumentStore::open(process_.path("documents")), documents_); })
            .and_then([this] {
                return keep(DocumentFollower::start(*documents_, process_.bus(), process_.metrics()), follower_);
            })
            .and_then([this] {
                return keep(ProcessWatch::start(process_.bus(), process_.clock(), process_.metrics()), watch_);
            })
            .and_then([this] { return naming("--http-listen", start_api()); });
    }

    void fill(ProcessReport& report) override { report.lag = historian_->progress().lag; }
    [[nodiscard]] std::string unready() override {
        return follower_->caught_up() ? std::string() : "the documents are still being read from the bus";
    }
    [[nodiscard]] std::vector<std::string> lines() const override {
        return {fmt::format("Dashboard   {}/#token={}", api_->url(), api_->token(Role::admin)),
                fmt::format("API         {}/api/v1   (tokens: {})", api_->url(), process_.path("tokens.json"))};
    }
    [[nodiscard]] std::string http() const override { return api_->url().substr(std::string_view("http://").size()); }

 private:
    Result<void> open_history() {
        ProcessorOptions historian = processor_options(options_.processor, process_.path("processor"));
        historian.name = process_.options().name;
        historian.group = "history-" + process_.options().name;
        historian.only_stores = true;
        return keep(EmbeddedHistoryStore::open(history_options(options_.history, process_.path("history")),
                                               process_.metrics()),
                    history_)
            .and_then([&] {
                return keep(Processor::start(std::move(historian), process_.bus(), discarded_status_, *history_,
                                             process_.clock(), process_.metrics()),
                            historian_);
            });
    }

    Result<void> start_api() {
        ApiOptions api = api_options(options_.api, process_.options().data_directory);
        api.name = process_.options().name;
        api.pipeline = [this] { return watch_->health(); };
        return keep(Api::start(std::move(api), process_.bus(), *status_, *history_, *documents_, process_.metrics(),
                               process_.clock()),
                    api_);
    }

    ClusterProcess& process_;
    const ApiProcessOptions options_;
    DiscardingStatusStore discarded_status_;
    std::unique_ptr<StatusStore> status_;
    std::unique_ptr<HistoryStore> history_;
    std::unique_ptr<Processor> historian_;
    std::unique_ptr<DocumentStore> documents_;
    std::unique_ptr<DocumentFollower> follower_;
    std::unique_ptr<ProcessWatch> watch_;
    std::unique_ptr<Api> api_;
};

}  // namespace

int run_gateway_process(const GatewayProcessOptions& options) {
    return ClusterProcess("gateway", options.cluster).run([&](ClusterProcess& process) {
        return started<GatewayRole>(process, options);
    });
}

int run_processor_process(const ProcessorProcessOptions& options) {
    return ClusterProcess("processor", options.cluster).run([&](ClusterProcess& process) {
        return started<ProcessorRole>(process, options.processor);
    });
}

int run_shadow_process(const ShadowProcessOptions& options) {
    return ClusterProcess("shadow", options.cluster).run([](ClusterProcess& process) {
        return started<ShadowRole>(process);
    });
}

int run_alerts_process(const AlertsProcessOptions& options) {
    return ClusterProcess("alerts", options.cluster).run([&](ClusterProcess& process) {
        return started<AlertsRole>(process, options.alerts);
    });
}

int run_api_process(const ApiProcessOptions& options) {
    return ClusterProcess("api", options.cluster).run([&](ClusterProcess& process) {
        return started<ApiRole>(process, options);
    });
}

}  // namespace muster
