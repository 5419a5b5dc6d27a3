#include "api/change_requests.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/json_writer.h"
#include "api/problem.h"
#include "contract/fleet_policy.h"
#include "contract/identity.h"
#include "contract/mqtt_topics.h"
#include "contract/status_document.h"
#include "shadow/command.h"
#include "shadow/documents.h"

namespace muster {
namespace {

Result<void> check_device(const std::string& id) {
    if (!is_valid_device_id(id)) {
        return fail(ErrorCode::invalid_argument, "a device id is 1 to 128 of [A-Za-z0-9:_.-]");
    }
    return {};
}

/// invalid_argument naming the first member that is not one of `known`.
Result<void> check_members(const boost::json::object& object, std::initializer_list<std::string_view> known) {
    for (const auto& member : object) {
        const std::string_view name = member.key();
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return fail(ErrorCode::invalid_argument, "unknown member",
                        fmt::format("{}; known are {}", name, fmt::join(known, ", ")));
        }
    }
    return {};
}

Result<std::string> attributes_from(const std::string& body) {
    const auto object = json::parse_object(body);
    if (!object) {
        return tl::unexpected(object.error());
    }
    if (auto known =
            check_members(*object, {"region", "model", "firmware", "carrier", "lat", "lon", "heartbeat_timeout_s"});
        !known) {
        return tl::unexpected(known.error());
    }
    const auto attributes = parse_device_attributes(body);
    if (!attributes) {
        return tl::unexpected(attributes.error());
    }
    const auto timeout_s = attributes->heartbeat_timeout_s;
    if (timeout_s != 0 && (timeout_s < heartbeat_timeout_s_min || timeout_s > heartbeat_timeout_s_max)) {
        return fail(ErrorCode::invalid_argument, "heartbeat_timeout_s must be from 5 to 604800");
    }
    if (*attributes == DeviceAttributes{}) {
        return fail(ErrorCode::invalid_argument, "nothing to set: give at least one attribute");
    }
    return to_json(*attributes);
}

/// The body as it came, when it asks for nothing but desired state: what a device reports is the device's to say.
Result<std::string> shadow_update_from(std::string body) {
    const auto object = json::parse_object(body);
    if (!object) {
        return tl::unexpected(object.error());
    }
    if (auto known = check_members(*object, {"state", "version", "clientToken"}); !known) {
        return tl::unexpected(known.error());
    }
    const auto* state = object->if_contains("state");
    if (state == nullptr || !state->is_object()) {
        return fail(ErrorCode::invalid_argument, "state must be an object with desired");
    }
    if (auto known = check_members(state->get_object(), {"desired"}); !known) {
        return tl::unexpected(known.error());
    }
    return body;
}

struct WantedCommand {
    std::string name;
    std::string json;  ///< the body for the shadow role
};

/// Checked with the shadow role's own rules; who asks is ours to say, whatever the body says.
Result<WantedCommand> command_from(const std::string& body, const std::string& created_by) {
    auto wanted = parse_command_request(body);
    if (!wanted) {
        return tl::unexpected(wanted.error());
    }
    auto object = json::parse_object(body);
    if (!object) {
        return tl::unexpected(object.error());
    }
    if (auto known = check_members(*object, {"name", "parameters", "expires_in_s", "timeout_s", "idempotency_key"});
        !known) {
        return tl::unexpected(known.error());
    }
    (*object)["created_by"] = created_by;
    return WantedCommand{std::move(wanted->name), boost::json::serialize(*object)};
}

/// What the shadow role said, as this API says it: refusals become problem details.
HttpResponse response_from(ChannelReply reply) {
    if (reply.status >= 200 && reply.status < 300) {
        return json_response(std::move(reply.body), reply.status);
    }
    std::string message;
    const auto object = json::parse_object(reply.body);
    if (!object || !json::read(*object, "message", message) || message.empty()) {
        message = "the shadow role refused the change";
    }
    return problem(reply.status >= 400 && reply.status < 600 ? reply.status : 502, message);
}

void add_location(HttpResponse& response) {
    std::string execution_id;
    const auto object = json::parse_object(response.body);
    if (object && json::read(*object, "execution_id", execution_id) && !execution_id.empty()) {
        response.headers.emplace_back("Location", "/api/v1/commands/" + execution_id);
    }
}

}  // namespace

