#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/random.h"
#include "base/time.h"

namespace muster {

/// What can befall a sensor. Each faulty device of a SensorWorld has one.
enum class Fault : std::uint8_t { none, spike, drift, stuck, battery, noise };
inline constexpr std::size_t fault_count = 6;
[[nodiscard]] std::string_view name_of(Fault fault);

/// A seeded fleet of sensors as the simulator's are: a temperature with the rhythm of the day, a load with spikes, a
/// signal that wanders, a battery that drains and, on some devices, is charged. A third of the devices get a fault on
/// the second day. One thread.
class SensorWorld final {
 public:
    static constexpr int devices = 60;  ///< of two models
    static constexpr Seconds interval{60};
    static constexpr Seconds length{48 * 3600};
    static constexpr Timestamp start = from_epoch_ms(1'700'000'000'000);

    struct Truth {
        Fault fault = Fault::none;
        Timestamp begin{};
        Timestamp end{};
        std::string metric;
    };

    /// `severity`: 1 is a fault as it is meant, 0.5 one of half the size.
    explicit SensorWorld(std::uint64_t seed, double severity = 1);

    [[nodiscard]] static std::string device_name(int device);
    [[nodiscard]] static std::string model_of(int device) { return device % 2 == 0 ? "m-1" : "m-2"; }
    [[nodiscard]] const Truth& truth(int device) const { return sensors_[static_cast<std::size_t>(device)].truth; }
    /// The samples of the next interval, device by device; called length / interval times.
    void step(FunctionRef<void(int device, std::string_view metric, double value, Timestamp time)> report);

 private:
    struct Sensor {
        Truth truth;
        double offset = 0;  ///< degrees, from its model
        double hours_east = 0;
        double load = 0;
        double load_drift = 0;
        double signal = 0;
        double signal_drift = 0;
        double battery = 0;
        double drain_a_day = 0;  ///< percent
        double spike = 0;        ///< degrees
        double drift_an_hour = 0;
        Timestamp charge_from{};        ///< for an hour
        std::array<double, 2> stuck{};  ///< temperature, signal as they were
        bool is_stuck = false;
    };

    [[nodiscard]] double temperature(Sensor& sensor, Timestamp time);
    [[nodiscard]] double signal(Sensor& sensor, Timestamp time);
    void run_battery(Sensor& sensor, Timestamp time);

    Random random_;
    const double severity_;
    std::vector<Sensor> sensors_;
    Timestamp now_ = start;
};

}  // namespace muster
