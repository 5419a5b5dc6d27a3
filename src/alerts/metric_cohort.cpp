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

void MetricCohort::encode(ByteWriter& out, std::int64_t elapsed_ms) const {
    const auto counts = [&](const Slot& slot) {
        return slot.heard_ms != never && elapsed_ms - slot.heard_ms <= silent_ms;
    };
    out.number(static_cast<std::uint16_t>(std::ranges::count_if(slots_, counts)));
    for (std::size_t at = 0; at < slots; ++at) {
        const Slot& slot = slots_[at];
        if (counts(slot)) {
            out.number(static_cast<std::uint8_t>(at));
            out.number(static_cast<std::uint32_t>(elapsed_ms - slot.heard_ms));
            out.number(slot.repeats);
            out.real(slot.value);
        }
    }
}

bool MetricCohort::decode(ByteReader& in, std::int64_t elapsed_ms, std::int64_t gap_ms) {
    static_assert(slots == 256, "a slot's number is a byte");
    const auto count = in.number<std::uint16_t>();
    bool sound = count <= slots;
    for (std::size_t i = 0; i < count && sound; ++i) {
        Slot& slot = slots_[in.number<std::uint8_t>()];
        slot.heard_ms = elapsed_ms - gap_ms - std::int64_t{in.number<std::uint32_t>()};
        slot.repeats = in.number<std::uint32_t>();
        slot.value = in.real();
        sound = in.ok() && std::isfinite(slot.value);
    }
    if (sound && in.ok()) {
        sum_up(elapsed_ms);
    }
    return sound && in.ok();
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
