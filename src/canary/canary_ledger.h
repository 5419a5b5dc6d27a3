#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/metrics.h"
#include "base/time.h"
#include "contract/detection_accuracy.h"
#include "contract/presence.h"

namespace muster {

/// What Muster shows of the canaries, held against what is true of them: detections, false alarms and misses, on
/// /metrics and as a value. Fed with both sides and the time, it reads no clock and does no I/O. One thread; bounded by
/// the canaries and `samples_max` a cause.
class CanaryLedger final {
 public:
    using Number = std::size_t;
    static constexpr std::size_t samples_max = 1000;

    /// A way to die: the cause that has to be shown, and by when.
    struct Death {
        Cause cause = Cause::none;
        Millis bound{0};
    };

    /// `online_bound`: from the broker's welcome until a canary has to be shown online.
    CanaryLedger(std::size_t canaries, Millis online_bound, MetricRegistry& registry);

    // The truth.
    /// The broker has taken it in.
    void lives(Number canary, Millis now);
    /// Since `since` nothing comes from it any more.
    void dies(Number canary, Death death, Millis since);
    /// Its connection ended, and not by its own doing: what is shown until it lives again proves nothing.
    void is_disturbed(Number canary);

    /// What is shown, at the moment from which it is.
    void shown(Number canary, PresenceState state, Cause cause, Millis at);
    /// Notes what has not been shown by its bound.
    void advance(Millis now);

    /// The present truth has been shown, or was missed, or proves nothing.
    [[nodiscard]] bool is_settled(Number canary) const { return canaries_[canary].settled; }
    /// Everything but `enabled`, `connected` and `since`.
    [[nodiscard]] DetectionAccuracy accuracy() const;

 private:
    enum class Truth : std::uint8_t { unknown, alive, dead };
    struct Canary {
        Truth truth = Truth::unknown;
        bool settled = true;
        bool late_end = false;  ///< a death was missed: that it is shown after all is no false alarm
        Death death;
        Millis since{0};
    };
    struct Causes {
        Cause cause = Cause::none;
        Millis bound{0};
        std::uint64_t deaths = 0;
        std::uint64_t other_cause = 0;
        std::vector<double> newest_ms;  ///< a ring
        std::size_t next = 0;
        Histogram* seconds = nullptr;
    };

    void detect(Canary& canary, Cause shown, Millis at);
    [[nodiscard]] Causes& causes_of(const Death& death);

    MetricRegistry& registry_;
    const Millis online_bound_;
    std::vector<Canary> canaries_;
    std::vector<Causes> causes_;
    std::uint64_t false_offline_ = 0;
    std::uint64_t missed_offline_ = 0;
    std::uint64_t missed_online_ = 0;
    Counter& false_offline_total_;
    Counter& missed_offline_total_;
    Counter& missed_online_total_;
    Counter& disturbed_total_;
};

}  // namespace muster
