#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "base/result.h"

namespace muster::json {

// A thin layer over Boost.JSON for documents off the hot path.

/// Parses a whole text. malformed with the library's words and place; nesting deeper than 32 and trailing bytes are
/// refused.
[[nodiscard]] Result<boost::json::value> parse(std::string_view text);
/// The same, and it must be an object.
[[nodiscard]] Result<boost::json::object> parse_object(std::string_view text);

// Typed reads of optional members: an absent member (or null) leaves `out` alone; a wrong type is malformed.
[[nodiscard]] Result<void> read(const boost::json::object& object, std::string_view key, std::string& out);
[[nodiscard]] Result<void> read(const boost::json::object& object, std::string_view key, double& out);
[[nodiscard]] Result<void> read(const boost::json::object& object, std::string_view key, std::int64_t& out);
[[nodiscard]] Result<void> read(const boost::json::object& object, std::string_view key, std::uint64_t& out);
[[nodiscard]] Result<void> read(const boost::json::object& object, std::string_view key, std::uint32_t& out);
[[nodiscard]] Result<void> read(const boost::json::object& object, std::string_view key, std::uint16_t& out);

/// True when the whole text is well-formed UTF-8 (RFC 3629).
[[nodiscard]] bool is_utf8(std::string_view text);
/// Appends `text` as a JSON string with its quotes; control characters and invalid UTF-8 are escaped or replaced.
void append_string(std::string& out, std::string_view text);
/// Appends the shortest decimal that reads back as `value`; NaN and infinities become null.
void append_number(std::string& out, double value);

}  // namespace muster::json
