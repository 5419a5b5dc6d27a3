#include "history/series_builder.h"

#include <algorithm>

#include "base/assert.h"

namespace muster {
namespace {

/// So wide that no more than `points_max` of them cover the range.
Millis bucket_width(Timestamp from, Timestamp to, std::size_t points_max) {
    const auto points = static_cast<std::int64_t>(points_max);
    return std::max(Millis(1), Millis(((to - from).count() + points - 1) / points));
}

}  // namespace

SeriesBuilder::SeriesBuilder(Timestamp from, Timestamp to, std::size_t points_max)
    : from_(from), width_(bucket_width(from, to, points_max)), points_max_(points_max) {
    MUSTER_ASSERT(points_max > 0);
}

void SeriesBuilder::add(std::string_view metric, Timestamp time, double value) {
    auto found = drawings_.find(metric);
    if (found == drawings_.end()) {
        found = drawings_.emplace(std::string(metric), Drawing{}).first;
    }
    Drawing& drawing = found->second;
    const HistoryPoint point{time, value, value, value, 1};
    if (!drawing.bucketed && drawing.points.size() == points_max_) {
        std::vector<HistoryPoint> buckets;
        for (const HistoryPoint& one : drawing.points) {
            put_in_bucket(buckets, one);
        }
        drawing.points = std::move(buckets);
        drawing.bucketed = true;
    }
    if (drawing.bucketed) {
        put_in_bucket(drawing.points, point);
    } else {
        drawing.points.push_back(point);
    }
}

void SeriesBuilder::put_in_bucket(std::vector<HistoryPoint>& points, const HistoryPoint& point) const {
    const Timestamp begin = from_ + width_ * ((point.time - from_) / width_);
    if (points.empty() || points.back().time != begin) {
        points.push_back(point);
        points.back().time = begin;
        return;
    }
    HistoryPoint& bucket = points.back();
    bucket.average += point.average;
    bucket.minimum = std::min(bucket.minimum, point.minimum);
    bucket.maximum = std::max(bucket.maximum, point.maximum);
    bucket.samples += point.samples;
}

std::vector<HistorySeries> SeriesBuilder::take() {
    std::vector<HistorySeries> result;
    for (auto& [metric, drawing] : drawings_) {
        for (HistoryPoint& point : drawing.points) {
            // Rounding must not put the mean outside what it is the mean of.
            point.average = std::clamp(point.average / point.samples, point.minimum, point.maximum);
        }
        result.push_back({metric, std::move(drawing.points)});
    }
    return result;
}

}  // namespace muster
