#include "canary/canaries.h"

#include <deque>
#include <unordered_map>

#include "base/thread.h"
#include "canary/canary.h"
#include "canary/canary_ledger.h"
#include "contract/identity.h"
#include "net/system_clock.h"

namespace muster {
namespace {

constexpr Millis turn_interval{200};
constexpr std::size_t of_each_kind_max = 100;
constexpr std::size_t sightings_max = 10'000;

}  // namespace

/// The canaries and their ledger on the thread's side, and the sightings that come from other threads.
class Canaries::Aviary final : net::Timer {
 public:
    Aviary(CanariesOptions options, net::Reactor& reactor, MetricRegistry& registry)
        : reactor_(reactor),
          ledger_(options.of_each_kind * canary_kinds, options.online_bound, registry),
          around_{reactor, ledger_, options.broker, std::move(options.password), options.alive_for, {}},
          sightings_dropped_(registry.counter("muster_canary_sightings_dropped_total",
                                              "Transitions of canaries that came faster than they were noted.")),
          alive_(registry.gauge("muster_canaries_alive", "Canaries that are connected and speak.")),
          since_(reactor.now()) {
        for (CanaryLedger::Number number = 0; number < options.of_each_kind * canary_kinds; ++number) {
            Canary& canary = canaries_.emplace_back(number, static_cast<CanaryKind>(number % canary_kinds), around_);
            numbers_.emplace(canary.id(), number);
        }
        reactor_.timers().arm(*this, reactor_.monotonic() + turn_interval);
    }

    /// Any thread: something about a canary is visible from now on.
    void see(const StatusDocument& document) {
        if (document.state == document.previous) {
            return;
        }
        const std::lock_guard lock(mutex_);
        if (sightings_.size() == sightings_max) {
            sightings_dropped_.Increment();
            return;
        }
        sightings_.push_back({document.id, document.state, document.cause, clock_.monotonic()});
    }
    /// Any thread.
    [[nodiscard]] DetectionAccuracy accuracy() const {
        const std::lock_guard lock(mutex_);
        return accuracy_;
    }

 private:
    struct Sighting {
        std::string id;
        PresenceState state = PresenceState::never_seen;
        Cause cause = Cause::none;
        Millis at{0};
    };

    void on_timer() override {
        note_sightings();
        ledger_.advance(reactor_.monotonic());
        std::int64_t alive = 0;
        for (Canary& canary : canaries_) {
            canary.turn();
            alive += canary.is_alive() ? 1 : 0;
        }
        alive_.Set(static_cast<double>(alive));
        DetectionAccuracy accuracy = ledger_.accuracy();
        accuracy.enabled = true;
        accuracy.connected = alive;
        accuracy.since = since_;
        {
            const std::lock_guard lock(mutex_);
            accuracy_ = std::move(accuracy);
        }
        reactor_.timers().arm(*this, reactor_.monotonic() + turn_interval);
    }
    void note_sightings() {
        std::deque<Sighting> sightings;
        {
            const std::lock_guard lock(mutex_);
            sightings.swap(sightings_);
        }
        for (const Sighting& sighting : sightings) {
            if (const auto found = numbers_.find(sighting.id); found != numbers_.end()) {
                ledger_.shown(found->second, sighting.state, sighting.cause, sighting.at);
            }
        }
    }

    net::Reactor& reactor_;
    const net::SystemClock clock_;  ///< the reactor's, for other threads
    CanaryLedger ledger_;
    CanarySurroundings around_;
    std::deque<Canary> canaries_;  // they do not move: the reactor knows them
    std::unordered_map<std::string, CanaryLedger::Number> numbers_;
    Counter& sightings_dropped_;
    Gauge& alive_;
    const Timestamp since_;
    mutable std::mutex mutex_;
    std::deque<Sighting> sightings_;  // under mutex_, at most sightings_max
    DetectionAccuracy accuracy_;      // under mutex_
};

Canaries::Canaries() = default;

Result<std::unique_ptr<Canaries>> Canaries::start(CanariesOptions options, StatusStore& status,
                                                  MetricRegistry& registry) {
    if (options.of_each_kind == 0 || options.of_each_kind > of_each_kind_max) {
        return fail(ErrorCode::invalid_argument, "there are 1 to 100 canaries of each kind");
    }
    auto reactor = net::Reactor::create();
    if (!reactor) {
        return tl::unexpected(reactor.error());
    }
    std::unique_ptr<Canaries> canaries(new Canaries());
    canaries->reactor_ = std::move(*reactor);
    canaries->aviary_ = std::make_unique<Aviary>(std::move(options), *canaries->reactor_, registry);
    canaries->watch_ = status.watch(
        [aviary = canaries->aviary_.get()](const StatusDocument& document) {
            if (is_canary(document.id)) {
                aviary->see(document);
            }
        },
        [](const StatusTouch&) {});
    canaries->thread_ = start_thread("canaries", [reactor = canaries->reactor_.get()] { reactor->run(); });
    return canaries;
}

Canaries::~Canaries() {
    watch_.reset();
    if (thread_.joinable()) {
        reactor_->stop();
        thread_.join();
    }
    aviary_.reset();
}

DetectionAccuracy Canaries::accuracy() const {
    return aviary_->accuracy();
}

}  // namespace muster
