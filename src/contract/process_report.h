#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace muster {

/// How one process of a cluster is doing: the value of a muster.processes record, written once a second by the process
/// itself. Times are of its own clock: whoever judges how old a report is goes by when it arrived.
struct ProcessReport {
    std::string role;  ///< "gateway", "processor", "shadow", "alerts", "api"
    std::string name;  ///< unique among those of its role
    Timestamp time{};
    Timestamp since{};            ///< its start
    std::int64_t sessions = 0;    ///< gateway: connected clients
    bool draining = false;        ///< gateway: sends its clients elsewhere
    std::uint64_t records = 0;    ///< processor: folded since its start
    std::uint64_t bytes = 0;      ///< of them
    std::uint64_t lag = 0;        ///< processor: durable records not yet folded
    std::uint64_t devices = 0;    ///< processor: of its partitions
    Timestamp newest{};           ///< processor: newest partition time; epoch 0 = it has not seen a record yet
    std::string metrics_address;  ///< "127.0.0.1:9101": its /metrics; empty: none
};

[[nodiscard]] std::string to_json(const ProcessReport& report);
/// malformed: not an object, a member of another type, no role or no name.
[[nodiscard]] Result<ProcessReport> parse_process_report(std::string_view json);
/// The record key: "gateway/gw-1".
[[nodiscard]] std::string process_key(std::string_view role, std::string_view name);

}  // namespace muster
