#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "simulator/cohorts.h"
#include "simulator/scenario.h"

namespace muster {

enum class DeviceRole : std::uint8_t {
    steady,   ///< connects and stays
    flapper,  ///< loses its connection again and again
    sleeper,  ///< announces its next contact, disconnects, comes back
};

/// All that is decided about one device before the simulation starts. Its id and seed depend on the fleet's seed and
/// the device's place in its cohort only, so that a larger fleet of the same seed contains the smaller one's ids.
struct PlannedDevice {
    std::string id;  ///< "ka-0417-88240c"
    std::uint64_t seed = 0;
    std::uint16_t cohort = 0;  ///< index into all_cohorts()
    DeviceRole role = DeviceRole::steady;
    Network network = Network::lte_4g;
    std::uint8_t type = 0;      ///< index into all_device_types()
    std::uint8_t firmware = 0;  ///< index into the type's firmware
    std::uint8_t carrier = 0;   ///< index into the cohort's carriers
    std::uint8_t qos = 0;       ///< of its telemetry
    float latitude = 0;
    float longitude = 0;
    Millis telemetry_interval{0};

    bool operator==(const PlannedDevice&) const = default;
};

/// An outage with the devices that it hits.
struct PlannedOutage {
    std::string region;
    Millis start{0};
    Millis duration{0};
    std::vector<std::uint32_t> devices;  ///< indices into FleetPlan::devices, ascending

    bool operator==(const PlannedOutage&) const = default;
};

/// What will happen apart from what the broker does: a pure function of the scenario. Never changed once made.
struct FleetPlan {
    std::vector<PlannedDevice> devices;  ///< grouped by cohort
    std::vector<PlannedOutage> outages;  ///< in order of their start

    bool operator==(const FleetPlan&) const = default;
};

/// The scenario must be valid. Devices are shared out over cohorts by weight, the largest remainder rounded up, so that
/// shares are exact; roles and outages hit exactly round(share * devices).
[[nodiscard]] FleetPlan make_plan(const Scenario& scenario);

[[nodiscard]] const Cohort& cohort_of(const PlannedDevice& device);
[[nodiscard]] std::string_view model_of(const PlannedDevice& device);
[[nodiscard]] std::string_view firmware_of(const PlannedDevice& device);
[[nodiscard]] std::string_view carrier_of(const PlannedDevice& device);

}  // namespace muster
