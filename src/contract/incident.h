#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace muster {

/// What an incident comes from. Names on the wire are the enumerators'.
enum class CauseKind : std::uint8_t {
    unexplained,         ///< nothing that the devices share tells
    gateway_loss,        ///< the gateway that held their sessions went away, or cannot be reached
    region_outage,       ///< power, backhaul: everything in a place
    carrier_outage,      ///< the network that they are on
    device_fault,        ///< a model or a firmware
    credential_failure,  ///< they were refused: revoked or expired credentials
    planned_work,        ///< they are in a maintenance window
    pipeline_lag,        ///< Muster itself does not see: nothing is said of the devices
};
[[nodiscard]] std::string_view name_of(CauseKind kind);
[[nodiscard]] std::optional<CauseKind> cause_kind_from(std::string_view name);

/// One cause, one incident: the value of a muster.alerts record (key: `id`).
struct Incident {
    struct TimelineEntry {
        Timestamp time{};
        std::string text;
        bool operator==(const TimelineEntry&) const = default;
    };
    /// A value that many of the members have in common.
    struct SharedAttribute {
        std::string attribute;
        std::string value;
        double share = 0;         ///< among the members
        double cohort_share = 0;  ///< among all devices that could have been members; 0 = not known
        bool operator==(const SharedAttribute&) const = default;
    };
    /// What the members are told by: all conditions hold.
    struct Condition {
        std::string attribute;  ///< "region" (with all below it), "gateway", "carrier", "model", "firmware"
        std::string value;
        bool operator==(const Condition&) const = default;
    };
    /// How many devices it had hit at a time.
    struct BlastPoint {
        Timestamp time{};
        std::int64_t members = 0;
        bool operator==(const BlastPoint&) const = default;
    };

    /// A member, and what was seen of it when it became one.
    struct Member {
        std::string device;
        std::string text;
        bool operator==(const Member&) const = default;
    };

    std::string id;
    std::string rule;      ///< "region_offline_share", "cause", or the name of an operator's rule
    std::string severity;  ///< "critical", "warning", "info"; info is shown and never notified
    bool open = true;
    std::string region;
    std::string title;
    std::string summary;
    CauseKind cause = CauseKind::unexplained;
    double confidence = 0;  ///< 0..1 that `cause` is right
    std::vector<Condition> scope;
    Timestamp opened{};
    Timestamp threshold_crossed{};
    std::optional<Timestamp> resolved;
    std::optional<Timestamp> recovery_expected;  ///< by the pace at which members come back; absent: they do not
    std::int64_t members = 0;                    ///< devices concerned now
    std::int64_t members_peak = 0;
    std::int64_t population = 0;  ///< devices that count
    double share = 0;             ///< 0..1 now
    double share_peak = 0;
    std::vector<TimelineEntry> timeline;
    std::vector<SharedAttribute> shared;
    std::vector<BlastPoint> blast;  ///< ascending
    std::vector<Member> devices;    ///< of a rule on values: its members by id, at most devices_listed_max
    static constexpr std::size_t devices_listed_max = 20;

    bool operator==(const Incident&) const = default;
};

/// The API's and the bus's form: state is "open" or "resolved", times are epoch ms.
[[nodiscard]] std::string to_json(const Incident& incident);
[[nodiscard]] Result<Incident> parse_incident(std::string_view json);

}  // namespace muster
