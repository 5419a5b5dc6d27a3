#include "simulator/fleet_shard.h"

#include <algorithm>
#include <numeric>

namespace muster {
namespace {

std::vector<std::size_t> shuffled(std::size_t count, std::uint64_t seed) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    Random random(seed);
    for (std::size_t i = count; i > 1; --i) {
        std::swap(order[i - 1], order[random.below(i)]);
    }
    return order;
}

bool spreads_sources(const SimulatorOptions& options) {
    const auto brokers = broker_addresses(options).value();
    return options.spread_sources && std::ranges::all_of(brokers, [](const net::Address& broker) {
               return broker.is_loopback() && broker.family() == AF_INET;
           });
}

}  // namespace

Result<std::vector<net::Address>> broker_addresses(const SimulatorOptions& options) {
    constexpr std::string_view local_name = "localhost:";
    std::vector<net::Address> brokers;
    std::string_view rest = options.broker;
    for (bool is_last = false; !is_last;) {
        const auto comma = rest.find(',');
        is_last = comma == std::string_view::npos;
        const std::string_view one = rest.substr(0, comma);
        rest.remove_prefix(is_last ? rest.size() : comma + 1);
        auto broker = one.starts_with(local_name)
                          ? net::Address::parse("127.0.0.1:" + std::string(one.substr(local_name.size())))
                          : net::Address::parse(one);
        if (!broker || broker->port() == 0) {
            return fail(ErrorCode::invalid_argument,
                        "a broker must be a numeric address with a port, like 127.0.0.1:1883", std::string(one));
        }
        brokers.push_back(*broker);
    }
    return brokers;
}

FleetShard::FleetShard(const FleetPlan& plan, const SimulatorOptions& options, std::uint32_t index,
                       net::Reactor& reactor, TruthLog& truth, MetricRegistry& registry)
    : plan_(plan),
      options_(options),
      index_(index),
      around_{.reactor = reactor,
              .limits = limits_,
              .back_off = options.back_off,
              .brokers = broker_addresses(options).value(),
              .spread_sources = spreads_sources(options),
              .user_name = options.user_name,
              .password = options.password,
              .truth = truth,
              .metrics = FleetMetrics(registry, std::to_string(index))} {
    for (std::uint32_t i = index; i < plan.devices.size(); i += options.threads) {
        devices_.emplace_back(plan.devices[i], i, around_);
    }
    for (const PlannedOutage& outage : plan.outages) {
        turns_.push_back({outage.start, &outage, true});
        if (outage.duration > Millis(0)) {
            turns_.push_back({outage.start + outage.duration, &outage, false});
        }
    }
    std::ranges::stable_sort(turns_, {}, &Turn::at);
}

void FleetShard::start() {
    started_ = around_.reactor.monotonic();
    const double spacing_ms = 1000.0 * options_.threads / options_.connect_rate;
    double at_ms = 0;
    for (const std::size_t place : shuffled(devices_.size(), options_.scenario.seed + index_)) {
        devices_[place].start(started_ + Millis(static_cast<std::int64_t>(at_ms)));
        at_ms += spacing_ms;
    }
    arm_next();
}

void FleetShard::stop() {
    next_turn_ = turns_.size();
    around_.reactor.timers().disarm(*this);
    for (SimulatedDevice& device : devices_) {
        device.stop();
    }
}

void FleetShard::on_timer() {
    while (next_turn_ < turns_.size() && started_ + turns_[next_turn_].at <= around_.reactor.monotonic()) {
        apply(turns_[next_turn_++]);
    }
    arm_next();
}

void FleetShard::apply(const Turn& turn) {
    const PlannedOutage& outage = *turn.outage;
    for (const std::uint32_t i : outage.devices) {
        if (i % options_.threads != index_) {
            continue;
        }
        SimulatedDevice& device = devices_[i / options_.threads];
        if (!turn.begins) {
            device.restore_network();
        } else if (outage.duration > Millis(0)) {
            device.lose_network();
        } else {
            device.break_connection();
        }
    }
    if (index_ == 0) {
        spdlog::info("simulator: {} of {} devices in {} {}",
                     outage.duration == Millis(0) ? "reconnect storm" : "outage", outage.devices.size(), outage.region,
                     turn.begins ? "begins" : "ends");
    }
}

void FleetShard::arm_next() {
    if (next_turn_ < turns_.size()) {
        around_.reactor.timers().arm(*this, started_ + turns_[next_turn_].at);
    }
}

SimulatorProgress FleetShard::progress() const {
    const auto whole = [](double value) { return static_cast<std::uint64_t>(value); };
    const FleetMetrics& metrics = around_.metrics;
    return {.devices = static_cast<std::uint32_t>(devices_.size()),
            .connected = static_cast<std::uint32_t>(metrics.connected.Value()),
            .connects = whole(metrics.connects.Value()),
            .reconnects = whole(metrics.reconnects.Value()),
            .connect_failures = whole(metrics.connect_failures.Value()),
            .published = whole(metrics.published.Value()),
            .received = whole(metrics.received.Value()),
            .dropped = whole(metrics.dropped.Value())};
}

}  // namespace muster
