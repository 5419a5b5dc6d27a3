#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"
#include "api/query_string.h"
#include "api/tokens.h"

namespace muster {

/// A request whose route, caller and query are known.
struct ApiRequest {
    HttpRequest http;
    std::vector<std::string> parameters;  ///< the {…} of the pattern, decoded, in order
    QueryString query;
    Identity caller;
};

using RouteHandler = std::function<void(ApiRequest, Respond)>;

/// For a route that can answer at once: `function` maps an ApiRequest to a HttpResponse.
template <class Function>
[[nodiscard]] RouteHandler answer_with(Function function) {
    return [function = std::move(function)](const ApiRequest& request, const Respond& respond) {
        respond(function(request));
    };
}

/// One row of the API's table.
struct Route {
    std::string_view method;   ///< "GET" serves HEAD too
    std::string_view pattern;  ///< "/api/v1/devices/{id}"; a {…} stands for one segment
    Role role = Role::viewer;  ///< the least role that may call it
    RouteHandler handler;
};

/// Finds the row for a method and a path. Immutable after construction: any thread.
class Router final {
 public:
    struct Match {
        const Route* route = nullptr;         ///< null: see `allowed`
        std::vector<std::string> parameters;  ///< decoded
        std::string allowed;                  ///< methods of the path, comma-separated; empty: no such path
    };

    explicit Router(std::vector<Route> routes);

    [[nodiscard]] Match find(std::string_view method, std::string_view path) const;
    [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
    std::vector<Route> routes_;
};

}  // namespace muster
