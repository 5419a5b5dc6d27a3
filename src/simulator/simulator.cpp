#include "simulator/simulator.h"

#include <functional>

#include <fmt/format.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/thread.h"

namespace muster {
namespace {

constexpr Millis truth_flush_interval{1'000};
constexpr std::uint32_t threads_max = 64;
constexpr double connect_rate_max = 100'000;
constexpr rlim_t descriptors_kept_free = 64;

/// Every device needs a descriptor: raises the process's limit as far as it may.
Result<void> reserve_descriptors(std::uint32_t devices) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return fail(ErrorCode::io, "cannot read the limit of open files");
    }
    const rlim_t needed = devices + descriptors_kept_free;
    if (limit.rlim_cur < needed && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)::setrlimit(RLIMIT_NOFILE, &limit);  // what it gave is checked below
        (void)::getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < needed) {
        return fail(ErrorCode::too_large, "more devices than this process may open sockets",
                    fmt::format("{} devices, {} open files allowed (ulimit -n)", devices, limit.rlim_cur));
    }
    return {};
}

SimulatorProgress sum(SimulatorProgress a, const SimulatorProgress& b) {
    a.devices += b.devices;
    a.connected += b.connected;
    a.connects += b.connects;
    a.reconnects += b.reconnects;
    a.connect_failures += b.connect_failures;
    a.published += b.published;
    a.received += b.received;
    a.dropped += b.dropped;
    return a;
}

}  // namespace

class Simulator::Repeat final : net::Timer {
 public:
    Repeat(net::Reactor& reactor, Millis interval, std::function<void()> action)
        : reactor_(reactor), interval_(interval), action_(std::move(action)) {
        reactor_.timers().arm(*this, reactor_.monotonic() + interval_);
    }

 private:
    void on_timer() override {
        action_();
        reactor_.timers().arm(*this, reactor_.monotonic() + interval_);
    }

    net::Reactor& reactor_;
    const Millis interval_;
    const std::function<void()> action_;
};

std::string to_string(const SimulatorProgress& progress) {
    return fmt::format("{} of {} devices connected, {:.0f} messages/s, {} reconnects, {} failed connects",
                       progress.connected, progress.devices, progress.published_per_s, progress.reconnects,
                       progress.connect_failures);
}

Result<void> validate(const SimulatorOptions& options) {
    if (auto valid = validate(options.scenario); !valid) {
        return valid;
    }
    if (const auto brokers = broker_addresses(options); !brokers) {
        return tl::unexpected(brokers.error());
    }
    if (options.threads == 0 || options.threads > threads_max) {
        return fail(ErrorCode::invalid_argument, "the simulator's threads must be between 1 and 64",
                    std::to_string(options.threads));
    }
    if (!(options.connect_rate > 0 && options.connect_rate <= connect_rate_max)) {
        return fail(ErrorCode::invalid_argument, "the connect rate must be above 0 and at most 100000 a second");
    }
    if (options.back_off.first < Millis(1) || options.back_off.cap < options.back_off.first ||
        options.back_off.cap > Millis(86'400'000)) {
        return fail(ErrorCode::invalid_argument,
                    "the back-off must begin at 1 ms or more and end between that and one day");
    }
    if (options.progress_interval < Millis(0)) {
        return fail(ErrorCode::invalid_argument, "the progress interval must not be negative");
    }
    return {};
}

Result<std::unique_ptr<Simulator>> Simulator::start(const SimulatorOptions& options, MetricRegistry& registry) {
    if (auto valid = validate(options); !valid) {
        return tl::unexpected(valid.error());
    }
    if (auto reserved = reserve_descriptors(options.scenario.devices); !reserved) {
        return tl::unexpected(reserved.error());
    }
    auto truth = TruthLog::open(options.truth_file);
    if (!truth) {
        return tl::unexpected(truth.error());
    }
    std::unique_ptr<Simulator> simulator(new Simulator(options, std::move(*truth)));
    for (std::uint32_t i = 0; i < options.threads; ++i) {
        if (auto added = simulator->add_lane(i, registry); !added) {
            return tl::unexpected(added.error());
        }
    }
    simulator->run();
    return simulator;
}

Simulator::Simulator(const SimulatorOptions& options, std::unique_ptr<TruthLog> truth)
    : options_(options), plan_(make_plan(options.scenario)), truth_(std::move(truth)) {}

Simulator::~Simulator() {
    stop();
}

Result<void> Simulator::add_lane(std::uint32_t index, MetricRegistry& registry) {
    auto reactor = net::Reactor::create();
    if (!reactor) {
        return tl::unexpected(reactor.error());
    }
    auto shard = std::make_unique<FleetShard>(plan_, options_, index, **reactor, *truth_, registry);
    lanes_.push_back({std::move(*reactor), std::move(shard), {}});
    return {};
}

void Simulator::run() {
    net::Reactor& first = *lanes_.front().reactor;
    flushing_ = std::make_unique<Repeat>(first, truth_flush_interval, [this] { truth_->flush(); });
    if (options_.progress_interval > Millis(0)) {
        reporting_ = std::make_unique<Repeat>(first, options_.progress_interval, [this] { report(); });
    }
    for (Lane& lane : lanes_) {
        lane.shard->start();
        lane.thread = start_thread("simulator", [&reactor = *lane.reactor] { reactor.run(); });
    }
}

void Simulator::stop() {
    if (std::exchange(stopped_, true)) {
        return;
    }
    for (Lane& lane : lanes_) {
        lane.reactor->post([&lane] {
            lane.shard->stop();
            lane.reactor->stop();
        });
    }
    for (Lane& lane : lanes_) {
        if (lane.thread.joinable()) {
            lane.thread.join();
        }
    }
    truth_->flush();
}

SimulatorProgress Simulator::progress() const {
    SimulatorProgress progress;
    for (const Lane& lane : lanes_) {
        progress = sum(progress, lane.shard->progress());
    }
    return progress;
}

void Simulator::report() {
    SimulatorProgress current = progress();
    const double seconds = static_cast<double>(options_.progress_interval.count()) / 1000;
    current.published_per_s =
        static_cast<double>(current.published - std::exchange(published_before_, current.published)) / seconds;
    if (options_.on_progress) {
        options_.on_progress(current);
    } else {
        spdlog::info("simulator: {}", to_string(current));
    }
}

std::string Simulator::summary() const {
    const SimulatorProgress current = progress();
    const auto counts = truth_->counts();
    std::string text = fmt::format(
        "{} devices, seed {}: {} connects ({} again), {} failed connects, {} messages published, {} "
        "received, {} dropped\nchanges by reason:",
        current.devices, options_.scenario.seed, current.connects, current.reconnects, current.connect_failures,
        current.published, current.received, current.dropped);
    for (std::size_t i = 0; i < counts.size(); ++i) {
        text += fmt::format(" {} {}", name_of(static_cast<TruthReason>(i)), counts[i]);
    }
    if (!options_.truth_file.empty()) {
        text += fmt::format("\nground truth: {} ({} records left out)", options_.truth_file, truth_->left_out());
    }
    return text;
}

}  // namespace muster
