#include "contract/fleet_policy.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/json.h"

namespace muster {
namespace {

constexpr std::size_t window_id_bytes_max = 64;
constexpr std::int64_t time_max_ms = 253'402'300'799'999;  // the end of the year 9999

void append_text(std::string& out, std::string_view key, std::string_view text) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":", key);
    json::append_string(out, text);
}

void append_query(std::string& out, const DeviceQuery& query) {
    out.append("\"region\":");
    json::append_string(out, query.region);
    append_text(out, "model", query.model);
    out.append(",\"devices\":[");
    for (std::size_t i = 0; i < query.devices.size(); ++i) {
        out.append(i == 0 ? "" : ",");
        json::append_string(out, query.devices[i]);
    }
    out.push_back(']');
}

bool is_window_id(std::string_view id) {
    return !id.empty() && id.size() <= window_id_bytes_max && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

Result<void> read_text(const boost::json::object& object, std::string_view key, std::string& out) {
    if (auto read = json::read(object, key, out); !read) {
        return read;
    }
    if (out.size() > policy_text_bytes_max) {
        return fail(ErrorCode::malformed, "text is longer than 256 bytes", std::string(key));
    }
    return {};
}

Result<void> read_devices(const boost::json::object& object, std::vector<std::string>& devices) {
    const auto* list = object.if_contains("devices");
    if (list == nullptr || list->is_null()) {
        return {};
    }
    if (!list->is_array() || list->get_array().size() > maintenance_devices_max) {
        return fail(ErrorCode::malformed, "devices must be an array of at most 1000 ids");
    }
    for (const auto& item : list->get_array()) {
        if (!item.is_string() || !is_valid_device_id(std::string_view(item.get_string()))) {
            return fail(ErrorCode::malformed, "devices has something that is no device id");
        }
        devices.emplace_back(std::string_view(item.get_string()));
    }
    std::sort(devices.begin(), devices.end());
    devices.erase(std::unique(devices.begin(), devices.end()), devices.end());
    return {};
}

Result<DeviceQuery> read_query(const boost::json::object& object) {
    DeviceQuery query;
    if (auto region = read_text(object, "region", query.region); !region) {
        return tl::unexpected(region.error());
    }
    if (auto model = read_text(object, "model", query.model); !model) {
        return tl::unexpected(model.error());
    }
    if (!query.region.empty() && !is_valid_region(query.region)) {
        return fail(ErrorCode::malformed, "region must be a path of [a-z0-9_-] segments, such as in/karnataka/ka-04",
                    query.region);
    }
    if (auto devices = read_devices(object, query.devices); !devices) {
        return tl::unexpected(devices.error());
    }
    if (query == DeviceQuery{}) {
        return fail(ErrorCode::malformed, "query must have a region, a model or devices");
    }
    return query;
}

Result<Timestamp> read_time(const boost::json::object& object, std::string_view key) {
    std::int64_t ms = 0;
    if (auto read = json::read(object, key, ms); !read) {
        return tl::unexpected(read.error());
    }
    if (ms <= 0 || ms > time_max_ms) {
        return fail(ErrorCode::malformed, "from and to must be times in epoch milliseconds");
    }
    return from_epoch_ms(ms);
}

Result<MaintenanceWindow> read_window(const boost::json::object& object) {
    MaintenanceWindow window;
    for (const auto& [key, text] : {std::pair<std::string_view, std::string*>{"id", &window.id},
                                    {"reason", &window.reason},
                                    {"created_by", &window.created_by}}) {
        if (auto read = read_text(object, key, *text); !read) {
            return tl::unexpected(read.error());
        }
    }
    if (!is_window_id(window.id)) {
        return fail(ErrorCode::malformed, "id must be 1 to 64 of [A-Za-z0-9_-]");
    }
    const auto* query = object.if_contains("query");
    if (query == nullptr || !query->is_object()) {
        return fail(ErrorCode::malformed, "query must be an object with region, model or devices");
    }
    auto devices = read_query(query->get_object());
    const auto from = read_time(object, "from");
    const auto to = read_time(object, "to");
    if (!devices || !from || !to) {
        return tl::unexpected(!devices ? devices.error() : !from ? from.error() : to.error());
    }
    if (*from >= *to) {
        return fail(ErrorCode::malformed, "from must be before to");
    }
    window.query = std::move(*devices);
    window.from = *from;
    window.to = *to;
    return window;
}

Result<void> read_timeouts(const boost::json::object& object, FleetPolicy& policy) {
    const auto* models = object.if_contains("heartbeat_timeouts_s");
    if (models == nullptr || models->is_null()) {
        return {};
    }
    if (!models->is_object() || models->get_object().size() > model_timeouts_max) {
        return fail(ErrorCode::malformed, "heartbeat_timeouts_s must be an object of at most 1000 models");
    }
    for (const auto& member : models->get_object()) {
        std::uint32_t seconds = 0;
        const std::string_view model = member.key();
        if (auto read = json::read(models->get_object(), model, seconds); !read) {
            return read;
        }
        if (model.empty() || model.size() > policy_text_bytes_max || seconds < heartbeat_timeout_s_min ||
            seconds > heartbeat_timeout_s_max) {
            return fail(ErrorCode::malformed, "a model's heartbeat timeout must be from 5 to 604800 seconds",
                        std::string(model));
        }
        policy.heartbeat_timeouts_s.emplace(model, seconds);
    }
    return {};
}

Result<void> read_windows(const boost::json::object& object, FleetPolicy& policy) {
    const auto* windows = object.if_contains("maintenance");
    if (windows == nullptr || windows->is_null()) {
        return {};
    }
    if (!windows->is_array() || windows->get_array().size() > maintenance_windows_max) {
        return fail(ErrorCode::malformed, "maintenance must be an array of at most 256 windows");
    }
    for (const auto& item : windows->get_array()) {
        if (!item.is_object()) {
            return fail(ErrorCode::malformed, "maintenance has something that is no window");
        }
        auto window = read_window(item.get_object());
        if (!window) {
            return tl::unexpected(window.error());
        }
        policy.maintenance.push_back(std::move(*window));
    }
    std::sort(policy.maintenance.begin(), policy.maintenance.end(),
              [](const MaintenanceWindow& a, const MaintenanceWindow& b) { return a.id < b.id; });
    const auto same = [](const MaintenanceWindow& a, const MaintenanceWindow& b) { return a.id == b.id; };
    if (std::adjacent_find(policy.maintenance.begin(), policy.maintenance.end(), same) != policy.maintenance.end()) {
        return fail(ErrorCode::malformed, "maintenance has two windows with the same id");
    }
    return {};
}

}  // namespace

