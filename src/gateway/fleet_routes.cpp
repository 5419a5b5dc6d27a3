#include "gateway/fleet_routes.h"

#include <algorithm>

#include "contract/event.h"
#include "mqtt/topic.h"

namespace muster {
namespace {

bool is_valid(const GatewayRoutes::Group& group) {
    const std::string filter = "$share/" + group.name;
    return mqtt::is_valid_topic_filter(filter) && mqtt::parse_shared_filter(filter).has_value();
}

}  // namespace

// The names of gateways are the keys of gateways_: they outlive what the index knows of them.
FleetRoutes::Groups FleetRoutes::groups_of(std::string_view gateway, const GatewayRoutes& routes,
                                           bool is_confirmed) const {
    Groups groups;
    for (const GatewayRoutes::Group& group : routes.groups) {
        groups[group.name] = {
            .gateway = gateway, .members = group.members, .connected = group.connected, .is_confirmed = is_confirmed};
    }
    return groups;
}

// Most announcements change little or nothing of what is known.
void FleetRoutes::replace(Groups& before, Groups now) {
    for (const auto& [name, elsewhere] : before) {
        if (!now.contains(name)) {
            (void)index_.set_elsewhere(name, {.gateway = elsewhere.gateway});
            --groups_;
        }
    }
    for (auto group = now.begin(); group != now.end();) {
        const auto known = before.find(group->first);
        const bool is_new = known == before.end();
        const bool has_room = !is_new || groups_ < options_.limits.routes_groups_max;
        const bool is_same = !is_new && known->second == group->second;
        if (is_same || (has_room && index_.set_elsewhere(group->first, group->second))) {
            groups_ += static_cast<std::size_t>(is_new);
            ++group;
        } else {
            overlooked_.fetch_add(1, std::memory_order_relaxed);
            group = now.erase(group);
        }
    }
    before = std::move(now);
}

Result<void> FleetRoutes::read(std::string_view name, std::string_view json, bool is_confirmed, Millis now) {
    if (name == options_.name) {
        return {};
    }
    const Result<GatewayRoutes> routes = parse_gateway_routes(json);
    if (!routes) {
        return tl::unexpected(routes.error());
    }
    if (name.empty() || name.size() > gateway_name_bytes_max ||
        !std::all_of(routes->groups.begin(), routes->groups.end(), is_valid)) {
        return fail(ErrorCode::malformed, "routes of a gateway without a valid name, or with an invalid group");
    }
    auto found = gateways_.find(name);
    if (found == gateways_.end()) {
        if (gateways_.size() >= options_.limits.routes_gateways_max) {
            overlooked_.fetch_add(1, std::memory_order_relaxed);
            return {};
        }
        found = gateways_.try_emplace(std::string(name)).first;
    }
    Gateway& gateway = found->second;
    gateway.heard = now;
    gateway.is_confirmed = is_confirmed;
    gateway.wants_telemetry = routes->wants_telemetry;
    gateway.wants_status = routes->wants_status;
    replace(gateway.groups, groups_of(found->first, *routes, is_confirmed));
    show();
    return {};
}

FleetRoutes::Gateways::iterator FleetRoutes::erase(Gateways::iterator gateway) {
    replace(gateway->second.groups, {});
    return gateways_.erase(gateway);
}

void FleetRoutes::forget(std::string_view name) {
    if (const auto found = gateways_.find(name); found != gateways_.end()) {
        erase(found);
        show();
    }
}

void FleetRoutes::forget_silent(Millis now) {
    for (auto gateway = gateways_.begin(); gateway != gateways_.end();) {
        gateway = now - gateway->second.heard >= options_.routes_silent_max ? erase(gateway) : std::next(gateway);
    }
    show();
}

// Messages for a group at a gateway that may be alive are relayed, so that its gateways can agree on one.
void FleetRoutes::show() {
    bool telemetry = false;
    bool status = false;
    for (const auto& [name, gateway] : gateways_) {
        const bool may_share = !gateway.is_confirmed && !gateway.groups.empty();
        telemetry = telemetry || gateway.wants_telemetry || may_share;
        status = status || gateway.wants_status || may_share;
    }
    wanted_[0].store(telemetry, std::memory_order_relaxed);
    wanted_[1].store(status, std::memory_order_relaxed);
    gateways_shown_.store(gateways_.size(), std::memory_order_relaxed);
    groups_shown_.store(groups_, std::memory_order_relaxed);
}

}  // namespace muster
