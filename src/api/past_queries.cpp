#include "api/past_queries.h"

#include <map>

#include "api/device_queries.h"
#include "api/fleet_queries.h"
#include "api/json_writer.h"
#include "api/problem.h"
#include "base/assert.h"
#include "contract/identity.h"

namespace muster {
namespace {

/// Counts by region, and so by every region above it. Devices that follow each other often share one.
class PastCounts final {
 public:
    void add(const PastPresence& device) {
        if (last_ == nullptr || device.region != last_region_) {
            last_region_ = device.region;
            last_ = &exact_[last_region_];
        }
        // A flapping one counts by its state: of its last stable minute the history does not tell.
        *last_ += contribution_of(CountedPresence{.state = device.state,
                                                  .overlays = device.overlays,
                                                  .steady_offline = device.state == PresenceState::offline});
    }
    /// "" is the fleet.
    [[nodiscard]] std::map<std::string, RegionCounts, std::less<>> with_parents() const {
        std::map<std::string, RegionCounts, std::less<>> sums{{"", {}}};
        for (const auto& [region, counts] : exact_) {
            for_each_region_of(region, [&](std::string_view part) { sums[std::string(part)] += counts; });
        }
        return sums;
    }

 private:
    std::map<std::string, RegionCounts> exact_;
    std::string last_region_;
    RegionCounts* last_ = nullptr;
};

bool is_within(std::string_view region, std::string_view above) {
    return above.empty() ||
           (region.starts_with(above) && (region.size() == above.size() || region[above.size()] == '/'));
}

bool matches(const PastPresence& device, const DeviceFilter& filter) {
    return (!filter.state || device.state == *filter.state) &&
           (!filter.overlay || has(device.overlays, *filter.overlay)) && is_within(device.region, filter.region) &&
           device.device.starts_with(filter.id_prefix);
}

/// No device after this one begins with the prefix.
bool is_past(std::string_view device, std::string_view prefix) {
    return device.substr(0, prefix.size()) > prefix;
}

void write_device(JsonWriter& writer, const PastPresence& device) {
    writer.begin_object()
        .member("id", device.device)
        .member("state", name_of(device.state))
        .member("cause", name_of(device.cause))
        .member("since", device.since)
        .key("overlays")
        .raw(overlays_json(device.overlays))
        .member("region", device.region)
        .end_object();
}

Route& route_of(std::vector<Route>& routes, std::string_view pattern) {
    const auto found = std::find_if(routes.begin(), routes.end(), [&](const Route& route) {
        return route.method == "GET" && route.pattern == pattern;
    });
    MUSTER_ASSERT(found != routes.end());
    return *found;
}

}  // namespace

HttpResponse PastQueries::get_fleet(const ApiRequest& request) const {
    QueryReader reader(request.query);
    const auto at = reader.time("at");
    if (const auto valid = reader.finish(); !valid) {
        return problem(valid.error());
    }
    PastCounts counts;
    const auto read = history_.presence_at(*at, "", [&](const PastPresence& device) {
        counts.add(device);
        return true;
    });
    if (!read) {
        return problem(read.error());
    }
    const auto sums = counts.with_parents();
    std::string out;
    JsonWriter writer(out);
    writer.begin_object().member("time", *at).member("history_from", history_.presence_since()).key("counts");
    write_counts(writer, sums.at(""));
    writer.key("regions").begin_array();
    for (const auto& [region, sum] : sums) {
        if (region.empty()) {
            continue;  // the fleet itself
        }
        writer.begin_object().member("region", region).key("counts");
        write_counts(writer, sum);
        writer.member("offline_share", sum.offline_share()).end_object();
    }
    writer.end_array().end_object();
    return json_response(std::move(out));
}

HttpResponse PastQueries::get_devices(const ApiRequest& request) const {
    QueryReader reader(request.query);
    const auto at = reader.time("at");
    const DevicePageRequest page = read_device_page(reader);
    if (!page.filter.model.empty()) {
        reader.refuse("model", "absent with `at`: the history does not know models");
    }
    const auto valid = reader.finish();
    if (!valid || !page.after) {
        return problem(!valid ? valid.error() : page.after.error());
    }
    std::string out;
    JsonWriter writer(out);
    writer.begin_object().member("time", *at).key("devices").begin_array();
    std::size_t listed = 0;
    std::string last;
    bool more = false;
    const auto read = history_.presence_at(*at, *page.after, [&](const PastPresence& device) {
        if (!matches(device, page.filter)) {
            return !is_past(device.device, page.filter.id_prefix);
        }
        if (listed == page.limit) {
            more = true;
            return false;
        }
        write_device(writer, device);
        last = device.device;
        ++listed;
        return true;
    });
    if (!read) {
        return problem(read.error());
    }
    writer.end_array().member("next_cursor", more ? std::optional(encode_cursor(last)) : std::nullopt).end_object();
    return json_response(std::move(out));
}

void PastQueries::extend_routes(std::vector<Route>& routes) const {
    const auto extend = [&](std::string_view pattern, HttpResponse (PastQueries::*method)(const ApiRequest&) const) {
        Route& route = route_of(routes, pattern);
        auto past = answer_aside(lane_, [this, method](const ApiRequest& request) { return (this->*method)(request); });
        route.handler = [now = std::move(route.handler), past = std::move(past)](ApiRequest request, Respond respond) {
            const bool is_past = !request.query.get("at").empty();
            (is_past ? past : now)(std::move(request), std::move(respond));
        };
    };
    extend("/api/v1/fleet", &PastQueries::get_fleet);
    extend("/api/v1/devices", &PastQueries::get_devices);
}

}  // namespace muster
