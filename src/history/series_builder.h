#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "history/history_store.h"

namespace muster {

/// Draws samples that come in ascending time into at most points_max points a metric: each sample a point while they
/// fit, else buckets of equal width over the range, which keep minimum and maximum. Memory: points_max a metric.
class SeriesBuilder final {
 public:
    /// Samples are in [from, to).
    SeriesBuilder(Timestamp from, Timestamp to, std::size_t points_max);

    void add(std::string_view metric, Timestamp time, double value);
    [[nodiscard]] std::size_t metrics() const { return drawings_.size(); }
    /// Ascending by metric.
    [[nodiscard]] std::vector<HistorySeries> take();

 private:
    /// One metric; `average` of a point is the sum until take().
    struct Drawing {
        std::vector<HistoryPoint> points;
        bool bucketed = false;
    };

    void put_in_bucket(std::vector<HistoryPoint>& points, const HistoryPoint& point) const;

    const Timestamp from_;
    const Millis width_;
    const std::size_t points_max_;
    std::map<std::string, Drawing, std::less<>> drawings_;
};

}  // namespace muster
