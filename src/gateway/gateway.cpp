#include "gateway/gateway.h"

#include <future>

#include "base/log.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"
#include "contract/event.h"
#include "gateway/downlink_reader.h"
#include "gateway/gateway_context.h"
#include "gateway/gateway_metrics.h"
#include "gateway/listener.h"
#include "gateway/routes_announcer.h"
#include "gateway/session_loader.h"
#include "gateway/ticker.h"
#include "gateway/tls_reloader.h"
#include "gateway/worker.h"
#include "net/entropy.h"
#include "net/system_clock.h"

namespace muster {
namespace {

constexpr std::size_t threads_max = 64;
constexpr std::size_t listeners_max = 32;

std::uint64_t secret_seed() {
    std::uint64_t seed = 0;
    std::array<std::uint8_t, sizeof(seed)> bytes{};
    net::fill_with_entropy(bytes);
    std::memcpy(&seed, bytes.data(), sizeof(seed));
    return seed;
}

Result<void> check(const GatewayOptions& options) {
    if (options.name.empty() || options.name.size() > gateway_name_bytes_max) {
        return fail(ErrorCode::invalid_argument, "a gateway's name has 1 to 64 bytes", options.name);
    }
    if (options.threads == 0 || options.threads > threads_max) {
        return fail(ErrorCode::invalid_argument, "a gateway has 1 to 64 threads");
    }
    const std::size_t listeners = options.listeners.size() + (options.listen ? 1 : 0);
    if (listeners == 0 || listeners > listeners_max) {
        return fail(ErrorCode::invalid_argument, "a gateway has 1 to 32 listeners");
    }
    return {};
}

Result<UplinkTopics> open_topics(Bus& bus, const std::string& gateway) {
    UplinkTopics topics;
    const std::pair<std::string, TopicId*> names[] = {
        {std::string(bus_topics::events), &topics.events},
        {std::string(bus_topics::requests), &topics.requests},
        {std::string(bus_topics::messages), &topics.messages},
        {std::string(bus_topics::retained), &topics.retained},
        {bus_topics::downlink(gateway), nullptr},
    };
    for (const auto& [name, id] : names) {
        const Result<TopicId> opened = bus.open_topic(standard_topic(name));
        if (!opened) {
            return tl::unexpected(opened.error());
        }
        if (id != nullptr) {
            *id = *opened;
        }
    }
    return topics;
}

/// Does it on the worker's thread, and waits.
void run_on(Worker& worker, const std::function<void()>& task) {
    std::promise<void> done;
    worker.post([&] {
        task();
        done.set_value();
    });
    done.get_future().wait();
}

}  // namespace

struct Gateway::State {
    State(GatewayOptions given, SessionStore& sessions)
        : options(std::move(given)),
          subscriptions(secret_seed(), options.limits.subscriptions_max),
          retained(secret_seed(), options.limits.retained_topics_max, options.limits.retained_bytes_max),
          routes(subscriptions, options),
          addresses(options.limits, secret_seed()),
          context{.options = options,
                  .sessions = sessions,
                  .subscriptions = subscriptions,
                  .retained = retained,
                  .routes = routes,
                  .addresses = addresses} {}

    Result<void> prepare(Bus& bus, MetricRegistry& registry);
    Result<void> open_listeners();
    Result<void> make_workers(Bus& bus, MetricRegistry& registry);
    void run();
    void stop();

