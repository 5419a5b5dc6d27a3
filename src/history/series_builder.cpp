#include "history/series_builder.h"

#include <algorithm>

#include "base/assert.h"

namespace muster {
namespace {

/// So wide that no more than `points_max` of them cover the range.
Millis bucket_width(Timestamp from, Timestamp to, std::size_t points_max, Millis unit) {
    const auto points = static_cast<std::int64_t>(points_max);
    const Millis width = std::max(unit, Millis(((to - from).count() + points - 1) / points));
    return unit * ((width + unit - Millis(1)) / unit);
}

}  // namespace

SeriesBuilder::SeriesBuilder(Timestamp from, Timestamp to, std::size_t points_max, Millis unit)
    : from_(from), to_(to), unit_(unit), width_(bucket_width(from, to, points_max, unit)), points_max_(points_max) {
    MUSTER_ASSERT(points_max > 0 && unit > Millis(0));
}

SeriesBuilder::Drawing& SeriesBuilder::drawing_of(std::string_view metric) {
    auto found = drawings_.find(metric);
    if (found == drawings_.end()) {
        found = drawings_.emplace(std::string(metric), Drawing{}).first;
    }
    return found->second;
}

void SeriesBuilder::add(std::string_view metric, Timestamp time, double value, bool time_clamped) {
    Drawing& drawing = drawing_of(metric);
    if (drawing.samples > 0 && drawing.intervals.size() < intervals_max) {
        drawing.intervals.push_back((time - drawing.last).count());
    }
    put(drawing, {time, value, value, value, 1, 1, time_clamped ? 1U : 0U});
}

void SeriesBuilder::add(std::string_view metric, const Rollup& rollup, std::int64_t interval_ms) {
    Drawing& drawing = drawing_of(metric);
    if (interval_ms > 0 && drawing.intervals.size() < intervals_max) {
        drawing.intervals.push_back(interval_ms);
    }
    put(drawing, {from_epoch_ms(rollup.time), rollup.sum, rollup.minimum, rollup.maximum, rollup.samples});
    drawing.last += std::max(unit_ - Millis(interval_ms), Millis(0));  // when the slot's last sample is due
}

void SeriesBuilder::put(Drawing& drawing, const HistoryPoint& point) {
    drawing.first = drawing.samples == 0 ? point.time : drawing.first;
    drawing.last = point.time;
    drawing.samples += point.samples;
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
    bucket.time_clamped += point.time_clamped;
}

Millis SeriesBuilder::step() const {
    const bool bucketed = std::ranges::any_of(drawings_, [](const auto& one) { return one.second.bucketed; });
    return bucketed ? width_ : unit_ > Millis(1) ? unit_ : Millis(0);
}

/// Sums become averages, and what came is set against what was due.
void SeriesBuilder::finish(Drawing& drawing, Millis interval) const {
    const Millis width = drawing.bucketed ? width_ : unit_;
    const bool single = !drawing.bucketed && unit_ == Millis(1);
    for (HistoryPoint& point : drawing.points) {
        // Rounding must not put the mean outside what it is the mean of.
        point.average = std::clamp(point.average / point.samples, point.minimum, point.maximum);
        if (!single && interval > Millis(0)) {
            const Millis seen = std::min(point.time + width, to_) - point.time;
            const auto due = static_cast<float>(seen.count()) / static_cast<float>(interval.count());
            point.completeness = std::min(1.0F, static_cast<float>(point.samples) / std::max(due, 1.0F));
        }
    }
}

std::vector<HistorySeries> SeriesBuilder::take() {
    std::vector<HistorySeries> result;
    for (auto& [metric, drawing] : drawings_) {
        Millis interval{0};
        if (!drawing.intervals.empty()) {
            const auto middle = drawing.intervals.begin() + static_cast<std::ptrdiff_t>(drawing.intervals.size() / 2);
            std::ranges::nth_element(drawing.intervals, middle);
            interval = Millis(*middle);
        }
        finish(drawing, interval);
        HistorySeries series{metric, std::move(drawing.points), 1};
        if (interval > Millis(0)) {
            const auto due = static_cast<float>((drawing.last - drawing.first + interval).count()) /
                             static_cast<float>(interval.count());
            series.completeness = std::min(1.0F, static_cast<float>(drawing.samples) / due);
        }
        result.push_back(std::move(series));
    }
    return result;
}

}  // namespace muster
