#include "sensor_world.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

namespace muster {
namespace {

constexpr std::array<std::string_view, fault_count> fault_names{"none", "spike", "drift", "stuck", "battery", "noise"};
constexpr double noise_more = 4;  ///< of the usual noise, on top of it
constexpr double drain_more = 7;

double hours(Timestamp since, Timestamp time) {
    return static_cast<double>((time - since).count()) / 3'600'000;
}

double on_grid(double value, double grid) {
    return std::round(value / grid) * grid;
}

bool is_on(const SensorWorld::Truth& truth, Fault fault, std::string_view metric, Timestamp time) {
    return truth.fault == fault && truth.metric == metric && time >= truth.begin && time < truth.end;
}

}  // namespace

std::string_view name_of(Fault fault) {
    return fault_names.at(static_cast<std::size_t>(fault));
}

std::string SensorWorld::device_name(int device) {
    return fmt::format("d-{}", device);
}

SensorWorld::SensorWorld(std::uint64_t seed, double severity) : random_(seed), severity_(severity) {
    sensors_.resize(devices);
    for (std::size_t i = 0; i < sensors_.size(); ++i) {
        Sensor& sensor = sensors_[i];
        sensor.offset = (i % 2 == 0 ? 0 : 6) + 1.5 * random_.normal();
        sensor.hours_east = random_.uniform() - 0.5;
        sensor.load = 6 + 18 * random_.uniform();
        sensor.signal = -85 + 5 * random_.normal();
        sensor.battery = 75 + 25 * random_.uniform();
        sensor.drain_a_day = 4 + 4 * random_.uniform();
        if (i % 3 == 1) {
            sensor.charge_from = start + Seconds(static_cast<std::int64_t>(random_.uniform() * 47 * 3600));
        }
        if (i % 3 != 0) {
            continue;
        }
        Truth& truth = sensor.truth;
        truth.fault = static_cast<Fault>(1 + i / 3 % 5);
        truth.begin = start + Seconds(static_cast<std::int64_t>((24 + 12 * random_.uniform()) * 3600));
        truth.end = start + length;
        truth.metric = random_.chance(0.5) ? "temperature" : "signal";
        switch (truth.fault) {
            case Fault::spike:
                truth.metric = "temperature";
                truth.end = truth.begin + Seconds(300 + static_cast<std::int64_t>(random_.uniform() * 600));
                sensor.spike = severity * (random_.chance(0.5) ? 1 : -1) * (5 + 7 * random_.uniform());
                break;
            case Fault::drift:
                truth.metric = "temperature";
                sensor.drift_an_hour = severity * (random_.chance(0.5) ? 1 : -1) * (1 + 2 * random_.uniform());
                break;
            case Fault::stuck:
            case Fault::noise:
                truth.end = truth.begin + Seconds(static_cast<std::int64_t>((2 + 4 * random_.uniform()) * 3600));
                break;
            case Fault::battery:
                truth.metric = "battery";
                break;
            case Fault::none:
                break;
        }
    }
}

double SensorWorld::temperature(Sensor& sensor, Timestamp time) {
    const Truth& truth = sensor.truth;
    const double phase = (hours(start, time) + sensor.hours_east) / 24;
    const double noise = is_on(truth, Fault::noise, "temperature", time) ? 1 + noise_more * severity_ : 1;
    double value = 24 + sensor.offset + 5 * std::cos(2 * std::numbers::pi * phase) + 0.2 * noise * random_.normal();
    if (is_on(truth, Fault::spike, "temperature", time)) {
        value += sensor.spike;
    }
    if (is_on(truth, Fault::drift, "temperature", time)) {
        value += std::clamp(sensor.drift_an_hour * hours(truth.begin, time), -25.0, 25.0);
    }
    return on_grid(value, 0.1);
}

double SensorWorld::signal(Sensor& sensor, Timestamp time) {
    const double noise = is_on(sensor.truth, Fault::noise, "signal", time) ? 1 + noise_more * severity_ : 1;
    sensor.signal_drift = 0.9 * sensor.signal_drift + random_.normal();
    return std::round(sensor.signal + sensor.signal_drift + (noise - 1) * random_.normal());
}

void SensorWorld::run_battery(Sensor& sensor, Timestamp time) {
    constexpr double a_step = static_cast<double>(interval.count()) / 86'400;
    const double factor = is_on(sensor.truth, Fault::battery, "battery", time) ? 1 + drain_more * severity_ : 1;
    const bool charging =
        sensor.charge_from != Timestamp{} && time >= sensor.charge_from && time < sensor.charge_from + Seconds(3600);
    sensor.battery += charging ? 480 * a_step : -sensor.drain_a_day * factor * a_step;  // 20 percent in the hour
    sensor.battery = std::clamp(sensor.battery, 0.0, 100.0);
}

void SensorWorld::step(FunctionRef<void(int, std::string_view, double, Timestamp)> report) {
    now_ += interval;
    for (std::size_t i = 0; i < sensors_.size(); ++i) {
        Sensor& sensor = sensors_[i];
        const int device = static_cast<int>(i);
        const double warmth = temperature(sensor, now_);
        const double strength = signal(sensor, now_);
        const bool stuck = sensor.truth.fault == Fault::stuck && now_ >= sensor.truth.begin && now_ < sensor.truth.end;
        if (!stuck || !sensor.is_stuck) {
            sensor.stuck = {warmth, strength};
        }
        sensor.is_stuck = stuck;
        const bool of_signal = sensor.truth.metric == "signal";
        report(device, "temperature", stuck && !of_signal ? sensor.stuck[0] : warmth, now_);
        report(device, "signal", stuck && of_signal ? sensor.stuck[1] : strength, now_);
        sensor.load_drift = 0.8 * sensor.load_drift + 1.5 * random_.normal();
        const double load_spike = random_.chance(0.01) ? 50 * random_.uniform() : 0;
        report(device, "cpu", on_grid(std::clamp(sensor.load + sensor.load_drift + load_spike, 0.5, 100.0), 0.1), now_);
        run_battery(sensor, now_);
        report(device, "battery", on_grid(std::clamp(sensor.battery + 0.2 * random_.normal(), 0.0, 100.0), 0.1), now_);
    }
}

}  // namespace muster
