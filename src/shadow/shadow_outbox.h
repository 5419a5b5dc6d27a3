#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bus/bus.h"
#include "contract/downlink.h"

namespace muster {

/// One record to be put on muster.downlink.{gateway}: DownlinkHeader with storage of its own.
struct Downlink {
    Partition partition = 0;  ///< of the device, not of the downlink topic
    std::string gateway;
    std::string device;
    DownlinkKind kind = DownlinkKind::publish;
    std::uint16_t status = 0;
    SessionEpoch epoch = 0;
    std::uint64_t correlation = 0;
    std::string topic;
    std::string payload;
};

/// How far one partition of muster.requests is applied, stored in the same commit as what was applied. It keeps the
/// downlinks of that commit too: when the records before `next` are handed out again, the role died before it committed
/// its offset, so these downlinks may not have left and are sent again instead of being made again.
struct ShadowCursor {
    Offset next = 0;
    std::vector<Downlink> downlinks;
};

[[nodiscard]] std::string to_json(Offset next, const std::vector<const Downlink*>& downlinks);
/// `partition` is set in the downlinks.
[[nodiscard]] Result<ShadowCursor> parse_shadow_cursor(std::string_view json, Partition partition);

}  // namespace muster
