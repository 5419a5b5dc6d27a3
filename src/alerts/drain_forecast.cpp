#include "alerts/drain_forecast.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace muster {
namespace {

constexpr double day_s = 86'400;
constexpr double normal_quantile = 1.645;     // two-sided 90 %
constexpr std::uint32_t samples_of_rise = 3;  // one value that is wrong is no charge
constexpr double hundredths = 100;
constexpr double percent_max = 650;              // what is over 100 is no percent, but drains all the same
constexpr std::int64_t time_s_max = 1LL << 40U;  // of what was kept: no sum with it overflows
constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr std::size_t slopes_max = DrainForecast::points_max * (DrainForecast::points_max - 1) / 2;

double days_at(double percent, double per_day) {
    return per_day < 0 ? percent / -per_day : infinite;
}

}  // namespace

void DrainForecast::begin(std::int64_t time_s) {
    begin_s_ = time_s;
    slice_s_ = static_cast<std::int32_t>(slice_first_s);
    count_ = 0;
    sum_ = 0;
    samples_ = 0;
    lowest_ = std::numeric_limits<float>::infinity();
}

bool DrainForecast::take(double percent, Timestamp time) {
    const std::int64_t time_s = std::chrono::floor<Seconds>(time.time_since_epoch()).count();
    if (slice_s_ == 0 || time_s - open_since_s() > static_cast<std::int64_t>(points_max) * slice_s_) {
        begin(time_s);  // the first, or a silence longer than all that is known
        charged_ = false;
    }
    if (time_s < open_since_s()) {
        return false;
    }
    bool changed = false;
    for (; time_s >= open_since_s() + slice_s_; changed = true) {
        if (has_risen(1)) {
            charge(open_since_s(), sum_ / samples_);
        }
        close();
    }
    sum_ += percent;
    ++samples_;
    if (has_risen(samples_of_rise)) {
        charge(time_s, percent);
        changed = true;
    }
    return changed;
}

/// The mean of the open slice tells it as soon as it has so many samples.
bool DrainForecast::has_risen(std::uint32_t samples) const {
    return samples_ >= samples && sum_ / samples_ > lowest_ + rise_percent;
}

void DrainForecast::charge(std::int64_t time_s, double percent) {
    begin(time_s);
    sum_ = percent;
    samples_ = 1;
    charged_ = true;
}

void DrainForecast::close() {
    if (count_ == points_max) {
        std::copy(points_.begin() + 1, points_.end(), points_.begin());
        begin_s_ += slice_s_;
        --count_;
    }
    std::uint16_t point = none;
    if (samples_ > 0) {
        const double mean = std::clamp(sum_ / samples_, 0.0, percent_max);
        point = static_cast<std::uint16_t>(std::lround(mean * hundredths));
        lowest_ = std::min(lowest_, static_cast<float>(mean));
    }
    points_[count_++] = point;
    sum_ = 0;
    samples_ = 0;
    if (count_ == points_max && slice_s_ < slice_last_s) {
        halve();
    }
}

/// Twice the slice, half the points.
void DrainForecast::halve() {
    for (std::size_t i = 0; i < points_max / 2; ++i) {
        const unsigned first = points_[2 * i];
        const unsigned second = points_[2 * i + 1];
        points_[i] = static_cast<std::uint16_t>(first == none ? second : second == none ? first : (first + second) / 2);
    }
    count_ = points_max / 2;
    slice_s_ = std::min(2 * slice_s_, static_cast<std::int32_t>(slice_last_s));
}

/// Of the points from `first` on; nullopt: they are too few.
std::optional<DrainForecast::Slope> DrainForecast::slope_since(std::size_t first) const {
    std::array<double, slopes_max> slopes;
    std::size_t found = 0;
    double points = 0;
    for (std::size_t i = first; i < count_; ++i) {
        if (points_[i] == none) {
            continue;
        }
        ++points;
        for (std::size_t j = first; j < i; ++j) {
            if (points_[j] != none) {
                slopes[found++] = (points_[i] - points_[j]) / (hundredths * static_cast<double>(i - j));
            }
        }
    }
    if (points < points_min) {
        return std::nullopt;
    }
    std::sort(slopes.begin(), slopes.begin() + static_cast<std::ptrdiff_t>(found));
    const double reach = normal_quantile * std::sqrt(points * (points - 1) * (2 * points + 5) / 18) / 2;
    const double middle = static_cast<double>(found) / 2;
    const auto at = [&](double rank) {
        return slopes[static_cast<std::size_t>(std::clamp(rank, 0.0, static_cast<double>(found - 1)))];
    };
    return Slope{.steepest = at(middle - reach), .median = at(middle), .flattest = at(middle + reach)};
}

std::optional<DrainForecast::Estimate> DrainForecast::estimate() const {
    auto slope = slope_since(0);
    if (!slope) {
        return std::nullopt;
    }
    if (count_ > points_recent) {
        const auto recent = slope_since(count_ - points_recent);
        const bool pace_changed = recent && (recent->flattest < slope->steepest || recent->steepest > slope->flattest);
        slope = pace_changed ? recent : slope;
    }
    const auto newest = std::find_if(points_.rend() - count_, points_.rend(), [](auto point) { return point != none; });
    const double percent = *newest / hundredths;
    const double a_day = day_s / slice_s_;
    // A slope that may be none says nothing of the end.
    return Estimate{.percent = percent,
                    .per_day = a_day * slope->median,
                    .days = slope->flattest < 0 ? days_at(percent, a_day * slope->median) : infinite,
                    .days_low = days_at(percent, a_day * slope->steepest),
                    .days_high = days_at(percent, a_day * slope->flattest)};
}

void DrainForecast::encode(ByteWriter& out) const {
    out.number(begin_s_);
    out.real(sum_);
    out.number(samples_);
    out.number(slice_s_);
    out.number(std::bit_cast<std::uint32_t>(lowest_));
    out.number(static_cast<std::uint8_t>(charged_ ? 1 : 0));
    out.number(count_);
    for (std::size_t i = 0; i < count_; ++i) {
        out.number(points_[i]);
    }
}

bool DrainForecast::decode(ByteReader& in) {
    begin_s_ = in.number<std::int64_t>();
    sum_ = in.real();
    samples_ = in.number<std::uint32_t>();
    slice_s_ = in.number<std::int32_t>();
    lowest_ = std::bit_cast<float>(in.number<std::uint32_t>());
    charged_ = in.number<std::uint8_t>() != 0;
    count_ = in.number<std::uint8_t>();
    if (count_ > points_max || std::abs(begin_s_) > time_s_max || slice_s_ < slice_first_s || slice_s_ > slice_last_s ||
        !std::isfinite(sum_) || std::isnan(lowest_)) {
        return false;
    }
    for (std::size_t i = 0; i < count_; ++i) {
        points_[i] = in.number<std::uint16_t>();
    }
    return in.ok();
}

}  // namespace muster
