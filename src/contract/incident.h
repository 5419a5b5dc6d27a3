#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace muster {

/// One cause, one incident: the value of a muster.alerts record (key: `id`).
struct Incident {
    struct TimelineEntry {
        Timestamp time{};
        std::string text;
        bool operator==(const TimelineEntry&) const = default;
    };
    /// A value that most of the members have in common.
    struct SharedAttribute {
        std::string attribute;
        std::string value;
        double share = 0;
        bool operator==(const SharedAttribute&) const = default;
    };

    std::string id;
    std::string rule;      ///< "region_offline_share"
    std::string severity;  ///< "critical", "warning"
    bool open = true;
    std::string region;
    std::string title;
    std::string summary;
    Timestamp opened{};
    Timestamp threshold_crossed{};
    std::optional<Timestamp> resolved;
    std::int64_t members = 0;     ///< devices concerned now
    std::int64_t population = 0;  ///< devices that count
    double share = 0;             ///< 0..1 now
    double share_peak = 0;
    std::vector<TimelineEntry> timeline;
    std::vector<SharedAttribute> shared;

    bool operator==(const Incident&) const = default;
};

/// The API's and the bus's form: state is "open" or "resolved", times are epoch ms.
[[nodiscard]] std::string to_json(const Incident& incident);
[[nodiscard]] Result<Incident> parse_incident(std::string_view json);

}  // namespace muster
