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

}  // namespace

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
