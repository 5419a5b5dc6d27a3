#include "latency.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace muster {

// Values under 64 have a bucket each; above, a bucket is the leading bit and the 5 bits after it.
std::size_t LatencyHistogram::bucket_of(std::uint64_t micros) {
    const auto width = static_cast<unsigned>(std::bit_width(micros));
    if (width <= step_bits + 1) {
        return micros;
    }
    const unsigned shift = width - step_bits - 1;
    return (std::size_t{shift} << step_bits) + (micros >> shift);
}

std::uint64_t LatencyHistogram::top_of(std::size_t bucket) {
    if (bucket < (std::size_t{2} << step_bits)) {
        return bucket;
    }
    const std::size_t shift = (bucket >> step_bits) - 1;
    const std::uint64_t leading = bucket - (shift << step_bits);
    return ((leading + 1) << shift) - 1;
}

void LatencyHistogram::add(Micros latency) {
    const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
    ++counts_[bucket_of(micros)];
    ++count_;
    max_ = std::max(max_, micros);
}

Micros LatencyHistogram::percentile(double share) const {
    const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets && rank > 0; ++i) {
        seen += counts_[i];
        if (seen >= rank) {
            return Micros(std::min(top_of(i), max_));
        }
    }
    return Micros(0);
}

}  // namespace muster
