#include "alerts/metric_cohort.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace muster {
namespace {

constexpr double deviation_of_mad = 1.4826;  // of a normal distribution
constexpr std::uint32_t samples_a_sum = 32;  // between two looks at all slots: their cost is shared by so many samples

/// The value below which `part` of them are. Reorders.
double quantile(double* first, double* last, double part) {
    double* const at = first + static_cast<std::ptrdiff_t>(part * static_cast<double>(last - first - 1));
    std::nth_element(first, at, last);
    return *at;
}

}  // namespace

void MetricCohort::take(std::string_view device, double value, std::uint32_t repeats, std::int64_t elapsed_ms) {
    slots_[std::hash<std::string_view>{}(device) % slots] = {value, elapsed_ms, repeats};
    if (++since_sum_ >= samples_a_sum) {
        since_sum_ = 0;
        sum_up(elapsed_ms);
    }
}

void MetricCohort::sum_up(std::int64_t elapsed_ms) {
    std::array<double, slots> values;
    std::array<double, slots> repeats;
    std::size_t count = 0;
    for (const Slot& slot : slots_) {
        if (slot.heard_ms != never && elapsed_ms - slot.heard_ms <= silent_ms) {
            values[count] = slot.value;
            repeats[count] = slot.repeats;
            ++count;
        }
    }
    devices_ = static_cast<std::int64_t>(count);
    if (count == 0) {
        return;
    }
    usual_repeats_ = quantile(repeats.data(), repeats.data() + count, 0.75);
    median_ = quantile(values.data(), values.data() + count, 0.5);
    std::for_each_n(values.begin(), count, [this](double& value) { value = std::abs(value - median_); });
    mad_ = quantile(values.data(), values.data() + count, 0.5);
}

std::optional<double> MetricCohort::deviation(double value) const {
    return mad_ > 0 ? std::optional((value - median_) / (deviation_of_mad * mad_)) : std::nullopt;
}

}  // namespace muster
