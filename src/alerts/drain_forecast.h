#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"

namespace muster {

/// When a battery will be empty: the slope of its percent over the last days (40 to 80 hours when there are so many) by
/// Theil and Sen (the median of the slopes of all pairs of points), with the 90 % interval of Kendall's statistic. When
/// the newest points alone have a slope whose interval does not meet that of all, the pace has changed, and theirs
/// counts. A point is the mean of a time slice; slices begin at 10 minutes and grow to 2 hours as the days pass.
/// Charging, a rise over the lowest point, begins anew. Pure; owned by who feeds it; bounded by points_max.
class DrainForecast final {
 public:
    static constexpr std::size_t points_max = 40;
    static constexpr std::size_t points_min = 6;  ///< before anything is said: an hour
    static constexpr std::size_t points_recent = 8;
    static constexpr double rise_percent = 3;  ///< over the lowest point: it is being charged
    static constexpr std::int64_t slice_first_s = 600;
    static constexpr std::int64_t slice_last_s = 2 * 3600;

    /// Infinite days: not to be told from never.
    struct Estimate {
        double percent = 0;    ///< of the newest point
        double per_day = 0;    ///< percent; negative
        double days = 0;       ///< until 0
        double days_low = 0;   ///< 90 %: not sooner
        double days_high = 0;  ///< nor later
    };

    /// A value at its time; one older than the newest slice is left out. True: the estimate may have changed.
    bool take(double percent, Timestamp time);

    /// nullopt: too little is known yet, or it is being charged.
    [[nodiscard]] std::optional<Estimate> estimate() const;
    /// A rise was seen, and too few points since: not about to be empty.
    [[nodiscard]] bool is_charging() const { return charged_ && !slope_since(0); }
    void encode(ByteWriter& out) const;
    /// False: not the state of a forecast.
    [[nodiscard]] bool decode(ByteReader& in);
    /// Epoch seconds at which the open slice began: nothing older is taken.
    [[nodiscard]] std::int64_t open_since_s() const { return begin_s_ + count_ * std::int64_t{slice_s_}; }

 private:
    /// Percent per slice, and its 90 % interval: steepest <= median <= flattest.
    struct Slope {
        double steepest = 0;
        double median = 0;
        double flattest = 0;
    };
    static constexpr std::uint16_t none = 0xffff;

    void begin(std::int64_t time_s);
    [[nodiscard]] bool has_risen(std::uint32_t samples) const;
    void charge(std::int64_t time_s, double percent);
    void close();
    void halve();
    [[nodiscard]] std::optional<Slope> slope_since(std::size_t first) const;

    std::int64_t begin_s_ = 0;                        ///< of the first point
    double sum_ = 0;                                  ///< of the open slice
    std::array<std::uint16_t, points_max> points_{};  ///< hundredths of a percent; none: nothing came in that slice
    std::uint32_t samples_ = 0;
    std::int32_t slice_s_ = 0;  ///< 0: nothing yet
    float lowest_ = 0;
    std::uint8_t count_ = 0;  ///< of points that are closed
    bool charged_ = false;
};
static_assert(sizeof(DrainForecast) <= 128, "a state of every battery of a fleet");

}  // namespace muster
