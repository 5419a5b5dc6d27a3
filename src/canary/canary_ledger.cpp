#include "canary/canary_ledger.h"

#include <algorithm>
#include <utility>

namespace muster {
namespace {

const std::vector<double> detection_buckets{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 62, 65, 90};

double at_share(const std::vector<double>& ascending, double share) {
    if (ascending.empty()) {
        return 0;
    }
    const auto at = static_cast<std::size_t>(share * static_cast<double>(ascending.size()));
    return ascending[std::min(at, ascending.size() - 1)];
}

}  // namespace

CanaryLedger::CanaryLedger(std::size_t canaries, Millis online_bound, MetricRegistry& registry)
    : registry_(registry),
      online_bound_(online_bound),
      canaries_(canaries),
      false_offline_total_(registry.counter("muster_canary_false_offline_total",
                                            "Canaries shown offline or unknown while they were alive.")),
      missed_offline_total_(registry.counter("muster_canary_missed_offline_total",
                                             "Deaths of canaries that were not shown by their bound.")),
      missed_online_total_(registry.counter("muster_canary_missed_online_total",
                                            "Connects of canaries that were not shown by their bound.")),
      disturbed_total_(registry.counter("muster_canary_disturbed_total",
                                        "Connections of canaries that ended without their doing.")) {}

void CanaryLedger::lives(Number number, Millis now) {
    Canary& canary = canaries_[number];
    canary.truth = Truth::alive;
    canary.settled = false;
    canary.since = now;
}

void CanaryLedger::dies(Number number, Death death, Millis since) {
    Canary& canary = canaries_[number];
    canary.truth = Truth::dead;
    canary.settled = false;
    canary.late_end = false;
    canary.death = death;
    canary.since = since;
}

void CanaryLedger::is_disturbed(Number number) {
    disturbed_total_.Increment();
    canaries_[number].truth = Truth::unknown;
    canaries_[number].settled = true;
}

void CanaryLedger::shown(Number number, PresenceState state, Cause cause, Millis at) {
    Canary& canary = canaries_[number];
    const bool is_online = state == PresenceState::online;
    if (canary.truth == Truth::dead && !canary.settled && state == PresenceState::offline) {
        detect(canary, cause, at);
    } else if (canary.truth == Truth::alive && is_online) {
        canary.settled = true;
        canary.late_end = false;
    } else if (canary.truth == Truth::alive && !std::exchange(canary.late_end, false)) {
        ++false_offline_;
        false_offline_total_.Increment();
    }
}

void CanaryLedger::detect(Canary& canary, Cause shown, Millis at) {
    canary.settled = true;
    Causes& causes = causes_of(canary.death);
    const double ms = static_cast<double>(std::max(Millis(0), at - canary.since).count());
    ++causes.deaths;
    causes.other_cause += shown == canary.death.cause ? 0 : 1;
    causes.seconds->Observe(ms / 1000.0);
    if (causes.newest_ms.size() < samples_max) {
        causes.newest_ms.push_back(ms);
    } else {
        causes.newest_ms[causes.next] = ms;
        causes.next = (causes.next + 1) % samples_max;
    }
}

void CanaryLedger::advance(Millis now) {
    for (Canary& canary : canaries_) {
        if (canary.settled) {
            continue;
        }
        if (canary.truth == Truth::dead && now - canary.since > canary.death.bound) {
            canary.settled = true;
            canary.late_end = true;
            ++missed_offline_;
            missed_offline_total_.Increment();
        } else if (canary.truth == Truth::alive && now - canary.since > online_bound_) {
            canary.settled = true;
            ++missed_online_;
            missed_online_total_.Increment();
        }
    }
}

CanaryLedger::Causes& CanaryLedger::causes_of(const Death& death) {
    const auto found =
        std::find_if(causes_.begin(), causes_.end(), [&](const Causes& one) { return one.cause == death.cause; });
    if (found != causes_.end()) {
        return *found;
    }
    Causes& causes = causes_.emplace_back();
    causes.cause = death.cause;
    causes.bound = death.bound;
    causes.seconds =
        &registry_.histogram("muster_detection_seconds", "From a canary's death until it is shown as offline",
                             detection_buckets, {{"cause", std::string(name_of(death.cause))}});
    return causes;
}

DetectionAccuracy CanaryLedger::accuracy() const {
    DetectionAccuracy accuracy;
    accuracy.canaries = static_cast<std::int64_t>(canaries_.size());
    accuracy.false_offline = false_offline_;
    accuracy.missed_offline = missed_offline_;
    accuracy.missed_online = missed_online_;
    for (const Causes& causes : causes_) {
        std::vector<double> ascending = causes.newest_ms;
        std::sort(ascending.begin(), ascending.end());
        accuracy.causes.push_back({causes.cause, causes.deaths, causes.other_cause, at_share(ascending, 0.5),
                                   at_share(ascending, 0.99), at_share(ascending, 1),
                                   static_cast<double>(causes.bound.count())});
    }
    return accuracy;
}

}  // namespace muster
