#include "simulator/device_sensors.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

namespace muster {
namespace {

constexpr double charge_per_hour = 30;  ///< percent
constexpr double charge_below = 20;     ///< percent
constexpr double ms_per_hour = 3'600'000;
constexpr double day_swing = 5;  ///< degrees, half the difference of day and night

double hours_of_day(Timestamp now, double longitude) {
    const auto hours = static_cast<double>(to_epoch_ms(now)) / ms_per_hour + longitude / 15;
    return hours - 24 * std::floor(hours / 24);
}

}  // namespace

DeviceSensors::DeviceSensors(const PlannedDevice& plan) : plan_(&plan), random_(plan.seed ^ 0x5e450125ULL) {
    battery_ = 25 + 75 * random_.uniform();
    drain_per_hour_ = (plan.network == Network::gsm_2g ? 4.0 : 2.5) * (0.6 + 0.8 * random_.uniform());
    cpu_usual_ = 6 + 18 * random_.uniform();
    temperature_offset_ = 1.5 * random_.normal();
    signal_usual_ = profile_of(plan.network).signal_dbm + 5 * random_.normal();
}

void DeviceSensors::sample(Timestamp now, bool with_time, std::string& out) {
    run_battery(now);
    cpu_drift_ = 0.8 * cpu_drift_ + 1.5 * random_.normal();
    signal_drift_ = 0.9 * signal_drift_ + random_.normal();
    const double spike = random_.chance(0.01) ? 50 * random_.uniform() : 0;
    out.push_back('{');
    if (with_time) {
        fmt::format_to(std::back_inserter(out), R"("ts":{},)", to_epoch_ms(now));
    }
    fmt::format_to(std::back_inserter(out), R"("battery":{:.1f},"temperature":{:.1f},"cpu":{:.1f},"signal":{:.0f}}})",
                   battery_, temperature(now), std::clamp(cpu_usual_ + cpu_drift_ + spike, 0.5, 100.0),
                   std::clamp(signal_usual_ + signal_drift_, -120.0, -40.0));
}

void DeviceSensors::run_battery(Timestamp now) {
    const double hours = last_ == Timestamp{} ? 0 : static_cast<double>((now - last_).count()) / ms_per_hour;
    last_ = now;
    battery_ =
        std::clamp(battery_ + (charging_ ? charge_per_hour : -drain_per_hour_) * std::max(hours, 0.0), 0.0, 100.0);
    if (battery_ < charge_below) {
        charging_ = true;
    } else if (battery_ >= 100) {
        charging_ = false;
    }
}

double DeviceSensors::temperature(Timestamp now) {
    const double warmest_at = 15;  // o'clock, local
    const double phase = (hours_of_day(now, plan_->longitude) - warmest_at) / 24;
    const double mean = cohort_of(*plan_).mean_temperature + temperature_offset_;
    return mean + day_swing * std::cos(2 * std::numbers::pi * phase) + 0.2 * random_.normal();
}

}  // namespace muster
