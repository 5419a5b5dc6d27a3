#include "api/router.h"

#include <algorithm>
#include <optional>

namespace muster {
namespace {

/// Takes the next segment off a path that starts with '/'.
std::string_view next_segment(std::string_view& path) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    return segment;
}

/// The decoded parameters when `path` is of this pattern.
std::optional<std::vector<std::string>> matched(std::string_view pattern, std::string_view path) {
    std::vector<std::string> parameters;
    while (!pattern.empty() && !path.empty()) {
        const std::string_view expected = next_segment(pattern);
        const auto segment = percent_decoded(next_segment(path), false);
        if (!segment) {
            return std::nullopt;
        }
        if (expected.starts_with('{')) {
            if (segment->empty()) {
                return std::nullopt;
            }
            parameters.push_back(*segment);
        } else if (expected != *segment) {
            return std::nullopt;
        }
    }
    return pattern.empty() && path.empty() ? std::optional(std::move(parameters)) : std::nullopt;
}

}  // namespace

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {}

Router::Match Router::find(std::string_view method, std::string_view path) const {
    const std::string_view wanted = method == "HEAD" ? "GET" : method;
    Match match;
    for (const Route& route : routes_) {
        auto parameters = matched(route.pattern, path);
        if (!parameters) {
            continue;
        }
        if (route.method == wanted) {
            return {&route, std::move(*parameters), {}};
        }
        match.allowed.append(match.allowed.empty() ? "" : ", ").append(route.method);
    }
    return match;
}

}  // namespace muster
