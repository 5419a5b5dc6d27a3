#include "api/query_string.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "contract/identity.h"

namespace muster {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view cursor_version = "1:";
constexpr std::size_t cursor_bytes_max = 512;
constexpr std::string_view cursor_text = "cursor must be the next_cursor of an earlier page";

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string base64url(std::string_view bytes) {
    std::string out;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : bytes) {
        bits = (bits << 8U) | static_cast<unsigned char>(c);
        for (count += 8; count >= 6; count -= 6) {
            out.push_back(alphabet[(bits >> (count - 6)) & 63U]);
        }
    }
    if (count > 0) {
        out.push_back(alphabet[(bits << (6 - count)) & 63U]);
    }
    return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const auto digit = alphabet.find(c);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<char>((bits >> count) & 255U));
        }
    }
    return out;
}

constexpr Timestamp time_end = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31);

/// Takes `digits` digits off the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
    int value = 0;
    const std::string_view front = text.substr(0, digits);
    const auto [end, error] = std::from_chars(front.data(), front.data() + front.size(), value);
    if (front.size() != digits || error != std::errc() || end != front.data() + digits || front.front() == '-') {
        return std::nullopt;
    }
    text.remove_prefix(digits);
    return value;
}

bool take_character(std::string_view& text, char wanted) {
    if (text.empty() || text.front() != wanted) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

std::optional<std::chrono::sys_days> take_date(std::string_view& text) {
    const auto year = take_digits(text, 4);
    const auto month = year && take_character(text, '-') ? take_digits(text, 2) : std::nullopt;
    const auto day = month && take_character(text, '-') ? take_digits(text, 2) : std::nullopt;
    if (!day) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    return date.ok() ? std::optional(std::chrono::sys_days(date)) : std::nullopt;
}

/// "HH:MM".
std::optional<std::chrono::minutes> take_hours_and_minutes(std::string_view& text) {
    const auto hours = take_digits(text, 2);
    const auto minutes = hours && take_character(text, ':') ? take_digits(text, 2) : std::nullopt;
    return minutes && *hours < 24 && *minutes < 60
               ? std::optional(std::chrono::hours(*hours) + std::chrono::minutes(*minutes))
               : std::nullopt;
}

/// ":SS", ":SS.fff" or nothing.
std::optional<Millis> take_seconds(std::string_view& text) {
    if (!take_character(text, ':')) {
        return Millis(0);
    }
    const auto seconds = take_digits(text, 2);
    if (!seconds || *seconds > 59) {
        return std::nullopt;
    }
    Millis value = Seconds(*seconds);
    if (take_character(text, '.')) {
        const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
        std::string fraction(text.substr(0, std::min<std::size_t>(digits, 3)));
        if (digits == 0 || digits > 9) {
            return std::nullopt;
        }
        fraction.resize(3, '0');
        std::string_view millis = fraction;
        value += Millis(*take_digits(millis, 3));
        text.remove_prefix(digits);
    }
    return value;
}

/// "Z", "+HH:MM" or "-HH:MM". A '+' that came unescaped in a query is a space.
std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
    if (take_character(text, 'Z') || take_character(text, 'z')) {
        return std::chrono::minutes(0);
    }
    const bool negative = take_character(text, '-');
    if (!negative && !take_character(text, '+') && !take_character(text, ' ')) {
        return std::nullopt;
    }
    const auto offset = take_hours_and_minutes(text);
    return offset && negative ? std::optional(-*offset) : offset;
}

std::optional<Timestamp> parse_iso(std::string_view text) {
    const auto date = take_date(text);
    if (!date || text.empty()) {
        return date ? std::optional<Timestamp>(*date) : std::nullopt;
    }
    if (!take_character(text, 'T') && !take_character(text, 't')) {
        return std::nullopt;
    }
    const auto minutes = take_hours_and_minutes(text);
    const auto seconds = minutes ? take_seconds(text) : std::nullopt;
    const auto offset = seconds ? take_offset(text) : std::nullopt;
    if (!offset || !text.empty()) {
        return std::nullopt;
    }
    return Timestamp(*date) + *minutes + *seconds - *offset;
}

}  // namespace

