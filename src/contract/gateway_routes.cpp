#include "contract/gateway_routes.h"

#include <iterator>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/json.h"

namespace muster {
namespace {

constexpr std::size_t escaped_bytes_max = 6;  // \u001f
constexpr std::size_t group_frame_bytes = 64;

Result<void> read_flag(const boost::json::object& object, std::string_view key, bool& out) {
    const boost::json::value* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) {
        return {};
    }
    if (!value->is_bool()) {
        return fail(ErrorCode::malformed, "a member of gateway routes has the wrong type", std::string(key));
    }
    out = value->get_bool();
    return {};
}

Result<GatewayRoutes::Group> parse_group(const boost::json::value& value) {
    GatewayRoutes::Group group;
    const boost::json::object* object = value.if_object();
    if (object == nullptr) {
        return fail(ErrorCode::malformed, "a group of gateway routes is not an object");
    }
    const Result<void> read = json::read(*object, "name", group.name)
                                  .and_then([&] { return json::read(*object, "members", group.members); })
                                  .and_then([&] { return json::read(*object, "connected", group.connected); });
    if (!read) {
        return tl::unexpected(read.error());
    }
    if (group.name.empty() || group.members == 0 || group.connected > group.members) {
        return fail(ErrorCode::malformed, "a group needs a name and members, and at most all of them are connected");
    }
    return group;
}

}  // namespace

std::size_t json_bytes_max(const GatewayRoutes::Group& group) {
    return escaped_bytes_max * group.name.size() + group_frame_bytes;
}

std::string to_json(const GatewayRoutes& routes) {
    std::string out = fmt::format(R"({{"v":1,"incarnation":{},"wants_telemetry":{},"wants_status":{},"groups":[)",
                                  routes.incarnation, routes.wants_telemetry, routes.wants_status);
    const char* separator = "";
    for (const GatewayRoutes::Group& group : routes.groups) {
        out.append(separator).append(R"({"name":)");
        json::append_string(out, group.name);
        fmt::format_to(std::back_inserter(out), R"(,"members":{},"connected":{}}})", group.members, group.connected);
        separator = ",";
    }
    return out.append("]}");
}

Result<GatewayRoutes> parse_gateway_routes(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    GatewayRoutes routes;
    const Result<void> read =
        json::read(*object, "incarnation", routes.incarnation)
            .and_then([&] { return read_flag(*object, "wants_telemetry", routes.wants_telemetry); })
            .and_then([&] { return read_flag(*object, "wants_status", routes.wants_status); });
    if (!read) {
        return tl::unexpected(read.error());
    }
    const boost::json::value* groups = object->if_contains("groups");
    if (groups == nullptr || groups->is_null()) {
        return routes;
    }
    if (!groups->is_array()) {
        return fail(ErrorCode::malformed, "the groups of gateway routes are not an array");
    }
    routes.groups.reserve(groups->get_array().size());
    for (const boost::json::value& value : groups->get_array()) {
        Result<GatewayRoutes::Group> group = parse_group(value);
        if (!group) {
            return tl::unexpected(group.error());
        }
        routes.groups.push_back(std::move(*group));
    }
    return routes;
}

}  // namespace muster
