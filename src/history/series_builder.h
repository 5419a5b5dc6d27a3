#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "history/history_store.h"
#include "history/rollup_chunk.h"

namespace muster {

/// Draws samples, or rollups, that come in ascending time into at most points_max points a metric: each a point while
/// they fit, else buckets of equal width over the range, which keep minimum and maximum. Memory: points_max a metric.
class SeriesBuilder final {
 public:
    /// What comes is in [from, to). `unit`: buckets are whole multiples of it, as rollups cannot be divided.
    SeriesBuilder(Timestamp from, Timestamp to, std::size_t points_max, Millis unit = Millis(1));

    void add(std::string_view metric, Timestamp time, double value, bool time_clamped = false);
    /// Of a slot as wide as the unit.
    void add(std::string_view metric, const Rollup& rollup, std::int64_t interval_ms);

    [[nodiscard]] std::size_t metrics() const { return drawings_.size(); }
    /// The widest bucket of any metric; 0: every point is a sample.
    [[nodiscard]] Millis step() const;
    /// Ascending by metric.
    [[nodiscard]] std::vector<HistorySeries> take();

 private:
    static constexpr std::size_t intervals_max = 512;

    /// One metric; `average` of a point is the sum until take().
    struct Drawing {
        std::vector<HistoryPoint> points;
        std::vector<std::int64_t> intervals;  ///< in ms, between the first of the samples
        Timestamp first{};
        Timestamp last{};
        std::uint64_t samples = 0;
        bool bucketed = false;
    };

    [[nodiscard]] Drawing& drawing_of(std::string_view metric);
    void put(Drawing& drawing, const HistoryPoint& point);
    void put_in_bucket(std::vector<HistoryPoint>& points, const HistoryPoint& point) const;
    void finish(Drawing& drawing, Millis interval) const;

    const Timestamp from_;
    const Timestamp to_;
    const Millis unit_;
    const Millis width_;
    const std::size_t points_max_;
    std::map<std::string, Drawing, std::less<>> drawings_;
};

}  // namespace muster
