#pragma once

#include <cstddef>
#include <vector>

#include "history/history_store.h"
#include "history/rollup_chunk.h"

namespace muster {

/// Draws the samples of many devices into buckets: device by device, each ascending in time. Memory: a point a bucket.
class FleetBuilder final {
 public:
    /// A bucket is a whole number of `unit`s, so wide that at most points_max cover [from, to).
    FleetBuilder(Timestamp from, Timestamp to, std::size_t points_max, Millis unit);

    void add(const Rollup& rollup);
    /// What comes next is another device's.
    void end_device();
    [[nodiscard]] std::vector<FleetPoint> take();
    [[nodiscard]] Millis step() const { return width_; }

 private:
    const Timestamp from_;
    const Timestamp to_;
    const Millis width_;
    std::vector<FleetPoint> points_;  ///< `average` is the sum of devices' averages until take()
    std::size_t bucket_ = 0;          ///< of the device's rollup
    Rollup of_device_{};
};

}  // namespace muster
