#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace muster {

/// Why an operation on something outside the process failed. Every handled code is counted where it is handled.
enum class ErrorCode : std::uint8_t {
    invalid_argument,  ///< the caller's input (option, query, request) is not acceptable
    malformed,         ///< bytes that do not follow their format
    not_found,
    conflict,     ///< a version or a name is already taken
    too_large,    ///< over a named limit
    would_block,  ///< nothing to do now, try again when told
    queue_full,   ///< a bounded queue is at its bound: slow down or drop, and count
    closed,       ///< the peer or the component has gone
    io,           ///< the operating system or a library said no
    corrupt,      ///< stored bytes fail their checksum or their invariants
    unsupported,
    unavailable,  ///< a component cannot be reached now
    timed_out,
    unauthorized,  ///< who are you?
    forbidden,     ///< you may not
};

/// The code's name as it is used in metric labels and logs, for example "queue_full".
[[nodiscard]] std::string_view name_of(ErrorCode code);

/// An expected failure. `text` is static; `detail` (a path, a port, a library's words) is filled only away from the
/// data path.
struct Error {
    ErrorCode code;
    std::string_view text;
    std::string detail;

    /// "text: detail", for a log line or an administrator.
    [[nodiscard]] std::string message() const;
};

template <class T>
using Result = tl::expected<T, Error>;

/// `return fail(ErrorCode::malformed, "packet shorter than its header");`
[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string_view text, std::string detail = {}) {
    return tl::unexpected<Error>(Error{code, text, std::move(detail)});
}

}  // namespace muster
