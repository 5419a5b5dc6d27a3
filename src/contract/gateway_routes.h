#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "contract/identity.h"

namespace muster {

/// What one gateway of a cluster has subscribers for: the value of a muster.routes record, whose key is the gateway's
/// name. Announced after each change and again while nothing changes: who is silent has gone.
struct GatewayRoutes {
    /// A shared subscription and its sessions at this gateway.
    struct Group {
        std::string name;             ///< "group/filter"
        std::uint32_t members = 0;    ///< at least 1
        std::uint32_t connected = 0;  ///< of them
        bool operator==(const Group&) const = default;
    };

    Incarnation incarnation = 0;
    bool wants_telemetry = false;  ///< of devices of any gateway, by a subscription that is not shared
    bool wants_status = false;
    std::vector<Group> groups;
    bool operator==(const GatewayRoutes&) const = default;
};

[[nodiscard]] std::string to_json(const GatewayRoutes& routes);
/// malformed: not an object, a member of another type, a group without a name or members, more connected than members.
[[nodiscard]] Result<GatewayRoutes> parse_gateway_routes(std::string_view json);
/// What a group adds to the text, at most.
[[nodiscard]] std::size_t json_bytes_max(const GatewayRoutes::Group& group);

}  // namespace muster
