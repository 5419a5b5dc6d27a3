#include "contract/json.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace muster::json {
namespace {

constexpr std::size_t depth_max = 32;

tl::unexpected<Error> wrong_type(std::string_view key) {
    return fail(ErrorCode::malformed, "member has the wrong type", std::string(key));
}

template <class Unsigned>
Result<void> read_unsigned(const boost::json::object& object, std::string_view key, Unsigned& out) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) {
        return {};
    }
    boost::system::error_code error;
    const auto number = value->to_number<Unsigned>(error);
    if (error) {
        return wrong_type(key);
    }
    out = number;
    return {};
}

/// Bytes of the UTF-8 sequence that starts at `text[at]`, or 0 where there is none (RFC 3629).
std::size_t utf8_sequence(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(at);
    const std::size_t size = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
    if (size == 0 || at + size > text.size()) {
        return 0;
    }
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(at + i) & 0xC0U) != 0x80U) {
            return 0;
        }
    }
    const bool overlong = (lead == 0xE0 && byte(at + 1) < 0xA0) || (lead == 0xF0 && byte(at + 1) < 0x90);
    const bool surrogate = lead == 0xED && byte(at + 1) > 0x9F;
    const bool too_large = lead == 0xF4 && byte(at + 1) > 0x8F;
    return overlong || surrogate || too_large ? 0 : size;
}

/// How many bytes at the start of `text` stand in a JSON string as they are: nearly always all.
std::size_t plain_bytes(std::string_view text) {
    const auto end = std::find_if(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte >= 0x80 || c == '"' || c == '\\';
    });
    return static_cast<std::size_t>(end - text.begin());
}

}  // namespace

Result<boost::json::value> parse(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = depth_max;
    boost::system::error_code error;
    auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error, {}, options);
    if (error) {
        return fail(ErrorCode::malformed, "not valid JSON", error.message());
    }
    return value;
}

Result<boost::json::object> parse_object(std::string_view text) {
    auto value = parse(text);
    if (!value) {
        return tl::unexpected(value.error());
    }
    if (!value->is_object()) {
        return fail(ErrorCode::malformed, "JSON must be an object");
    }
    return std::move(value->as_object());
}

Result<void> read(const boost::json::object& object, std::string_view key, std::string& out) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) {
        return {};
    }
    if (!value->is_string()) {
        return wrong_type(key);
    }
    out.assign(value->get_string().data(), value->get_string().size());
    return {};
}

Result<void> read(const boost::json::object& object, std::string_view key, double& out) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) {
        return {};
    }
    if (!value->is_number()) {
        return wrong_type(key);
    }
    out = value->to_number<double>();
    return {};
}

Result<void> read(const boost::json::object& object, std::string_view key, std::int64_t& out) {
    return read_unsigned(object, key, out);
}

Result<void> read(const boost::json::object& object, std::string_view key, std::uint64_t& out) {
    return read_unsigned(object, key, out);
}

Result<void> read(const boost::json::object& object, std::string_view key, std::uint32_t& out) {
    return read_unsigned(object, key, out);
}

Result<void> read(const boost::json::object& object, std::string_view key, std::uint16_t& out) {
    return read_unsigned(object, key, out);
}

bool is_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = utf8_sequence(text, at);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

void append_string(std::string& out, std::string_view text) {
    out.push_back('"');
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t plain = plain_bytes(text.substr(i));
        out.append(text.substr(i, plain));
        i += plain;
        if (i == text.size()) {
            break;
        }
        const char c = text[i];
        const std::size_t size = utf8_sequence(text, i);
        if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else if (static_cast<unsigned char>(c) < 0x20) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else if (size == 0) {
            out.append("\\ufffd");
        } else {
            out.append(text.substr(i, size));
        }
        i += size == 0 ? 1 : size;
    }
    out.push_back('"');
}

void append_number(std::string& out, double value) {
    if (!std::isfinite(value)) {
        out.append("null");
    } else if (value == std::trunc(value) && std::abs(value) < 1e15) {
        fmt::format_to(std::back_inserter(out), "{}", static_cast<std::int64_t>(value));
    } else {
        fmt::format_to(std::back_inserter(out), "{}", value);
    }
}

}  // namespace muster::json
