#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace muster {

/// Undoes percent-encoding; nullopt when a '%' is not followed by two hexadecimal digits or a NUL results.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

/// Epoch milliseconds, or ISO 8601 with its offset: "2026-11-24T22:50:00.250Z", "2026-11-24T22:50+05:30"; a date alone
/// is its midnight, UTC. nullopt: neither, or not from 1970 to 9999.
[[nodiscard]] std::optional<Timestamp> parse_time(std::string_view text);

/// The decoded parameters of one request's query string, in order.
class QueryString final {
 public:
    static constexpr std::size_t parameters_max = 64;

    /// malformed: bad percent-encoding, a parameter given twice, too many.
    [[nodiscard]] static Result<QueryString> parse(std::string_view text);

    /// Empty and absent are the same.
    [[nodiscard]] std::string_view get(std::string_view name) const;
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& parameters() const { return parameters_; }

 private:
    std::vector<std::pair<std::string, std::string>> parameters_;
};

/// Reads the parameters that a route knows, keeps the first error, and names in it the parameter and what it may be.
class QueryReader final {
 public:
    explicit QueryReader(const QueryString& query) : query_(query) {}

    [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t fallback, std::int64_t least,
                                       std::int64_t most);
    [[nodiscard]] std::optional<std::int64_t> optional_integer(std::string_view name, std::int64_t least,
                                                               std::int64_t most);
    [[nodiscard]] std::optional<Timestamp> time(std::string_view name);
    [[nodiscard]] std::string text(std::string_view name, std::size_t bytes_max);
    /// One of the enumerators that `parse` knows; `words` lists them for the error.
    template <class Enum>
    [[nodiscard]] std::optional<Enum> word(std::string_view name, std::optional<Enum> (*parse)(std::string_view),
                                           std::string_view words) {
        const std::string_view given = take(name);
        if (given.empty()) {
            return std::nullopt;
        }
        const auto value = parse(given);
        if (!value) {
            refuse(name, words);
        }
        return value;
    }
    /// "parameter must be …": for what the readers above cannot say.
    void refuse(std::string_view name, std::string_view expectation);

    /// The first error; also one for a parameter that nothing above asked for. Call it last.
    [[nodiscard]] Result<void> finish();

 private:
    std::string_view take(std::string_view name);

    const QueryString& query_;
    std::vector<std::string_view> known_;
    std::optional<Error> error_;
};

/// An opaque paging cursor: URL-safe base64 of a version and the device id to continue after.
[[nodiscard]] std::string encode_cursor(std::string_view after);
/// malformed: not a cursor that encode_cursor made.
[[nodiscard]] Result<std::string> decode_cursor(std::string_view cursor);

}  // namespace muster
