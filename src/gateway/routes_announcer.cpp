#include "gateway/routes_announcer.h"

#include <algorithm>

#include "contract/gateway_routes.h"
#include "gateway/worker.h"

namespace muster {
namespace {

constexpr std::size_t record_text_bytes_max = record_bytes_max - 64UL * 1024;  // the rest: key, frame
constexpr std::size_t routes_bytes_per_ms = 1024;

}  // namespace

void RoutesAnnouncer::start() {
    on_timer();
}

void RoutesAnnouncer::stop() {
    context_.workers[0]->reactor().timers().disarm(*this);
    send({});
    if (const auto drained = producer_->drain(context_.options.stop_timeout); !drained) {
        spdlog::warn("gateway: others learn by its silence that it has stopped: {}", drained.error().message());
    }
}

void RoutesAnnouncer::on_timer() {
    net::Reactor& reactor = context_.workers[0]->reactor();
    const Millis now = reactor.monotonic();
    const bool has_changed = context_.subscriptions.changes() != changes_;
    if (now >= not_before_ && (has_changed || now - last_ >= context_.options.routes_refresh_interval)) {
        announce(now);
    }
    reactor.timers().arm(*this, now + context_.options.routes_look_interval);
}

void RoutesAnnouncer::announce(Millis now) {
    changes_ = context_.subscriptions.changes();  // before the look at them
    const std::string json = text();
    last_ = now;
    not_before_ = now + Millis(json.size() / routes_bytes_per_ms);
    send(json);
}

// In the order of their names: where there is no room for all, gateways leave out the same ones.
std::string RoutesAnnouncer::text() {
    GatewayRoutes routes = context_.subscriptions.routes();
    routes.incarnation = context_.incarnation;
    std::sort(routes.groups.begin(), routes.groups.end(),
              [](const GatewayRoutes::Group& a, const GatewayRoutes::Group& b) { return a.name < b.name; });
    std::size_t bytes = 0;
    std::size_t groups = 0;
    while (groups < routes.groups.size() && groups < context_.options.limits.routes_groups_announced_max &&
           bytes + json_bytes_max(routes.groups[groups]) <= record_text_bytes_max) {
        bytes += json_bytes_max(routes.groups[groups++]);
    }
    groups_omitted_.store(routes.groups.size() - groups, std::memory_order_relaxed);
    routes.groups.resize(groups);
    return to_json(routes);
}

// One that finds no room follows at the next look: the bus is slow, and then so is everything.
void RoutesAnnouncer::send(std::string_view json) {
    const ProducerRecord record{.key = context_.options.name,
                                .value = json,
                                .headers = {},
                                .time = context_.workers[0]->reactor().now(),
                                .partition = any_partition,
                                .tombstone = json.empty()};
    if (producer_->send(context_.topics.routes, record, 0)) {
        announced_.fetch_add(1, std::memory_order_relaxed);
    } else {
        changes_ = context_.subscriptions.changes() - 1;
    }
    producer_->flush();
}

}  // namespace muster
