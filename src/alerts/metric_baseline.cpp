#include "alerts/metric_baseline.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace muster {
namespace {

constexpr double deviation_of_mad = 1.4826;  // of a normal distribution
constexpr double mean_of_median = 1.1829;    // of absolute values of a normal distribution
constexpr std::uint32_t plain_samples = 5;   // the first ones are averaged: nothing is known to bound them by
constexpr double level_rate = 0.1;           // follows the day: a slope of a tenth of the spread a sample
constexpr double spread_rate = 0.005;        // doubles in 140 samples
constexpr double step_rate = 0.002;          // doubles in 350 samples
constexpr double early_steps = 4;
constexpr double recent_rate = 1.0 / 24;
constexpr double recent_clip = 6;  // of the usual step: a single spike is not noise

/// One step of a running median of absolute values: up or down by the same factor, whatever the distance.
float towards_median(float median, double floor, double value, double rate) {
    const double from = std::max(static_cast<double>(median), floor);
    return static_cast<float>(from * std::exp(value > from ? rate : -rate));
}

}  // namespace

double MetricBaseline::unit(double median) const {
    return std::isinf(grid_) ? 0.0 : std::max(median, grid_);
}

double MetricBaseline::deviation() const {
    return deviation_of_mad * unit(spread_);
}

void MetricBaseline::begin(double value) {
    const double share = 1.0 / (samples_ + 1);
    spread_ += static_cast<float>((std::abs(value - level_) - spread_) * share);
    level_ += (value - level_) * share;
}

void MetricBaseline::learn(double value, double step) {
    // Faster while little is known, so that what the first samples got wrong is mended before anything is said.
    const double early = 1.0 / samples_;
    const double early_median = std::min(0.5, early_steps / samples_);
    const double off = value - level_;
    const double bound = unit(spread_);
    const double floor = std::isinf(grid_) ? 0.0 : grid_ / 4;
    const double usual = unit(step_);
    level_ += std::max(level_rate, early) * std::clamp(off, -bound, bound);
    spread_ = towards_median(spread_, floor, std::abs(off), std::max(spread_rate, early_median));
    step_ = towards_median(step_, floor, step, std::max(step_rate, early_median));
    recent_step_ += static_cast<float>((std::min(step, recent_clip * usual) - recent_step_) * recent_rate);
}

void MetricBaseline::encode(ByteWriter& out) const {
    out.real(level_);
    out.real(last_);
    out.real(grid_);
    for (const float value : {spread_, step_, recent_step_}) {
        out.number(std::bit_cast<std::uint32_t>(value));
    }
    out.number(samples_);
    out.number(repeats_);
}

bool MetricBaseline::decode(ByteReader& in) {
    level_ = in.real();
    last_ = in.real();
    grid_ = in.real();
    bool sound = std::isfinite(level_) && std::isfinite(last_) && grid_ > 0;
    for (float* const value : {&spread_, &step_, &recent_step_}) {
        *value = std::bit_cast<float>(in.number<std::uint32_t>());
        sound = sound && *value >= 0;
    }
    samples_ = in.number<std::uint32_t>();
    repeats_ = in.number<std::uint32_t>();
    return in.ok() && sound && samples_ > 0 && repeats_ <= samples_;
}

MetricBaseline::Score MetricBaseline::take(double value) {
    if (samples_ == 0) {
        level_ = last_ = value;
        samples_ = repeats_ = 1;
        return {.repeats = 1};
    }
    const double step = std::abs(value - last_);
    const bool same = std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(last_);
    repeats_ = same ? repeats_ + 1 : 1;
    if (step > 0) {
        grid_ = std::min(grid_, step);
    }
    Score score{.repeats = repeats_};
    if (samples_ >= warm_up && !std::isinf(grid_)) {
        score.is_warm = true;
        score.deviation = (value - level_) / deviation();
    }
    if (samples_ < plain_samples) {
        begin(value);
        step_ += static_cast<float>((step - step_) / samples_);
        recent_step_ = step_;
    } else {
        learn(value, step);
    }
    if (score.is_warm) {
        score.noise = recent_step_ / (mean_of_median * unit(step_));
    }
    last_ = value;
    ++samples_;
    return score;
}

}  // namespace muster
