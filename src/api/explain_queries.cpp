#include "api/explain_queries.h"

#include "api/device_explanation.h"
#include "api/json_writer.h"
#include "api/problem.h"
#include "bus/bus.h"
#include "contract/identity.h"

namespace muster {
namespace {

constexpr std::size_t transitions_shown_max = 5;
constexpr std::size_t incidents_looked_at_max = 1000;

bool is_within(std::string_view region, std::string_view of) {
    return of.empty() || region == of ||
           (region.size() > of.size() && region.starts_with(of) && region[of.size()] == '/');
}

void write_cause(JsonWriter& writer, const DetectionAccuracy::ByCause& cause) {
    writer.begin_object()
        .member("cause", name_of(cause.cause))
        .member("deaths", cause.deaths)
        .member("other_cause", cause.other_cause)
        .member("p50_ms", cause.p50_ms)
        .member("p99_ms", cause.p99_ms)
        .member("max_ms", cause.max_ms)
        .member("bound_ms", cause.bound_ms)
        .end_object();
}

}  // namespace

HttpResponse ExplainQueries::get_explanation(const ApiRequest& request) const {
    const std::string& id = request.parameters[0];
    if (const auto valid = QueryReader(request.query).finish(); !valid) {
        return problem(valid.error());
    }
    if (!is_valid_device_id(id)) {
        return problem(400, "a device id is 1 to 128 of [A-Za-z0-9:_.-]");
    }
    const auto device = sources_.status.get(id);
    if (!device) {
        return problem(device.error());
    }
    if (!*device) {
        return problem(404, "no device with this id has been seen");
    }
    ExplanationSources from;
    from.now = sources_.clock.now();
    auto transitions = sources_.history.transitions(id, Timestamp{}, from.now + Millis(1), transitions_shown_max);
    if (!transitions) {
        return problem(transitions.error());
    }
    from.transitions = std::move(*transitions);
    from.device = **device;
    for (Incident& incident : sources_.incidents.list(true, incidents_looked_at_max)) {
        if (is_within(from.device.document.attributes.region, incident.region)) {
            from.incidents.push_back(std::move(incident));
        }
    }
    from.policy = sources_.policy.policy();
    from.pipeline = sources_.pipeline ? sources_.pipeline() : PipelineHealth{};
    from.partition = partition_of(id, sources_.partitions);
    return json_response(explanation_json(from));
}

HttpResponse ExplainQueries::get_accuracy(const ApiRequest& request) const {
    if (const auto valid = QueryReader(request.query).finish(); !valid) {
        return problem(valid.error());
    }
    const DetectionAccuracy accuracy = sources_.accuracy ? sources_.accuracy() : DetectionAccuracy{};
    std::string body;
    JsonWriter writer(body);
    writer.begin_object()
        .member("enabled", accuracy.enabled)
        .member("canaries", accuracy.canaries)
        .member("connected", accuracy.connected)
        .member("since", accuracy.enabled ? std::optional(accuracy.since) : std::nullopt)
        .member("false_offline", accuracy.false_offline)
        .member("missed_offline", accuracy.missed_offline)
        .member("missed_online", accuracy.missed_online)
        .key("causes")
        .begin_array();
    for (const DetectionAccuracy::ByCause& cause : accuracy.causes) {
        write_cause(writer, cause);
    }
    writer.end_array().end_object();
    return json_response(std::move(body));
}

void ExplainQueries::add_routes(std::vector<Route>& routes) const {
    const auto add = [&](std::string_view pattern, HttpResponse (ExplainQueries::*member)(const ApiRequest&) const) {
        routes.push_back({"GET", pattern, Role::viewer,
                          answer_with([this, member](const ApiRequest& request) { return (this->*member)(request); })});
    };
    add("/api/v1/devices/{id}/explain", &ExplainQueries::get_explanation);
    add("/api/v1/accuracy", &ExplainQueries::get_accuracy);
}

}  // namespace muster