void ChangeRequests::answer(const Change& change, HttpResponse response) {
    audit_.append({clock_.now(), change.token, change.action, change.device, change.detail, response.status});
    change.respond(std::move(response));
}

void ChangeRequests::ask(Change change, const std::string& topic, std::string body) {
    std::string device = change.device;
    channel_.ask(std::move(device), topic, std::move(body),
                 [this, change = std::move(change)](Result<ChannelReply> reply) {
                     HttpResponse response = reply ? response_from(std::move(*reply)) : problem(reply.error());
                     if (response.status == 201) {
                         add_location(response);
                     }
                     answer(change, std::move(response));
                 });
}

void ChangeRequests::put_device(ApiRequest request, Respond respond) {
    const std::string id = request.parameters[0];
    Change change{request.caller.name, "device.attributes", id, {}, std::move(respond)};
    auto body = check_device(id).and_then([&] { return attributes_from(request.http.body); });
    if (!body) {
        return answer(change, problem(body.error()));
    }
    change.detail = *body;
    channel_.send_event(id, EventKind::attributes, std::move(*body), [this, change](const Result<void>& durable) {
        std::string accepted;
        JsonWriter(accepted).begin_object().member("id", change.device).end_object();
        answer(change, durable ? json_response(std::move(accepted), 202) : problem(durable.error()));
    });
}

void ChangeRequests::patch_shadow(ApiRequest request, Respond respond) {
    const std::string id = request.parameters[0];
    Change change{request.caller.name, "shadow.update", id, {}, std::move(respond)};
    auto body = check_device(id).and_then([&] { return shadow_update_from(std::move(request.http.body)); });
    if (!body) {
        return answer(change, problem(body.error()));
    }
    ask(std::move(change), shadow_topic(id, "update"), std::move(*body));
}

void ChangeRequests::delete_shadow(ApiRequest request, Respond respond) {
    const std::string id = request.parameters[0];
    Change change{request.caller.name, "shadow.delete", id, {}, std::move(respond)};
    if (const auto valid = check_device(id); !valid) {
        return answer(change, problem(valid.error()));
    }
    ask(std::move(change), shadow_topic(id, "delete"), {});
}

void ChangeRequests::post_command(ApiRequest request, Respond respond) {
    const std::string id = request.parameters[0];
    Change change{request.caller.name, "command.create", id, {}, std::move(respond)};
    auto command = check_device(id).and_then([&] { return command_from(request.http.body, request.caller.name); });
    if (!command) {
        return answer(change, problem(command.error()));
    }
    change.detail = command->name;
    ask(std::move(change), std::string(create_command_topic), std::move(command->json));
}

void ChangeRequests::add_routes(std::vector<Route>& routes) {
    const auto add = [&](std::string_view method, std::string_view pattern,
                         void (ChangeRequests::*member)(ApiRequest, Respond)) {
        routes.push_back({method, pattern, Role::fleet_operator, [this, member](ApiRequest request, Respond respond) {
                              (this->*member)(std::move(request), std::move(respond));
                          }});
    };
    add("PUT", "/api/v1/devices/{id}", &ChangeRequests::put_device);
    add("PATCH", "/api/v1/devices/{id}/shadow", &ChangeRequests::patch_shadow);
    add("DELETE", "/api/v1/devices/{id}/shadow", &ChangeRequests::delete_shadow);
    add("POST", "/api/v1/devices/{id}/commands", &ChangeRequests::post_command);
}

}  // namespace muster
