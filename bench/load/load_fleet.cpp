#include "load_fleet.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

namespace muster {
namespace {

constexpr std::uint32_t connections_per_source = 1000;
constexpr std::chrono::milliseconds retry_after{50};

using SteadyClock = std::chrono::steady_clock;

SteadyClock::duration seconds(double value) {
    return std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(value));
}

/// 127.1.0.1 for the first thousand, and so on: one source address has only 28,000 ports.
std::optional<net::Address> source_of(std::uint32_t number, const net::Address& broker) {
    if (!broker.is_loopback() || broker.family() != AF_INET) {
        return std::nullopt;
    }
    return net::Address::parse(fmt::format("127.1.0.{}:0", 1 + number / connections_per_source % 250)).value();
}

}  // namespace

Result<std::unique_ptr<LoadFleet>> LoadFleet::create(const LoadOptions& options) {
    auto broker = net::Address::parse(options.broker);
    if (!broker) {
        return tl::unexpected(broker.error());
    }
    auto reactor = net::Reactor::create();
    if (!reactor) {
        return tl::unexpected(reactor.error());
    }
    return std::unique_ptr<LoadFleet>(new LoadFleet(options, *broker, std::move(*reactor)));
}

LoadFleet::LoadFleet(const LoadOptions& options, net::Address broker, std::unique_ptr<net::Reactor> reactor)
    : options_(options), broker_(broker), reactor_(std::move(reactor)), pinged_until_(SteadyClock::now()) {
    for (std::uint32_t i = 0; i < options.connections; ++i) {
        connections_.emplace_back(i, fmt::format("{}{:06}", options.id_prefix, i), *reactor_,
                                  static_cast<LoadListener&>(*this));
        to_open_.push_back(i);
    }
}

bool LoadFleet::connect_all(double per_second) {
    connects_ = {};
    const auto start = SteadyClock::now();
    const auto deadline = start + seconds(options_.patience_s);
    double opened = 0;
    auto retry_at = start;
    while (connected_ < connections_.size() && SteadyClock::now() < deadline) {
        const auto now = SteadyClock::now();
        const double allowed = per_second * std::chrono::duration<double>(now - start).count() + 1;
        const auto failed_before = failed_opens_;
        while (!to_open_.empty() && now >= retry_at && opened < allowed && failed_opens_ == failed_before) {
            const std::uint32_t number = to_open_.front();
            to_open_.pop_front();
            open_one(number);
            ++opened;
        }
        if (failed_opens_ != failed_before) {
            retry_at = now + retry_after;
        }
        reactor_->run_once(Millis(1));
    }
    return connected_ == connections_.size();
}

void LoadFleet::open_one(std::uint32_t number) {
    if (!connections_[number].open(broker_, source_of(number, broker_), options_.greeting)) {
        ++failed_opens_;
        to_open_.push_back(number);
    }
}

void LoadFleet::abort_all() {
    for (LoadConnection& connection : connections_) {
        if (connection.is_open()) {
            connection.abort();
            to_open_.push_back(connection.number());
        }
    }
    connected_ = 0;
}

void LoadFleet::disconnect_all() {
    for (LoadConnection& connection : connections_) {
        connection.disconnect();
    }
    connected_ = 0;
}

void LoadFleet::turn(Time until) {
    const auto resolution = seconds(options_.ack_resolution_ms / 1000);
    for (auto now = SteadyClock::now(); now < until; now = SteadyClock::now()) {
        std::this_thread::sleep_until(std::min(until, now + resolution));
        reactor_->run_once(Millis(0));
    }
}

void LoadFleet::ping_due(Time now) {
    const std::uint16_t keep_alive_s = options_.greeting.keep_alive_s;
    if (keep_alive_s == 0 || connections_.empty()) {
        return;
    }
    const auto spacing = seconds(0.5 * keep_alive_s / static_cast<double>(connections_.size()));
    for (; pinged_until_ + spacing <= now; pinged_until_ += spacing) {
        connections_[next_ping_].ping();
        next_ping_ = (next_ping_ + 1) % connections_.size();
    }
}

void LoadFleet::on_connected(LoadConnection& connection) {
    ++connected_;
    connects_.add(std::chrono::duration_cast<Micros>(SteadyClock::now() - connection.opened()));
}

void LoadFleet::on_acknowledged(Time sent) {
    acknowledgements_.add(std::chrono::duration_cast<Micros>(SteadyClock::now() - sent));
}

void LoadFleet::on_lost(LoadConnection& connection, bool was_connected) {
    ++lost_;
    connected_ -= was_connected ? 1 : 0;
    to_open_.push_back(connection.number());
}

}  // namespace muster
