#include "base/result.h"

namespace muster {

std::string_view name_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
            return "invalid_argument";
        case ErrorCode::malformed:
            return "malformed";
        case ErrorCode::not_found:
            return "not_found";
        case ErrorCode::conflict:
            return "conflict";
        case ErrorCode::too_large:
            return "too_large";
        case ErrorCode::would_block:
            return "would_block";
        case ErrorCode::queue_full:
            return "queue_full";
        case ErrorCode::closed:
            return "closed";
        case ErrorCode::io:
            return "io";
        case ErrorCode::corrupt:
            return "corrupt";
        case ErrorCode::unsupported:
            return "unsupported";
        case ErrorCode::unavailable:
            return "unavailable";
        case ErrorCode::timed_out:
            return "timed_out";
        case ErrorCode::unauthorized:
            return "unauthorized";
        case ErrorCode::forbidden:
            return "forbidden";
    }
    return "unknown";
}

std::string Error::message() const {
    return detail.empty() ? std::string(text) : std::string(text) + ": " + detail;
}

}  // namespace muster
