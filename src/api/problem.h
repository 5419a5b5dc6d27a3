#pragma once

#include <string_view>

#include "api/http_message.h"
#include "base/result.h"

namespace muster {

/// The HTTP status that stands for an error code at this edge.
[[nodiscard]] unsigned http_status(ErrorCode code);
/// The reason phrase of a status, for example "Not found".
[[nodiscard]] std::string_view status_title(unsigned status);
/// The machine-readable word of a status, for example "not_found".
[[nodiscard]] std::string_view status_code_word(unsigned status);

/// An RFC 9457 answer: application/problem+json with type, title, status, detail and `code`.
[[nodiscard]] HttpResponse problem(unsigned status, std::string_view detail);
[[nodiscard]] HttpResponse problem(const Error& error);

[[nodiscard]] inline HttpResponse json_response(std::string body, unsigned status = 200) {
    HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

[[nodiscard]] inline HttpResponse json_or_problem(Result<std::string> body) {
    return body ? json_response(std::move(*body)) : problem(body.error());
}

}  // namespace muster
