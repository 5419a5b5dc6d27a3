#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "base/metrics.h"
#include "shadow/command.h"
#include "shadow/shadow_topics.h"

namespace muster {

/// The shadow role's counters and gauges, asked for once. Used by the role's thread.
struct ShadowMetrics {
    explicit ShadowMetrics(MetricRegistry& registry);

    /// muster_shadow_requests_total{operation, code}: answered requests by what was asked and the code of the answer.
    void count_request(std::string_view operation, std::uint16_t code);
    /// muster_shadow_commands_total{status}: transitions.
    void count_command(CommandStatus status) { commands.at(static_cast<std::size_t>(status))->Increment(); }

    Counter& dropped_malformed;  ///< records without a readable header, or of a kind that is not for this role
    Counter& dropped_topic;      ///< topics that ask for nothing that there is
    Counter& dropped_foreign;    ///< topics of another device than the record's key
    Counter& dropped_status;     ///< status records that cannot be read
    Counter& dropped_owed;       ///< deltas for devices whose session is not known yet, over the bound
    Counter& dropped_downlink;   ///< downlinks that can never be sent: unusable gateway name, too large
    Counter& replayed;           ///< records that were applied before the role's last end
    Counter& downlinks;
    Counter& store_errors;
    Counter& bus_errors;
    Gauge& pending_commands;
    Gauge& sessions;
    Gauge& sessions_refused;
    Gauge& lag;
    Histogram& batch_seconds;
    std::array<Counter*, 8> commands{};

 private:
    MetricRegistry& registry_;
    std::map<std::pair<std::string_view, std::uint16_t>, Counter*> requests_;
};

}  // namespace muster
