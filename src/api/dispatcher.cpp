#include "api/dispatcher.h"

#include <fmt/format.h>

#include "api/access.h"
#include "api/problem.h"

namespace muster {
namespace {

constexpr std::string_view api_prefix = "/api/";
constexpr std::string_view metrics_path = "/metrics";

bool has_header(const HttpResponse& response, std::string_view name) {
    return std::any_of(response.headers.begin(), response.headers.end(),
                       [&](const auto& header) { return header.first == name; });
}

HttpResponse finished(HttpResponse response) {
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    if (!has_header(response, "Cache-Control")) {
        response.headers.emplace_back("Cache-Control", "no-store");
    }
    return response;
}

}  // namespace

void RequestMetrics::observe(std::string_view route, unsigned status, Millis took) {
    Counter* counter = nullptr;
    Histogram* histogram = nullptr;
    {
        const std::lock_guard lock(mutex_);
        const std::string name(route);
        auto& known_counter = counters_[{name, status}];
        auto& known_histogram = histograms_[name];
        if (known_counter == nullptr) {
            known_counter = &metrics_.counter("muster_api_requests_total", "Requests answered, by route and status.",
                                              {{"route", name}, {"status", std::to_string(status)}});
        }
        if (known_histogram == nullptr) {
            known_histogram = &metrics_.histogram("muster_api_request_seconds", "From a whole request to its answer.",
                                                  {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5},
                                                  {{"route", name}});
        }
        counter = known_counter;
        histogram = known_histogram;
    }
    counter->Increment();
    histogram->Observe(static_cast<double>(took.count()) / 1000.0);
}

Dispatcher::Dispatcher(DispatcherParts parts) : parts_(std::move(parts)), metrics_(parts_.metrics) {}

std::optional<HttpResponse> Dispatcher::foreign(const HttpRequest& request) const {
    if (!is_host_allowed(request.host, parts_.allowed_hosts)) {
        return problem(421, "this server is not known by that Host name");
    }
    if (!is_origin_allowed(request.origin, request.host)) {
        return problem(403, "requests from pages of another origin are refused");
    }
    return std::nullopt;
}

Result<Identity> Dispatcher::identify(std::string_view token, Role least) const {
    if (least == Role::anyone) {
        return Identity{};
    }
    const auto identity = parts_.tokens.find(token);
    if (!identity) {
        return fail(ErrorCode::unauthorized,
                    token.empty() ? "this needs a token: Authorization: Bearer <token>" : "this token is not known");
    }
    if (identity->role < least) {
        return fail(ErrorCode::forbidden, "the token's role may not do this",
                    fmt::format("it needs {}", name_of(least)));
    }
    return *identity;
}

void Dispatcher::on_request(HttpRequest request, Respond respond) {
    const auto answer = [&](std::string_view route, HttpResponse response) {
        metrics_.observe(route, response.status, Millis(0));
        respond(finished(std::move(response)));
    };
    if (auto refusal = foreign(request)) {
        return answer("foreign", std::move(*refusal));
    }
    Router::Match match = parts_.router.find(request.method, request.path);
    if (match.route == nullptr && !match.allowed.empty()) {
        HttpResponse response = problem(405, "this path is for " + match.allowed);
        response.headers.emplace_back("Allow", match.allowed);
        return answer("unknown", std::move(response));
    }
    if (match.route == nullptr) {
        const bool is_api = request.path.starts_with(api_prefix);
        return answer(is_api ? "unknown" : "files",
                      is_api ? problem(404, "there is no such path") : parts_.files.get(request));
    }
    auto query = QueryString::parse(request.query);
    if (!query) {
        return answer(match.route->pattern, problem(query.error()));
    }
    call(*match.route, {std::move(request), std::move(match.parameters), std::move(*query), {}}, std::move(respond));
}

void Dispatcher::call(const Route& route, ApiRequest request, Respond respond) {
    Respond observed = [this, &route, began = parts_.clock.monotonic(),
                        respond = std::move(respond)](HttpResponse response) {
        metrics_.observe(route.pattern, response.status, parts_.clock.monotonic() - began);
        respond(finished(std::move(response)));
    };
    const Role least = route.pattern == metrics_path && !request.http.from_loopback ? Role::viewer : route.role;
    auto identity = identify(bearer_token(request.http), least);
    if (identity) {
        request.caller = std::move(*identity);
        return route.handler(std::move(request), std::move(observed));
    }
    HttpResponse refusal = problem(identity.error());
    if (route.method != "GET") {
        const auto known = parts_.tokens.find(bearer_token(request.http));
        const std::string action = fmt::format("{} {}", route.method, route.pattern);
        parts_.audit.append({parts_.clock.now(),
                             known ? known->name : "",
                             action,
                             request.parameters.empty() ? "" : request.parameters[0],
                             {},
                             refusal.status});
    }
    observed(std::move(refusal));
}

tl::expected<std::shared_ptr<WebSocketSession>, HttpResponse> Dispatcher::on_upgrade(const HttpRequest& request) {
    const auto refuse = [&](HttpResponse response) {
        metrics_.observe(live_path, response.status, Millis(0));
        return tl::unexpected(finished(std::move(response)));
    };
    if (auto refusal = foreign(request)) {
        return refuse(std::move(*refusal));
    }
    if (request.path != live_path || request.method != "GET") {
        return refuse(problem(404, "WebSockets are served at /api/v1/live"));
    }
    const auto query = QueryString::parse(request.query);
    if (!query) {
        return refuse(problem(query.error()));
    }
    const std::string_view header_token = bearer_token(request);
    // A browser cannot set headers on a WebSocket.
    const auto identity = identify(header_token.empty() ? query->get("access_token") : header_token, Role::viewer);
    if (!identity) {
        return refuse(problem(identity.error()));
    }
    std::shared_ptr<WebSocketSession> session = parts_.live.open();
    if (session == nullptr) {
        return refuse(problem(503, "too many live sessions"));
    }
    metrics_.observe(live_path, 101, Millis(0));
    return session;
}

HttpResponse Dispatcher::on_bad_request(unsigned status) {
    metrics_.observe("unreadable", status, Millis(0));
    return finished(problem(status, status == 413   ? "a body may have at most 256 KiB"
                                    : status == 431 ? "the headers may have at most 16 KiB"
                                                    : "this is not an HTTP request that can be read"));
}

}  // namespace muster
