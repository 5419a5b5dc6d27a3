#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace muster {

/// What a rule looks at. Names on the wire are the enumerators'.
enum class RuleMetric : std::uint8_t {
    offline_share,   ///< 0..1 of the devices that count (RegionCounts)
    offline_count,   ///< devices
    flapping_share,  ///< 0..1 of all devices: the flap index of a region
    // What follows looks at a value that each device reports (AlertRule::telemetry), and judges device by device.
    telemetry,       ///< the value itself
    anomaly,         ///< how far the value is from the device's usual one, in robust standard deviations
    cohort_anomaly,  ///< how far it is from what the rule's devices of the same model report
    noise,           ///< by how many times it scatters more than is usual for the device
    days_to_empty,   ///< days until the value, a battery's percent, is 0 at the pace of the last days
    stuck,           ///< values in a row that are the same to the bit, while others of the model vary
};
[[nodiscard]] std::string_view name_of(RuleMetric metric);
/// Judges device by device what devices report.
[[nodiscard]] constexpr bool is_of_values(RuleMetric metric) {
    return metric >= RuleMetric::telemetry;
}

/// When a rule may raise, UTC. Empty days: every day. from == to: all day; from > to: over midnight, by the day of
/// `from`.
struct RuleSchedule {
    std::uint8_t days = 0;  ///< bit 0 Monday … bit 6 Sunday; 0 = every day
    std::uint16_t from_min = 0;
    std::uint16_t to_min = 0;  ///< exclusive

    [[nodiscard]] bool is_active(Timestamp time) const;
    bool operator==(const RuleSchedule&) const = default;
};

/// An operator's rule: the value of a muster.rules record (key: `name`). A breach lasts for `for_s` before it becomes
/// an incident, and ends when the value is on the good side of `clear`.
struct AlertRule {
    static constexpr std::size_t name_bytes_max = 64;

    std::string name;  ///< [a-z0-9_-]
    RuleMetric metric = RuleMetric::offline_share;
    std::string telemetry;  ///< name of the value, for a metric that is_of_values()
    bool below = false;     ///< telemetry: raises under `raise`, clears over `clear`; days_to_empty: always
    // Which devices; empty is any.
    std::string region;  ///< this region and each below it
    std::string model;
    std::string firmware;
    std::string carrier;
    double raise = 0.10;
    double clear = 0.08;
    Seconds for_s{10};
    std::int64_t population_min = 20;  ///< devices that count, of the region; cohort_anomaly, stuck: of the model
    std::uint32_t samples = 3;         ///< of values: so many in a row to raise and to clear
    std::string severity = "warning";  ///< "critical", "warning", "info"
    RuleSchedule schedule;
    Timestamp silenced_until{};
    bool enabled = true;
    std::string origin = "api";  ///< "built_in", "file", "api": who wrote it last

    [[nodiscard]] bool has_cohort() const { return !model.empty() || !firmware.empty() || !carrier.empty(); }
    /// Whether it may raise now.
    [[nodiscard]] bool is_active(Timestamp time) const {
        return enabled && time >= silenced_until && schedule.is_active(time);
    }
    bool operator==(const AlertRule&) const = default;
};

/// DESIGN 3.4: offline share of a region above 10 % for 10 s with at least 20 devices, clears under 8 %.
[[nodiscard]] AlertRule default_rule();

[[nodiscard]] std::string to_json(const AlertRule& rule);
/// Members that are absent have their defaults, which for thresholds and samples are the metric's. malformed or
/// invalid_argument in a sentence for an operator: a member that is not known or of the wrong type, a name that may not
/// be, thresholds that clear before they raise.
[[nodiscard]] Result<AlertRule> parse_alert_rule(std::string_view json);

}  // namespace muster
