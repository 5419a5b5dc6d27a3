#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace muster::mqtt {

/// Levels of a topic or filter that the trees accept; deeper ones are refused. AWS IoT allows 8 (7 slashes).
inline constexpr std::size_t topic_levels_max = 32;

/// Well-formed UTF-8 without U+0000 (so without overlong forms, surrogates and values above U+10FFFF).
[[nodiscard]] bool is_valid_utf8(std::string_view text);

/// 1 to 65,535 bytes of valid UTF-8 without '+' and '#'.
[[nodiscard]] bool is_valid_topic_name(std::string_view topic);
/// 1 to 65,535 bytes of valid UTF-8; '+' fills a whole level, '#' fills the whole last one.
[[nodiscard]] bool is_valid_topic_filter(std::string_view filter);
[[nodiscard]] std::size_t topic_levels(std::string_view topic);
[[nodiscard]] bool has_wildcard(std::string_view filter);

/// MQTT matching, both valid. A filter that begins with a wildcard does not match a topic that begins with '$'.
[[nodiscard]] bool topic_matches(std::string_view filter, std::string_view topic);

/// `$share/{group}/{filter}` taken apart.
struct SharedFilter {
    std::string_view group;
    std::string_view filter;
};
/// Nothing when it does not begin with "$share/" or is not well-formed (empty group or filter, wildcard in the group).
[[nodiscard]] std::optional<SharedFilter> parse_shared_filter(std::string_view filter);
/// Begins with "$share/", well-formed or not: v5 only; an ordinary topic in 3.1.1.
[[nodiscard]] bool is_shared_filter(std::string_view filter);

}  // namespace muster::mqtt
