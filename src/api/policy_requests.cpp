#include "api/policy_requests.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/json_writer.h"
#include "api/problem.h"

namespace muster {
namespace {

/// How long a window that has ended is still listed; the next change after that forgets it.
constexpr Millis ended_kept = std::chrono::hours(7 * 24);
constexpr Millis window_length_max = std::chrono::hours(366 * 24);
constexpr std::size_t window_id_digits = 12;

std::string_view phase_of(const MaintenanceWindow& window, Timestamp now) {
    return now < window.from ? "planned" : now < window.to ? "open" : "ended";
}

void forget_ended(FleetPolicy& policy, Timestamp now) {
    std::erase_if(policy.maintenance, [&](const MaintenanceWindow& window) { return window.to + ended_kept < now; });
}

/// The body with the id that it did not give and the name of who asks.
Result<MaintenanceWindow> window_from(const std::string& body, const std::string& id, const std::string& created_by) {
    auto object = json::parse_object(body);
    if (!object) {
        return tl::unexpected(object.error());
    }
    for (const auto& member : *object) {
        static constexpr std::array<std::string_view, 5> known{"id", "query", "from", "to", "reason"};
        if (std::find(known.begin(), known.end(), std::string_view(member.key())) == known.end()) {
            return fail(ErrorCode::invalid_argument, "unknown member",
                        fmt::format("{}; known are {}", std::string_view(member.key()), fmt::join(known, ", ")));
        }
    }
    if (!object->contains("id")) {
        (*object)["id"] = id;
    }
    (*object)["created_by"] = created_by;
    auto window = parse_maintenance_window(boost::json::serialize(*object));
    if (window && window->to - window->from > window_length_max) {
        return fail(ErrorCode::invalid_argument, "a window is at most 366 days long");
    }
    return window;
}

Result<std::uint32_t> timeout_from(const std::string& body) {
    std::uint32_t seconds = 0;
    const auto object = json::parse_object(body);
    if (!object) {
        return tl::unexpected(object.error());
    }
    if (auto read = json::read(*object, "heartbeat_timeout_s", seconds); !read) {
        return tl::unexpected(read.error());
    }
    if (object->size() != 1 || seconds < heartbeat_timeout_s_min || seconds > heartbeat_timeout_s_max) {
        return fail(ErrorCode::invalid_argument, "the body must be {\"heartbeat_timeout_s\": 5 to 604800}");
    }
    return seconds;
}

HttpResponse deleted(std::string_view name, std::string_view value) {
    std::string body;
    JsonWriter(body).begin_object().member(name, value).end_object();
    return json_response(std::move(body));
}

}  // namespace

std::string PolicyRequests::window_json(const MaintenanceWindow& window) const {
    std::string json = to_json(window);
    json.back() = ',';
    return json + fmt::format("\"phase\":\"{}\"}}", phase_of(window, clock_.now()));
}

void PolicyRequests::refuse(const ApiRequest& request, std::string_view action, const Error& error,
                            const Respond& respond) {
    HttpResponse response = problem(error);
    audit_.append({clock_.now(), request.caller.name, action, {}, {}, response.status});
    respond(std::move(response));
}

void PolicyRequests::change(const ApiRequest& request, std::string action, std::string detail, HttpResponse done,
                            Respond respond, FunctionRef<Result<void>(FleetPolicy&)> edit) {
    book_.change(edit, [this, caller = request.caller.name, action = std::move(action), detail = std::move(detail),
                        done = std::move(done), respond = std::move(respond)](const Result<void>& durable) mutable {
        HttpResponse response = durable ? std::move(done) : problem(durable.error());
        audit_.append({clock_.now(), caller, action, {}, detail, response.status});
        respond(std::move(response));
    });
}

HttpResponse PolicyRequests::get_policy(const ApiRequest& request) const {
    if (const auto valid = QueryReader(request.query).finish(); !valid) {
        return problem(valid.error());
    }
    const FleetPolicy policy = book_.policy();
    std::string body;
    JsonWriter writer(body);
    writer.begin_object().member("version", policy.version).key("models").begin_array();
    for (const auto& [model, seconds] : policy.heartbeat_timeouts_s) {
        writer.begin_object().member("model", model).member("heartbeat_timeout_s", seconds).end_object();
    }
    writer.end_array().end_object();
    return json_response(std::move(body));
}

HttpResponse PolicyRequests::get_windows(const ApiRequest& request) const {
    if (const auto valid = QueryReader(request.query).finish(); !valid) {
        return problem(valid.error());
    }
    std::string body;
    JsonWriter writer(body);
    writer.begin_object().key("windows").begin_array();
    for (const MaintenanceWindow& window : book_.policy().maintenance) {
        writer.raw(window_json(window));
    }
    writer.end_array().end_object();
    return json_response(std::move(body));
}

void PolicyRequests::post_window(const ApiRequest& request, Respond respond) {
    constexpr std::string_view action = "maintenance.create";
    const auto window =
        window_from(request.http.body, "w-" + make_id_().substr(0, window_id_digits), request.caller.name);
    if (!window) {
        return refuse(request, action, window.error(), respond);
    }
    if (window->to <= clock_.now()) {
        return refuse(request, action, Error{ErrorCode::invalid_argument, "to has passed", {}}, respond);
    }
    HttpResponse done = json_response(window_json(*window), 201);
    done.headers.emplace_back("Location", "/api/v1/maintenance");
    change(request, std::string(action), to_json(*window), std::move(done), std::move(respond),
           [&](FleetPolicy& policy) -> Result<void> {
               forget_ended(policy, clock_.now());
               const auto at =
                   std::lower_bound(policy.maintenance.begin(), policy.maintenance.end(), window->id,
                                    [](const MaintenanceWindow& one, const std::string& id) { return one.id < id; });
               if (at != policy.maintenance.end() && at->id == window->id) {
                   return fail(ErrorCode::conflict, "there is a window with this id; delete it first");
               }
               if (policy.maintenance.size() == maintenance_windows_max) {
                   return fail(ErrorCode::conflict, "there are 256 windows; delete one first");
               }
               policy.maintenance.insert(at, *window);
               return {};
           });
}

void PolicyRequests::delete_window(const ApiRequest& request, Respond respond) {
    const std::string& id = request.parameters[0];
    change(request, "maintenance.delete", id, deleted("id", id), std::move(respond),
           [&](FleetPolicy& policy) -> Result<void> {
               if (std::erase_if(policy.maintenance, [&](const MaintenanceWindow& one) { return one.id == id; }) == 0) {
                   return fail(ErrorCode::not_found, "there is no window with this id");
               }
               return {};
           });
}

void PolicyRequests::put_model(const ApiRequest& request, Respond respond) {
    constexpr std::string_view action = "model.heartbeat_timeout";
    const std::string& model = request.parameters[0];
    const auto seconds = timeout_from(request.http.body);
    if (!seconds || model.size() > policy_text_bytes_max) {
        const Error too_long{ErrorCode::invalid_argument, "a model has at most 256 bytes", {}};
        return refuse(request, action, !seconds ? seconds.error() : too_long, respond);
    }
    std::string body;
    JsonWriter(body).begin_object().member("model", model).member("heartbeat_timeout_s", *seconds).end_object();
    change(request, std::string(action), fmt::format("{}: {} s", model, *seconds), json_response(std::move(body)),
           std::move(respond), [&](FleetPolicy& policy) -> Result<void> {
               policy.heartbeat_timeouts_s[model] = *seconds;
               if (policy.heartbeat_timeouts_s.size() > model_timeouts_max) {
                   return fail(ErrorCode::conflict, "1000 models have a timeout of their own; delete one first");
               }
               return {};
           });
}

void PolicyRequests::delete_model(const ApiRequest& request, Respond respond) {
    const std::string& model = request.parameters[0];
    change(request, "model.heartbeat_timeout", model + ": the fleet's", deleted("model", model), std::move(respond),
           [&](FleetPolicy& policy) -> Result<void> {
               const auto found = policy.heartbeat_timeouts_s.find(model);
               if (found == policy.heartbeat_timeouts_s.end()) {
                   return fail(ErrorCode::not_found, "this model has no timeout of its own");
               }
               policy.heartbeat_timeouts_s.erase(found);
               return {};
           });
}

void PolicyRequests::add_routes(std::vector<Route>& routes) {
    const auto add = [&](std::string_view method, std::string_view pattern,
                         void (PolicyRequests::*member)(const ApiRequest&, Respond)) {
        routes.push_back(
            {method, pattern, Role::fleet_operator, [this, member](const ApiRequest& request, Respond respond) {
                 (this->*member)(request, std::move(respond));
             }});
    };
    routes.push_back({"GET", "/api/v1/models", Role::viewer,
                      answer_with([this](const ApiRequest& request) { return get_policy(request); })});
    routes.push_back({"GET", "/api/v1/maintenance", Role::viewer,
                      answer_with([this](const ApiRequest& request) { return get_windows(request); })});
    add("POST", "/api/v1/maintenance", &PolicyRequests::post_window);
    add("DELETE", "/api/v1/maintenance/{id}", &PolicyRequests::delete_window);
    add("PUT", "/api/v1/models/{model}", &PolicyRequests::put_model);
    add("DELETE", "/api/v1/models/{model}", &PolicyRequests::delete_model);
}

}  // namespace muster
