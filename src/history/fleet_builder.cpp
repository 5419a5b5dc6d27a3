#include "history/fleet_builder.h"

#include <algorithm>

namespace muster {
namespace {

Millis width_of(Timestamp from, Timestamp to, std::size_t points_max, Millis unit) {
    const auto points = static_cast<std::int64_t>(points_max);
    const Millis least(((to - from).count() + points - 1) / points);
    return unit * std::max<std::int64_t>(1, (least + unit - Millis(1)) / unit);
}

}  // namespace

FleetBuilder::FleetBuilder(Timestamp from, Timestamp to, std::size_t points_max, Millis unit)
    : from_(from), to_(to), width_(width_of(from, to, points_max, unit)) {
    const auto buckets = static_cast<std::size_t>((to - from + width_ - Millis(1)) / width_);
    points_.resize(buckets);
    for (std::size_t i = 0; i < buckets; ++i) {
        points_[i].time = from + width_ * static_cast<std::int64_t>(i);
    }
}

void FleetBuilder::add(const Rollup& rollup) {
    const Timestamp time = from_epoch_ms(rollup.time);
    if (time < from_ || time >= to_) {
        return;
    }
    const auto bucket = static_cast<std::size_t>((time - from_) / width_);
    if (bucket != bucket_) {
        end_device();
        bucket_ = bucket;
    }
    of_device_.add(rollup);
}

void FleetBuilder::end_device() {
    if (of_device_.samples == 0) {
        return;
    }
    FleetPoint& point = points_[bucket_];
    point.minimum = point.devices == 0 ? of_device_.minimum : std::min(point.minimum, of_device_.minimum);
    point.maximum = point.devices == 0 ? of_device_.maximum : std::max(point.maximum, of_device_.maximum);
    point.average += of_device_.average();
    point.samples += of_device_.samples;
    ++point.devices;
    of_device_ = {};
}

std::vector<FleetPoint> FleetBuilder::take() {
    end_device();
    std::erase_if(points_, [](const FleetPoint& point) { return point.devices == 0; });
    for (FleetPoint& point : points_) {
        point.average = std::clamp(point.average / point.devices, point.minimum, point.maximum);
    }
    return std::move(points_);
}

}  // namespace muster
