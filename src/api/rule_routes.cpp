#include "api/rule_routes.h"

#include <boost/json.hpp>

#include "api/json_writer.h"
#include "api/problem.h"

namespace muster {
namespace {

/// The rule of the body under the name of the path. Who wrote it is ours to say, whatever the body says.
Result<AlertRule> rule_from(const std::string& body, const std::string& name) {
    auto object = json::parse_object(body);
    if (!object) {
        return tl::unexpected(object.error());
    }
    if (const auto* given = object->if_contains("name"); given != nullptr && *given != boost::json::value(name)) {
        return fail(ErrorCode::invalid_argument, "name must be that of the path, or absent");
    }
    (*object)["name"] = name;
    (*object)["origin"] = "api";
    return parse_alert_rule(boost::json::serialize(*object));
}

}  // namespace

void RuleRoutes::audit(const ApiRequest& request, std::string_view action, std::string_view detail, unsigned status) {
    audit_.append({clock_.now(), request.caller.name, action, request.parameters[0], detail, status});
}

HttpResponse RuleRoutes::get_rules(const ApiRequest& request) const {
    if (const auto valid = QueryReader(request.query).finish(); !valid) {
        return problem(valid.error());
    }
    std::string out;
    JsonWriter writer(out);
    writer.begin_object().key("rules").begin_array();
    for (const std::vector<AlertRule> rules = book_.list(); const AlertRule& rule : rules) {
        writer.raw(to_json(rule));
    }
    writer.end_array().end_object();
    return json_response(std::move(out));
}

HttpResponse RuleRoutes::get_rule(const ApiRequest& request) const {
    if (const auto valid = QueryReader(request.query).finish(); !valid) {
        return problem(valid.error());
    }
    const auto rule = book_.find(request.parameters[0]);
    return rule ? json_response(to_json(*rule)) : problem(404, "there is no rule of this name");
}

void RuleRoutes::put_rule(const ApiRequest& request, const Respond& respond) {
    const auto rule = rule_from(request.http.body, request.parameters[0]);
    if (!rule) {
        const HttpResponse refusal = problem(rule.error());
        audit(request, "rule.put", {}, refusal.status);
        return respond(refusal);
    }
    book_.put(*rule, [this, request, respond, json = to_json(*rule)](const Result<void>& durable) {
        HttpResponse response = durable ? json_response(json) : problem(durable.error());
        audit(request, "rule.put", json, response.status);
        respond(std::move(response));
    });
}

void RuleRoutes::delete_rule(const ApiRequest& request, const Respond& respond) {
    book_.remove(request.parameters[0], [this, request, respond](const Result<void>& durable) {
        std::string body;
        JsonWriter(body).begin_object().member("name", request.parameters[0]).end_object();
        HttpResponse response = durable ? json_response(std::move(body)) : problem(durable.error());
        audit(request, "rule.delete", {}, response.status);
        respond(std::move(response));
    });
}

void RuleRoutes::add_routes(std::vector<Route>& routes) {
    routes.push_back({"GET", "/api/v1/rules", Role::viewer,
                      answer_with([this](const ApiRequest& request) { return get_rules(request); })});
    routes.push_back({"GET", "/api/v1/rules/{name}", Role::viewer,
                      answer_with([this](const ApiRequest& request) { return get_rule(request); })});
    routes.push_back({"PUT", "/api/v1/rules/{name}", Role::fleet_operator,
                      [this](const ApiRequest& request, const Respond& respond) { put_rule(request, respond); }});
    routes.push_back({"DELETE", "/api/v1/rules/{name}", Role::fleet_operator,
                      [this](const ApiRequest& request, const Respond& respond) { delete_rule(request, respond); }});
}

}  // namespace muster
