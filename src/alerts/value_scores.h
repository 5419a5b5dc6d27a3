#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "alerts/drain_forecast.h"
#include "alerts/metric_baseline.h"
#include "base/bytes.h"
#include "base/result.h"
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
/// recently go, if they have been silent for silent_min; else the new ones are refused. Kept in `parts` by key, so that
/// it can be written down a part at a time. Pure; owned by TelemetryRules; one thread.
class ValueScores final {
 public:
    static constexpr std::size_t baselines_max = 1U << 20U;
    static constexpr std::size_t forecasts_max = 1U << 19U;
    static constexpr Millis silent_min{600'000};
    static constexpr std::uint32_t parts = 256;
    /// A baseline that was written down longer ago is not taken back: the rhythm of the day has left its level behind.
    static constexpr Millis gap_max{1'800'000};

    explicit ValueScores(std::size_t baselines = baselines_max, std::size_t forecasts = forecasts_max) {
        baselines_.bound = baselines;
        batteries_.bound = forecasts;
    }

    /// Takes the value in, once for all rules. nullopt: over the bound.
    [[nodiscard]] std::optional<MetricBaseline::Score> take(const DeviceValue& value);
    /// The days until the battery is empty; infinite while it is charged or does not drain; nullopt: not known yet, or
    /// over the bound.
    [[nodiscard]] std::optional<double> take_battery(const DeviceValue& value);
    /// No rule looks at them any more.
    void clear();

    /// Appends what is known of one part; returns of how many states.
    std::size_t encode_part(std::uint32_t part, ByteWriter& out) const;
    /// Takes back what was written `gap` ago; a state that is known already, or is over a bound, is left out. corrupt:
    /// not of encode_part() for this part; what came before the damage is taken.
    [[nodiscard]] Result<void> decode_part(std::uint32_t part, ByteReader& in, Millis gap);

    [[nodiscard]] std::size_t states() const { return baselines_.size + batteries_.size; }
    [[nodiscard]] std::uint64_t evicted() const { return evicted_; }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
    struct Battery {
        DrainForecast forecast;
        float days = 0;
        std::uint32_t heard = 0;
        bool is_known = false;

        [[nodiscard]] std::uint32_t heard_s() const { return heard; }
        void estimate();
        void encode(ByteWriter& out) const { forecast.encode(out); }
        [[nodiscard]] bool decode(ByteReader& in);
    };
    using Key = std::uint64_t;  ///< hash of device and value: 64 bits tell a million apart
    template <class State>
    struct Table {
        std::array<std::unordered_map<Key, State>, parts> states;
        std::size_t size = 0;
        std::size_t bound = 0;
        std::optional<std::int64_t> made_room_ms;
    };

    [[nodiscard]] static Key key_of(const DeviceValue& value);
    [[nodiscard]] static std::uint32_t part_of(Key key) { return static_cast<std::uint32_t>(key >> 56U); }
    template <class State>
    State* state_of(Table<State>& table, const DeviceValue& value);
    template <class State>
    void make_room(Table<State>& table, std::int64_t elapsed_ms);
    template <class State>
    [[nodiscard]] static bool decode_states(Table<State>& table, std::uint32_t part, ByteReader& in, bool is_of_use);

    Table<MetricBaseline> baselines_;
    Table<Battery> batteries_;
    std::uint64_t evicted_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace muster
