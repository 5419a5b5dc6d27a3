#include "api/api.h"

#include <cerrno>
#include <condition_variable>
#include <cstring>

#include <fmt/format.h>
#include <sys/stat.h>

#include "api/access.h"
#include "api/change_requests.h"
#include "api/device_queries.h"
#include "api/dispatcher.h"
#include "api/explain_queries.h"
#include "api/fleet_queries.h"
#include "api/gateway_requests.h"
#include "api/history_queries.h"
#include "api/http_server.h"
#include "api/incident_feed.h"
#include "api/json_writer.h"
#include "api/live.h"
#include "api/past_queries.h"
#include "api/policy_book.h"
#include "api/policy_requests.h"
#include "api/problem.h"
#include "api/region_history.h"
#include "api/request_channel.h"
#include "api/rule_book.h"
#include "api/rule_routes.h"
#include "api/slow_lane.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/thread.h"
#include "contract/identity.h"

namespace muster {
namespace {

/// Calls a function every `interval` from a thread of its own until stop(). A call that takes longer delays the next.
class Pacer final {
 public:
    void start(Millis interval, std::function<void()> function) {
        thread_ = start_thread("api-pacer", [this, interval, function = std::move(function)] {
            std::unique_lock lock(mutex_);
            while (!wake_.wait_for(lock, interval, [this] { return stopping_; })) {
                lock.unlock();
                function();
                lock.lock();
            }
        });
    }
    ~Pacer() { stop(); }
    Pacer() = default;
    Pacer(const Pacer&) = delete;
    Pacer& operator=(const Pacer&) = delete;

    void stop() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

 private:
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;  // under mutex_
    std::thread thread_;
};

Result<void> make_directory(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail(ErrorCode::io, "api: cannot make the data directory",
                    fmt::format("{}: {}", path, std::strerror(errno)));
    }
    return {};
}

Result<StaticFiles> static_files(const std::string& web_directory) {
    return web_directory.empty() ? StaticFiles(bundled_web()) : StaticFiles::from_directory(web_directory);
}

}  // namespace

/// The role's parts in the order in which they may depend on each other; the server, which calls all others, comes
/// last.
struct Api::Parts {
    Parts(ApiOptions given, StatusStore& status_store, HistoryStore& history, DocumentStore& documents,
          MetricRegistry& registry, const Clock& wall)
        : options(std::move(given)),
          status(status_store),
          history_store(history),
          metrics(registry),
          clock(wall),
          incidents(options.incidents_max),
          rates(registry, wall),
          slow(registry),
          region_history(history, slow, wall, registry),
          fleet({status_store, incidents, rates, options.pipeline, wall, options.version,
                 [this](Timestamp now, const auto& regions) { region_history.keep(now, regions); }}),
          devices({status_store, history, documents, wall}),
          past(history, slow),
          histories(history, status_store, slow, wall),
          live({options.live_sessions_max, options.version}, fleet, devices, registry, wall) {}

    Result<void> start(Bus& bus, const ListenAddress& listen);
    [[nodiscard]] std::vector<Route> routes();
    [[nodiscard]] HttpResponse ready();
    void stop();

    ApiOptions options;
    StatusStore& status;
    HistoryStore& history_store;
    MetricRegistry& metrics;
    const Clock& clock;
    std::string address;  ///< as it stands in a URL
    std::unique_ptr<AuditLog> audit;
    IncidentTable incidents;
    FleetRates rates;
    SlowLane slow;
    RegionHistory region_history;
    FleetQueries fleet;
    DeviceQueries devices;
    PastQueries past;
    HistoryQueries histories;
    LiveStream live;
    std::unique_ptr<IncidentFeed> feed;
    std::unique_ptr<RequestChannel> channel;
    std::unique_ptr<ChangeRequests> changes;
    std::unique_ptr<GatewayRequests> gateways;
    std::unique_ptr<PolicyBook> policy;
    std::unique_ptr<PolicyRequests> policy_requests;
    std::unique_ptr<ExplainQueries> explanations;
    std::unique_ptr<RuleBook> rules;
    std::unique_ptr<RuleRoutes> rule_routes;
    std::unique_ptr<Dispatcher> dispatcher;
    std::atomic<bool> pipeline_seen{false};
    Pacer pacer;
    std::unique_ptr<HttpServer> server;
    std::shared_ptr<void> watch;
};