std::optional<Timestamp> parse_time(std::string_view text) {
    std::int64_t ms = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    const bool number = error == std::errc() && end == text.data() + text.size();
    const auto time = number ? std::optional(from_epoch_ms(ms)) : parse_iso(text);
    return time && *time >= Timestamp{} && *time < time_end ? time : std::nullopt;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            out.push_back(' ');
        } else if (text[i] != '%') {
            out.push_back(text[i]);
        } else {
            const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                return std::nullopt;
            }
            out.push_back(static_cast<char>(high * 16 + low));
            i += 2;
        }
    }
    return out;
}

Result<QueryString> QueryString::parse(std::string_view text) {
    QueryString query;
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(text.size(), part.size() + 1));
        if (part.empty()) {
            continue;
        }
        const auto equals = std::min(part.find('='), part.size());
        auto name = percent_decoded(part.substr(0, equals), true);
        auto value = percent_decoded(part.substr(std::min(part.size(), equals + 1)), true);
        if (!name || !value) {
            return fail(ErrorCode::malformed, "the query has a '%' that is not followed by two hexadecimal digits");
        }
        const bool repeated = std::any_of(query.parameters_.begin(), query.parameters_.end(),
                                          [&](const auto& earlier) { return earlier.first == *name; });
        if (repeated || query.parameters_.size() == parameters_max) {
            return fail(ErrorCode::malformed, "a query has at most 64 parameters, each given once", *name);
        }
        query.parameters_.emplace_back(std::move(*name), std::move(*value));
    }
    return query;
}

std::string_view QueryString::get(std::string_view name) const {
    for (const auto& [candidate, value] : parameters_) {
        if (candidate == name) {
            return value;
        }
    }
    return {};
}

std::string_view QueryReader::take(std::string_view name) {
    known_.push_back(name);
    return query_.get(name);
}

void QueryReader::refuse(std::string_view name, std::string_view expectation) {
    if (!error_) {
        error_ = Error{ErrorCode::invalid_argument, "query parameter", fmt::format("{} must be {}", name, expectation)};
    }
}

std::int64_t QueryReader::integer(std::string_view name, std::int64_t fallback, std::int64_t least, std::int64_t most) {
    return optional_integer(name, least, most).value_or(fallback);
}

std::optional<std::int64_t> QueryReader::optional_integer(std::string_view name, std::int64_t least,
                                                          std::int64_t most) {
    const std::string_view given = take(name);
    if (given.empty()) {
        return std::nullopt;
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
    if (error != std::errc() || end != given.data() + given.size() || value < least || value > most) {
        refuse(name, fmt::format("a whole number from {} to {}", least, most));
        return std::nullopt;
    }
    return value;
}

std::optional<Timestamp> QueryReader::time(std::string_view name) {
    const std::string_view given = take(name);
    if (given.empty()) {
        return std::nullopt;
    }
    const auto value = parse_time(given);
    if (!value) {
        refuse(name, "epoch milliseconds or an ISO 8601 time such as 2026-11-24T22:50:00Z");
    }
    return value;
}

std::string QueryReader::text(std::string_view name, std::size_t bytes_max) {
    const std::string_view given = take(name);
    if (given.size() > bytes_max) {
        refuse(name, fmt::format("at most {} bytes", bytes_max));
        return {};
    }
    return std::string(given);
}

Result<void> QueryReader::finish() {
    for (const auto& [name, value] : query_.parameters()) {
        if (!error_ && std::find(known_.begin(), known_.end(), name) == known_.end()) {
            error_ = Error{ErrorCode::invalid_argument, "unknown query parameter",
                           fmt::format("{}; this path knows {}", name,
                                       known_.empty() ? "none" : fmt::format("{}", fmt::join(known_, ", ")))};
        }
    }
    if (error_) {
        return tl::unexpected(*error_);
    }
    return {};
}

std::string encode_cursor(std::string_view after) {
    return base64url(std::string(cursor_version).append(after));
}

Result<std::string> decode_cursor(std::string_view cursor) {
    const auto text = cursor.size() <= cursor_bytes_max ? from_base64url(cursor) : std::nullopt;
    // Encoding it again catches every other spelling of the same bytes.
    if (!text || !text->starts_with(cursor_version) || base64url(*text) != cursor) {
        return fail(ErrorCode::malformed, cursor_text);
    }
    std::string after = text->substr(cursor_version.size());
    if (!is_valid_device_id(after)) {
        return fail(ErrorCode::malformed, cursor_text);
    }
    return after;
}

}  // namespace muster
