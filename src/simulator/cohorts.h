#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/time.h"
#include "mqtt/packets.h"

namespace muster {

/// The radio that a device connects over.
enum class Network : std::uint8_t { gsm_2g, umts_3g, lte_4g };

/// What a radio does to a connection. A table row; lives as long as the program.
struct NetworkProfile {
    std::string_view name;
    Millis connect_latency_min;  ///< from the decision to connect until the socket is opened
    Millis connect_latency_max;
    double drops_per_hour;       ///< connections that break by themselves, while connected
    double signal_dbm;           ///< usual received power
    std::uint16_t keep_alive_s;  ///< under the heartbeat timeout of 60 s, so that a ping alone keeps a device online
};

/// Devices that were bought and deployed together: one region, one mixture of radios and carriers. A table row.
struct Cohort {
    std::string_view region;  ///< path, "in/karnataka/ka-04"
    std::string_view code;    ///< begins the ids of its devices, "ka"; unique
    double latitude;          ///< centre, degrees
    double longitude;
    double spread;                         ///< standard deviation of the devices' positions around the centre, degrees
    std::uint32_t weight;                  ///< share of the fleet, relative to the other chosen cohorts
    double mean_temperature;               ///< degrees Celsius
    std::array<double, 2> network_shares;  ///< 2G and 3G; the rest is 4G
    std::array<std::string_view, 3> carriers;
};

/// A device type with the firmware versions found in the field, the most frequent first. A table row.
struct DeviceType {
    std::string_view model;
    std::array<std::string_view, 3> firmware;
    mqtt::ProtocolVersion protocol = mqtt::ProtocolVersion::v3_1_1;
};

[[nodiscard]] std::span<const Cohort> all_cohorts();
[[nodiscard]] std::span<const DeviceType> all_device_types();
[[nodiscard]] const NetworkProfile& profile_of(Network network);

/// True when `region` is `path` itself or lies under it: "in/karnataka/ka-04" under "in". "all" is above everything.
[[nodiscard]] bool region_is_under(std::string_view region, std::string_view path);

}  // namespace muster
