#include "api/problem.h"

#include <array>

#include "api/json_writer.h"

namespace muster {
namespace {

struct Status {
    unsigned status;
    std::string_view title;
    std::string_view word;
};

constexpr std::array<Status, 17> statuses{{
    {400, "Bad request", "bad_request"},
    {401, "Unauthorized", "unauthorized"},
    {403, "Forbidden", "forbidden"},
    {404, "Not found", "not_found"},
    {405, "Method not allowed", "method_not_allowed"},
    {409, "Conflict", "conflict"},
    {413, "Content too large", "too_large"},
    {415, "Unsupported media type", "unsupported_media_type"},
    {421, "Misdirected request", "misdirected_request"},
    {426, "Upgrade required", "upgrade_required"},
    {429, "Too many requests", "too_many_requests"},
    {431, "Request header fields too large", "header_too_large"},
    {500, "Internal server error", "internal"},
    {501, "Not implemented", "unsupported"},
    {502, "Bad gateway", "bad_gateway"},
    {503, "Service unavailable", "unavailable"},
    {504, "Gateway timeout", "timed_out"},
}};

const Status& find(unsigned status) {
    for (const Status& candidate : statuses) {
        if (candidate.status == status) {
            return candidate;
        }
    }
    return status >= 500 ? statuses[12] : statuses[0];
}

}  // namespace

unsigned http_status(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
        case ErrorCode::malformed:
            return 400;
        case ErrorCode::unauthorized:
            return 401;
        case ErrorCode::forbidden:
            return 403;
        case ErrorCode::not_found:
            return 404;
        case ErrorCode::conflict:
            return 409;
        case ErrorCode::too_large:
            return 413;
        case ErrorCode::unsupported:
            return 501;
        case ErrorCode::would_block:
        case ErrorCode::queue_full:
        case ErrorCode::closed:
        case ErrorCode::unavailable:
            return 503;
        case ErrorCode::timed_out:
            return 504;
        case ErrorCode::io:
        case ErrorCode::corrupt:
            return 500;
    }
    return 500;
}

std::string_view status_title(unsigned status) {
    return find(status).title;
}
std::string_view status_code_word(unsigned status) {
    return find(status).word;
}

HttpResponse problem(unsigned status, std::string_view detail) {
    HttpResponse response;
    response.status = status;
    response.content_type = "application/problem+json";
    JsonWriter(response.body)
        .begin_object()
        .member("type", "about:blank")
        .member("title", status_title(status))
        .member("status", status)
        .member("detail", detail)
        .member("code", status_code_word(status))
        .end_object();
    if (status == 401) {
        response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"muster\"");
    } else if (status == 503) {
        response.headers.emplace_back("Retry-After", "5");
    }
    return response;
}

HttpResponse problem(const Error& error) {
    return problem(http_status(error.code), error.message());
}

}  // namespace muster