    const GatewayOptions options;
    SubscriptionIndex subscriptions;
    RetainedTable retained;
    FleetRoutes routes;
    AddressGate addresses;
    GatewayContext context;
    std::vector<std::unique_ptr<Mailbox>> mailboxes;
    std::unique_ptr<DownlinkReader> downlink;
    std::unique_ptr<Ticker> ticker;
    std::unique_ptr<RoutesAnnouncer> announcer;  ///< in a cluster
    std::vector<std::unique_ptr<Listener>> listeners;
    std::vector<std::unique_ptr<Worker>> workers;
    std::unique_ptr<TlsReloader> tls_reloader;
    std::unique_ptr<GatewayMetrics> metrics;
    std::shared_ptr<void> claims_of_others;  ///< what it hears of other gateways' claims
    bool running = false;
};

Result<void> Gateway::State::prepare(Bus& bus, MetricRegistry& registry) {
    const Result<Incarnation> incarnation = context.sessions.begin_incarnation(options.name);
    if (!incarnation) {
        return tl::unexpected(incarnation.error());
    }
    context.incarnation = *incarnation;
    const Result<UplinkTopics> topics = open_topics(bus, options.name);
    if (!topics) {
        return tl::unexpected(topics.error());
    }
    context.topics = *topics;
    if (options.relay_messages) {
        const Result<TopicId> opened = bus.open_topic(standard_topic(bus_topics::routes));
        if (!opened) {
            return tl::unexpected(opened.error());
        }
        context.topics.routes = *opened;
        announcer = std::make_unique<RoutesAnnouncer>(
            context, bus.producer({.name = options.name + "-routes", .on_deliveries_ready = {}}));
    }
    for (std::size_t i = 0; i < options.threads; ++i) {
        mailboxes.push_back(
            std::make_unique<Mailbox>(options.limits.mailbox_messages_max, options.limits.mailbox_bytes_max));
        context.mailboxes.push_back(mailboxes.back().get());
    }
    downlink = std::make_unique<DownlinkReader>(context);
    if (const Result<void> loaded = downlink->load(bus); !loaded) {
        return loaded;
    }
    ticker = std::make_unique<Ticker>(context, bus.partitions(),
                                      bus.producer({.name = options.name + "-ticks", .on_deliveries_ready = {}}));
    return open_listeners().and_then([&] { return make_workers(bus, registry); });
}

Result<void> Gateway::State::open_listeners() {
    std::vector<ListenerOptions> all = options.listeners;
    if (options.listen) {
        ListenerOptions plain;
        plain.address = *options.listen;
        all.insert(all.begin(), plain);
    }
    for (ListenerOptions& each : all) {
        Result<std::unique_ptr<Listener>> opened = Listener::open(std::move(each), options.threads);
        if (!opened) {
            return tl::unexpected(opened.error());
        }
        listeners.push_back(std::move(*opened));
        context.listeners.push_back(listeners.back().get());
    }
    return {};
}

Result<void> Gateway::State::make_workers(Bus& bus, MetricRegistry& registry) {
    metrics = std::make_unique<GatewayMetrics>(registry, context);
    for (std::size_t i = 0; i < options.threads; ++i) {
        Result<std::unique_ptr<net::Reactor>> reactor = net::Reactor::create();
        if (!reactor) {
            return tl::unexpected(reactor.error());
        }
        workers.push_back(std::make_unique<Worker>(context, i, std::move(*reactor), *mailboxes[i], bus, registry));
        context.workers.push_back(workers.back().get());
        metrics->add_worker(i, workers.back()->tally());
    }
    metrics->add_downlink(downlink->tally());
    if (announcer) {
        metrics->add_announcer(*announcer);
    }
    for (const auto& listener : listeners) {
        metrics->add_listener(*listener);
    }
    tls_reloader = std::make_unique<TlsReloader>(
        context.listeners, options.tls_look_interval,
        [this] {
            for (const auto& worker : workers) {
                worker->close_revoked();
            }
        },
        registry);
    auto watched = context.sessions.watch(options.name, [this](const LostSession& lost) {
        context.workers[context.worker_for(lost.session)]->lose(lost);
    });
    if (!watched) {
        return tl::unexpected(watched.error());
    }
    claims_of_others = std::move(*watched);
    const net::SystemClock clock;
    return SessionLoader(context, {clock.now(), clock.monotonic()}, registry).load();
}

void Gateway::State::run() {
    running = true;
    metrics->show();
    for (const auto& worker : workers) {
        worker->start();
    }
    workers.front()->post([this] {
        ticker->start();
        if (announcer) {
            announcer->start();
        }
    });
    downlink->start();
    tls_reloader->start();
}

void Gateway::State::stop() {
    if (!running) {
        return;
    }
    running = false;
    tls_reloader->stop();
    if (announcer) {
        run_on(*workers.front(), [this] { announcer->stop(); });
        std::this_thread::sleep_for(options.routes_farewell);
    }
    downlink->stop();
    workers.front()->post([this] { ticker->stop(); });
    for (const auto& worker : workers) {
        worker->begin_stop();
    }
    for (const auto& worker : workers) {
        worker->join();
    }
    claims_of_others.reset();  // what it kept is stored
}

Result<std::unique_ptr<Gateway>> Gateway::start(GatewayOptions options, Bus& bus, SessionStore& sessions,
                                                MetricRegistry& metrics) {
    if (const Result<void> checked = check(options); !checked) {
        return tl::unexpected(checked.error());
    }
    auto state = std::make_unique<State>(std::move(options), sessions);
    if (const Result<void> prepared = state->prepare(bus, metrics); !prepared) {
        return tl::unexpected(prepared.error());
    }
    state->run();
    for (const auto& listener : state->listeners) {
        spdlog::info("gateway {}: MQTT on {}, {} threads", state->options.name, listener->url(),
                     state->options.threads);
    }
    return std::unique_ptr<Gateway>(new Gateway(std::move(state)));
}

Gateway::Gateway(std::unique_ptr<State> state) : state_(std::move(state)) {}

Gateway::~Gateway() {
    stop();
}

void Gateway::stop() {
    state_->stop();
}

net::Address Gateway::address() const {
    return state_->listeners.front()->address();
}

std::vector<std::string> Gateway::urls() const {
    std::vector<std::string> urls;
    for (const auto& listener : state_->listeners) {
        urls.push_back(listener->url());
    }
    return urls;
}

void Gateway::reload_tls() {
    state_->tls_reloader->reload_now();
}

bool Gateway::is_draining() const {
    return state_->context.draining.load();
}

std::size_t Gateway::connections() const {
    return state_->context.connections.load();
}

}  // namespace muster