Result<void> Api::Parts::start(Bus& bus, const ListenAddress& listen) {
    auto files = static_files(options.web_directory);
    auto made = make_directory(options.data_directory);
    if (!files || !made) {
        return tl::unexpected(!files ? files.error() : made.error());
    }
    auto tokens = Tokens::load_or_create(options.data_directory + "/tokens.json", options.make_token);
    auto log = AuditLog::open(options.data_directory + "/audit.log", metrics);
    if (!tokens || !log) {
        return tl::unexpected(!tokens ? tokens.error() : log.error());
    }
    audit = std::move(*log);
    auto alerts =
        IncidentFeed::start(bus, incidents, [this](const Incident& incident) { live.on_incident(incident); }, metrics);
    if (!alerts) {
        return tl::unexpected(alerts.error());
    }
    feed = std::move(*alerts);
    RequestChannelOptions channel_options;
    channel_options.name = options.name;
    channel_options.pending_max = options.pending_replies_max;
    channel_options.timeout = options.reply_timeout;
    auto requests = RequestChannel::start(std::move(channel_options), bus, metrics, clock);
    if (!requests) {
        return tl::unexpected(requests.error());
    }
    channel = std::move(*requests);
    changes = std::make_unique<ChangeRequests>(*channel, *audit, clock);
    gateways = std::make_unique<GatewayRequests>(*channel, *audit, clock, options.pipeline);
    auto book = PolicyBook::start(bus, *channel, metrics);
    if (!book) {
        return tl::unexpected(book.error());
    }
    policy = std::move(*book);
    policy_requests = std::make_unique<PolicyRequests>(*policy, *audit, clock, options.make_token);
    explanations = std::make_unique<ExplainQueries>(ExplainSources{
        status, history_store, incidents, *policy, options.pipeline, options.accuracy, clock, bus.partitions()});
    auto rule_book = RuleBook::start(options.name, bus, metrics, clock);
    if (!rule_book) {
        return tl::unexpected(rule_book.error());
    }
    rules = std::move(*rule_book);
    rule_routes = std::make_unique<RuleRoutes>(*rules, *audit, clock);
    dispatcher = std::make_unique<Dispatcher>(DispatcherParts{Router(routes()), std::move(*tokens), std::move(*files),
                                                              options.allowed_hosts, live, *audit, metrics, clock});

    HttpServerOptions server_options;
    server_options.address = listen.address;
    server_options.port = listen.port;
    server_options.threads = options.threads;
    server_options.connections_max = options.connections_max;
    HttpCallbacks callbacks;
    callbacks.on_request = [this](HttpRequest request, Respond respond) {
        dispatcher->on_request(std::move(request), std::move(respond));
    };
    callbacks.on_upgrade = [this](const HttpRequest& request) { return dispatcher->on_upgrade(request); };
    callbacks.on_bad_request = [this](unsigned code) { return dispatcher->on_bad_request(code); };
    callbacks.run_aside = [this](std::function<void()> work) { return slow.post(std::move(work)); };
    slow.start();
    auto listening = HttpServer::start(std::move(server_options), std::move(callbacks), metrics);
    if (!listening) {
        return tl::unexpected(listening.error());
    }
    server = std::move(*listening);
    address = listen.address.find(':') == std::string::npos ? listen.address : "[" + listen.address + "]";

    watch = status.watch(
        [this](const StatusDocument& document) {
            if (is_canary(document.id)) {
                return;  // they are for measuring, not for looking at
            }
            rates.on_transition(document);
            live.on_transition(document);
        },
        [this](const StatusTouch& touch) { live.on_touch(touch); });
    pacer.start(LiveStream::tick_interval, [this] {
        live.tick();
        fleet.sample(clock.now());
    });
    return {};
}

