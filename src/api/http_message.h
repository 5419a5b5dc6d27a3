#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

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

/// Gives a long body piece by piece: the next once the last has left, so that a slow reader costs one piece of memory.
/// One thread at a time. Destroyed after the last piece or when the connection has broken.
class BodySource {
 public:
    enum class Piece : std::uint8_t {
        more,
        last,
        later,  ///< nothing now: ask again in a moment
    };

    virtual ~BodySource() = default;
    /// Appends the next piece to `out`, empty before. An error cuts the answer short, which the client can tell.
    [[nodiscard]] virtual Result<Piece> next(std::string& out) = 0;
};

/// One HTTP answer. `source` wins over the bodies, and `stable_body` (bytes that live as long as the program, such as
/// embedded files) wins over `body`.
struct HttpResponse {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::string_view stable_body;
    std::shared_ptr<BodySource> source;
    std::vector<std::pair<std::string, std::string>> headers;

    [[nodiscard]] std::string_view content() const {
        return stable_body.empty() ? std::string_view(body) : stable_body;
    }
};

/// Answers one request: exactly one call, from any thread, at once or later.
using Respond = std::function<void(HttpResponse)>;

}  // namespace muster
