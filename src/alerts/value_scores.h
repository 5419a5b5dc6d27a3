#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "alerts/drain_forecast.h"
#include "alerts/metric_baseline.h"
#include "base/time.h"

namespace muster {

/// A value that a device reported. Views are of the caller.
struct DeviceValue {
    std::string_view device;
    std::string_view metric;
    double value = 0;
    Timestamp time{};             ///< the sample's own, or that of its receipt
    std::int64_t elapsed_ms = 0;  ///< on the clock of the reports
};

/// What has to be kept of devices for the rules that judge a value by what was before: a MetricBaseline or a
/// DrainForecast of each device and value that such a rule looks at. Over the bound those that were heard least
/// recently go, if they have been silent for silent_min; else the new ones are refused. Pure; owned by TelemetryRules;
/// one thread.
class ValueScores final {
 public:
    static constexpr std::size_t baselines_max = 1U << 20U;
    static constexpr std::size_t forecasts_max = 1U << 19U;
    static constexpr Millis silent_min{600'000};

    explicit ValueScores(std::size_t baselines = baselines_max, std::size_t forecasts = forecasts_max)
        : baselines_bound_(baselines), forecasts_bound_(forecasts) {}

    /// Takes the value in, once for all rules. nullopt: over the bound.
    [[nodiscard]] std::optional<MetricBaseline::Score> take(const DeviceValue& value);
    /// The days until the battery is empty; infinite while it is charged or does not drain; nullopt: not known yet, or
    /// over the bound.
    [[nodiscard]] std::optional<double> take_battery(const DeviceValue& value);
    /// No rule looks at them any more.
    void clear();

    [[nodiscard]] std::size_t states() const { return baselines_.size() + batteries_.size(); }
    [[nodiscard]] std::uint64_t evicted() const { return evicted_; }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
    struct Battery {
        DrainForecast forecast;
        float days = 0;
        std::uint32_t heard = 0;
        bool is_known = false;

        [[nodiscard]] std::uint32_t heard_s() const { return heard; }
    };
    using Key = std::uint64_t;  ///< hash of device and value: 64 bits tell a million apart

    template <class State>
    State* state_of(std::unordered_map<Key, State>& states, std::size_t bound, const DeviceValue& value);
    template <class State>
    void make_room(std::unordered_map<Key, State>& states, std::int64_t elapsed_ms);

    std::size_t baselines_bound_;
    std::size_t forecasts_bound_;
    std::unordered_map<Key, MetricBaseline> baselines_;
    std::unordered_map<Key, Battery> batteries_;
    std::optional<std::int64_t> made_room_ms_;
    std::uint64_t evicted_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace muster
