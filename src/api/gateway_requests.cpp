#include "api/gateway_requests.h"

#include <algorithm>

#include "api/json_writer.h"
#include "api/problem.h"
#include "contract/drain_order.h"

namespace muster {

bool GatewayRequests::is_known(const std::string& gateway) const {
    const PipelineHealth health = pipeline_ ? pipeline_() : PipelineHealth{};
    return std::any_of(health.gateways.begin(), health.gateways.end(),
                       [&](const PipelineHealth::Gateway& one) { return one.name == gateway; });
}

void GatewayRequests::send(const ApiRequest& request, const Result<DrainOrder>& order, std::string_view action,
                           const Respond& respond) {
    const std::string gateway = request.parameters[0];
    const std::string detail = order ? gateway + " " + to_json(*order) : gateway;
    const auto answer = [this, caller = request.caller.name, action = std::string(action), detail,
                         respond](HttpResponse response) {
        audit_.append({clock_.now(), caller, action, {}, detail, response.status});
        respond(std::move(response));
    };
    if (!order) {
        return answer(problem(order.error()));
    }
    if (!is_known(gateway)) {
        return answer(problem(Error{ErrorCode::not_found, "there is no gateway of this name", {}}));
    }
    channel_.send_drain(gateway, *order, [answer, gateway, draining = !order->undo](const Result<void>& durable) {
        std::string body;
        JsonWriter(body).begin_object().member("gateway", gateway).member("draining", draining).end_object();
        answer(durable ? json_response(std::move(body), 202) : problem(durable.error()));
    });
}

void GatewayRequests::post_drain(const ApiRequest& request, const Respond& respond) {
    auto order = parse_drain_order(request.http.body.empty() ? "{}" : request.http.body);
    if (order && order->undo) {
        order = fail(ErrorCode::invalid_argument, "DELETE ends a drain");
    }
    send(request, order, "gateway.drain", respond);
}

void GatewayRequests::delete_drain(const ApiRequest& request, const Respond& respond) {
    DrainOrder order;
    order.undo = true;
    send(request, order, "gateway.drain_end", respond);
}

void GatewayRequests::add_routes(std::vector<Route>& routes) {
    const auto add = [&](std::string_view method, void (GatewayRequests::*member)(const ApiRequest&, const Respond&)) {
        routes.push_back(
            {method, "/api/v1/gateways/{name}/drain", Role::admin,
             [this, member](const ApiRequest& request, const Respond& respond) { (this->*member)(request, respond); }});
    };
    add("POST", &GatewayRequests::post_drain);
    add("DELETE", &GatewayRequests::delete_drain);
}

}  // namespace muster
