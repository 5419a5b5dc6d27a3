#include "api/latency_window.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace muster {

std::size_t LatencyWindow::bucket_of(std::int64_t ms) {
    const auto value =
        static_cast<std::uint64_t>(std::clamp<std::int64_t>(ms, 0, (std::int64_t{1} << (octaves + 4)) - 1));
    if (value < sub_buckets) {
        return value;
    }
    const auto octave = static_cast<unsigned>(std::bit_width(value)) - 5U;  // 0 for 16..31
    return sub_buckets * (octave + 1) + ((value >> octave) - sub_buckets);
}

double LatencyWindow::middle_of(std::size_t bucket) {
    if (bucket < sub_buckets) {
        return static_cast<double>(bucket);
    }
    const auto octave = bucket / sub_buckets - 1;
    const auto low = (sub_buckets + bucket % sub_buckets) << octave;
    return static_cast<double>(low) + static_cast<double>((std::size_t{1} << octave) - 1) / 2.0;
}

void LatencyWindow::turn(Millis monotonic_now) {
    const std::int64_t now = monotonic_now / slot_length;
    const std::int64_t from = std::max(current_ + 1, now - static_cast<std::int64_t>(slot_count) + 1);
    for (std::int64_t slot = from; slot <= now; ++slot) {
        slots_[static_cast<std::size_t>(slot) % slot_count].fill(0);
    }
    current_ = std::max(current_, now);
}

void LatencyWindow::add(Millis monotonic_now, std::int64_t ms) {
    turn(monotonic_now);
    ++slots_[static_cast<std::size_t>(current_) % slot_count][bucket_of(ms)];
}

std::optional<double> LatencyWindow::quantile(Millis monotonic_now, double share) {
    turn(monotonic_now);
    std::array<std::uint64_t, buckets> sums{};
    std::uint64_t total = 0;
    for (const Slot& slot : slots_) {
        for (std::size_t i = 0; i < buckets; ++i) {
            sums[i] += slot[i];
            total += slot[i];
        }
    }
    if (total == 0) {
        return std::nullopt;
    }
    const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets; ++i) {
        seen += sums[i];
        if (seen >= std::max<std::uint64_t>(rank, 1)) {
            return middle_of(i);
        }
    }
    return middle_of(buckets - 1);
}

}  // namespace muster
