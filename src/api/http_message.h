#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster {

/// One HTTP request as the server hands it on: whole, within the server's limits, not yet trusted in any part.
struct HttpRequest {
    std::string method;  ///< "GET"
    std::string path;    ///< as it came, percent-encoded, without the query; starts with '/'
    std::string query;   ///< what follows '?', percent-encoded
    std::string body;
    // Header values; empty when absent.
    std::string host;
    std::string origin;
    std::string authorization;
    std::string accept_encoding;
    std::string if_none_match;
    bool from_loopback = false;  ///< the peer's address
};

/// One HTTP answer. `stable_body` (bytes that live as long as the program, such as embedded files) wins over `body`.
struct HttpResponse {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::string_view stable_body;
    std::vector<std::pair<std::string, std::string>> headers;

    [[nodiscard]] std::string_view content() const {
        return stable_body.empty() ? std::string_view(body) : stable_body;
    }
};

/// Answers one request: exactly one call, from any thread, at once or later.
using Respond = std::function<void(HttpResponse)>;

}  // namespace muster
