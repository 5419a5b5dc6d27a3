#pragma once

#include <string>

#include "base/random.h"
#include "base/time.h"
#include "simulator/fleet_plan.h"

namespace muster {

/// What a device measures: a battery that drains and is charged, the temperature of a day at its place, load and signal
/// that wander. Owned by its DeviceModel; reads no clock.
class DeviceSensors final {
 public:
    explicit DeviceSensors(const PlannedDevice& plan);

    /// Appends {"battery":87.3,"temperature":24.6,"cpu":12.1,"signal":-83} as of `now`, with "ts" when `with_time`.
    void sample(Timestamp now, bool with_time, std::string& out);

 private:
    void run_battery(Timestamp now);
    [[nodiscard]] double temperature(Timestamp now);

    const PlannedDevice* plan_;
    Random random_;
    Timestamp last_{};
    double battery_;             ///< percent
    double drain_per_hour_;      ///< percent
    double cpu_usual_;           ///< percent
    double temperature_offset_;  ///< degrees, of this device from its cohort
    double signal_usual_;        ///< dBm
    double cpu_drift_ = 0;
    double signal_drift_ = 0;
    bool charging_ = false;
};

}  // namespace muster