std::vector<Route> Api::Parts::routes() {
    std::vector<Route> table;
    fleet.add_routes(table);
    region_history.add_routes(table);
    devices.add_routes(table);
    past.extend_routes(table);
    histories.add_routes(table);
    changes->add_routes(table);
    gateways->add_routes(table);
    policy_requests->add_routes(table);
    explanations->add_routes(table);
    rule_routes->add_routes(table);
    const auto add = [&](std::string_view pattern, Role role, auto function) {
        table.push_back({"GET", pattern, role, answer_with(std::move(function))});
    };
    add(Dispatcher::live_path, Role::viewer, [](const ApiRequest&) {
        HttpResponse response = problem(426, "this path is a WebSocket");
        response.headers.emplace_back("Upgrade", "websocket");
        return response;
    });
    add("/api/v1/openapi.json", Role::anyone, [](const ApiRequest&) {
        HttpResponse response;
        response.stable_body = bundled_openapi().front().bytes;
        return response;
    });
    add("/healthz", Role::anyone, [](const ApiRequest&) { return json_response(R"({"status":"ok"})"); });
    add("/readyz", Role::anyone, [this](const ApiRequest&) { return ready(); });
    add("/metrics", Role::anyone, [this](const ApiRequest&) {
        HttpResponse response;
        response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        response.body = metrics.render();
        return response;
    });
    return table;
}

/// A pipeline that has stalled does not make the API unready: then of all times the dashboard must be reachable, and
/// says so.
HttpResponse Api::Parts::ready() {
    std::vector<std::string_view> reasons;
    if (!feed->is_ready()) {
        reasons.emplace_back("incidents are still being read");
    }
    if (!policy->is_ready()) {
        reasons.emplace_back("the fleet's policy is still being read");
    }
    if (!rules->is_ready()) {
        reasons.emplace_back("rules are still being read");
    }
    if (!channel->is_ready()) {
        reasons.emplace_back("replies from the bus cannot be received yet");
    }
    if (!status.counts("")) {
        reasons.emplace_back("the status store does not answer");
    }
    if (options.pipeline && !pipeline_seen) {
        pipeline_seen = options.pipeline().newest != Timestamp{};
        if (!pipeline_seen) {
            reasons.emplace_back("the processor has not seen a record yet");
        }
    }
    std::string body;
    JsonWriter writer(body);
    writer.begin_object().member("ready", reasons.empty()).key("reasons").begin_array();
    for (const std::string_view reason : reasons) {
        writer.value(reason);
    }
    writer.end_array().end_object();
    return json_response(std::move(body), reasons.empty() ? 200 : 503);
}

void Api::Parts::stop() {
    watch.reset();
    pacer.stop();
    if (server) {
        server->stop();
    }
    // What waits for a reply or for its turn holds its connection: it must let go before the connections' server is
    // destroyed.
    slow.stop();
    if (channel) {
        channel->stop();
    }
    if (policy) {
        policy->stop();
    }
    if (rules) {
        rules->stop();
    }
    if (feed) {
        feed->stop();
    }
}

Api::Api(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Api::~Api() {
    stop();
}

Result<std::unique_ptr<Api>> Api::start(ApiOptions options, Bus& bus, StatusStore& status, HistoryStore& history,
                                        DocumentStore& documents, MetricRegistry& metrics, const Clock& clock) {
    MUSTER_ASSERT(options.make_token != nullptr);
    const auto listen = parse_listen_address(options.listen);
    if (!listen) {
        return tl::unexpected(listen.error());
    }
    std::unique_ptr<Api> api(
        new Api(std::make_unique<Parts>(std::move(options), status, history, documents, metrics, clock)));
    if (auto started = api->parts_->start(bus, *listen); !started) {
        return tl::unexpected(started.error());
    }
    spdlog::info("api: listening on {}", api->url());
    return api;
}

void Api::stop() {
    parts_->stop();
}

std::uint16_t Api::port() const {
    return parts_->server->port();
}

std::string Api::url() const {
    return fmt::format("http://{}:{}", parts_->address, port());
}

bool Api::is_operator_token(std::string_view token) const {
    return parts_->dispatcher->tokens().has_operator(token);
}

std::string Api::token(Role role) const {
    return parts_->dispatcher->tokens().first_of(role);
}

std::vector<std::pair<std::string, std::string>> Api::routes() const {
    std::vector<std::pair<std::string, std::string>> out;
    for (const Route& route : parts_->dispatcher->router().routes()) {
        out.emplace_back(route.method, route.pattern);
    }
    return out;
}

}  // namespace muster
