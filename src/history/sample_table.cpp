#include "history/sample_table.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace muster {
namespace {

/// Metrics of earlier devices that are kept for their memory.
constexpr std::size_t kept_metrics_max = 64;

void fold_one(MetricSamples& samples) {
    if (std::ranges::adjacent_find(samples.times, std::greater_equal<>()) == samples.times.end()) {
        return;
    }
    std::vector<std::uint32_t> order(samples.times.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return samples.times[i]; });
    MetricSamples folded{samples.name, {}, {}, {}};
    for (const std::uint32_t i : order) {
        if (!folded.times.empty() && folded.times.back() == samples.times[i]) {
            folded.values.back() = samples.values[i];
            folded.clamped.back() = samples.clamped[i];
        } else {
            folded.add(samples.times[i], samples.values[i], samples.clamped[i] != 0);
        }
    }
    samples = std::move(folded);
}

}  // namespace

bool SampleTable::wants(std::string_view metric) const {
    return wanted_.empty() || std::ranges::find(wanted_, metric) != wanted_.end();
}

std::size_t SampleTable::index_of(std::string_view name) {
    const auto found = std::ranges::find(metrics_, name, &MetricSamples::name);
    if (found != metrics_.end()) {
        return static_cast<std::size_t>(found - metrics_.begin());
    }
    metrics_.push_back({std::string(name), {}, {}, {}});
    return metrics_.size() - 1;
}

MetricSamples& SampleTable::metric(std::string_view name) {
    return metrics_[index_of(name)];
}

void SampleTable::fold() {
    for (MetricSamples& samples : metrics_) {
        fold_one(samples);
    }
    if (!std::ranges::is_sorted(metrics_, {}, &MetricSamples::name)) {
        std::ranges::sort(metrics_, {}, &MetricSamples::name);
    }
}

std::size_t SampleTable::values() const {
    std::size_t sum = 0;
    for (const MetricSamples& samples : metrics_) {
        sum += samples.times.size();
    }
    return sum;
}

void SampleTable::clear() {
    if (metrics_.size() > kept_metrics_max) {
        metrics_.clear();
    }
    for (MetricSamples& samples : metrics_) {
        samples.times.clear();
        samples.values.clear();
        samples.clamped.clear();
    }
}

}  // namespace muster
