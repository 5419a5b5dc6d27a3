#include "processor/deadline_wheel.h"

#include <algorithm>

namespace muster {

DeadlineWheel::Bucket DeadlineWheel::schedule(std::uint32_t device, Bucket bucket) {
    const Bucket at = std::clamp(bucket, current_ + 1, current_ + buckets - 1);
    ring_[at % buckets].push_back(device);
    return at;
}

void DeadlineWheel::advance(std::int64_t now_ms, std::vector<std::pair<std::uint32_t, Bucket>>& taken) {
    const auto target = std::max(current_, static_cast<Bucket>(now_ms / resolution_ms));
    const Bucket last = std::min(target, current_ + buckets);
    for (Bucket at = current_ + 1; at <= last; ++at) {
        auto& bucket = ring_[at % buckets];
        for (const std::uint32_t device : bucket) {
            taken.emplace_back(device, at);
        }
        bucket.clear();
    }
    current_ = target;
}

}  // namespace muster