bool DeviceQuery::matches(std::string_view device, std::string_view region_of, std::string_view model_of) const {
    const bool within =
        region.empty() || region_of == region ||
        (region_of.size() > region.size() && region_of.starts_with(region) && region_of[region.size()] == '/');
    return within && (model.empty() || model == model_of) &&
           (devices.empty() || std::binary_search(devices.begin(), devices.end(), device));
}

std::string to_json(const MaintenanceWindow& window) {
    std::string out = "{\"id\":";
    json::append_string(out, window.id);
    out.append(",\"query\":{");
    append_query(out, window.query);
    fmt::format_to(std::back_inserter(out), "}},\"from\":{},\"to\":{}", to_epoch_ms(window.from),
                   to_epoch_ms(window.to));
    append_text(out, "reason", window.reason);
    append_text(out, "created_by", window.created_by);
    out.push_back('}');
    return out;
}

std::string to_json(const FleetPolicy& policy) {
    std::string out = fmt::format("{{\"v\":1,\"version\":{},\"heartbeat_timeouts_s\":{{", policy.version);
    bool first = true;
    for (const auto& [model, seconds] : policy.heartbeat_timeouts_s) {
        out.append(std::exchange(first, false) ? "" : ",");
        json::append_string(out, model);
        fmt::format_to(std::back_inserter(out), ":{}", seconds);
    }
    out.append("},\"maintenance\":[");
    for (std::size_t i = 0; i < policy.maintenance.size(); ++i) {
        out.append(i == 0 ? "" : ",").append(to_json(policy.maintenance[i]));
    }
    out.append("]}");
    return out;
}

Result<FleetPolicy> parse_fleet_policy(std::string_view text) {
    if (text.size() > policy_bytes_max) {
        return fail(ErrorCode::malformed, "the fleet's policy is over 256 KB");
    }
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    FleetPolicy policy;
    if (auto version = json::read(*object, "version", policy.version); !version) {
        return tl::unexpected(version.error());
    }
    if (auto timeouts = read_timeouts(*object, policy); !timeouts) {
        return tl::unexpected(timeouts.error());
    }
    if (auto windows = read_windows(*object, policy); !windows) {
        return tl::unexpected(windows.error());
    }
    return policy;
}

Result<MaintenanceWindow> parse_maintenance_window(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    return read_window(*object);
}

}  // namespace muster
