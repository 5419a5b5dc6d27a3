#include "mqtt/topic.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace muster::mqtt {

namespace {

constexpr std::size_t topic_bytes_max = 65'535;
constexpr std::uint64_t ones = 0x0101'0101'0101'0101;
constexpr std::uint64_t high_bits = 0x8080'8080'8080'8080;

/// High bits set in (at least) the first byte that equals `byte`; zero when there is none.
constexpr std::uint64_t bytes_equal(std::uint64_t word, std::uint8_t byte) {
    const std::uint64_t difference = word ^ (ones * byte);
    return (difference - ones) & ~difference & high_bits;
}

std::uint64_t load_word(const char* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof(word));
    return word;
}

/// Length of the well-formed sequence at the front (Unicode 15, table 3-7), 0 when it is not well-formed or U+0000.
std::size_t sequence_length(std::string_view text) {
    const auto at = [text](std::size_t index) { return static_cast<std::uint8_t>(text[index]); };
    const auto continues = [&](std::size_t index, std::uint8_t least = 0x80, std::uint8_t most = 0xBF) {
        return index < text.size() && at(index) >= least && at(index) <= most;
    };
    const std::uint8_t first = at(0);
    if (first < 0x80) {
        return first == 0 ? 0 : 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return continues(1) ? 2 : 0;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        const std::uint8_t least = first == 0xE0 ? 0xA0 : 0x80;
        const std::uint8_t most = first == 0xED ? 0x9F : 0xBF;
        return continues(1, least, most) && continues(2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const std::uint8_t least = first == 0xF0 ? 0x90 : 0x80;
        const std::uint8_t most = first == 0xF4 ? 0x8F : 0xBF;
        return continues(1, least, most) && continues(2) && continues(3) ? 4 : 0;
    }
    return 0;
}

/// Bytes at the front that are plain ASCII and not NUL, in steps of eight.
std::size_t plain_prefix(std::string_view text) {
    std::size_t plain = 0;
    for (; plain + 8 <= text.size(); plain += 8) {
        const std::uint64_t word = load_word(text.data() + plain);
        if (((word & high_bits) | bytes_equal(word, 0)) != 0) {
            break;
        }
    }
    return plain;
}

/// Cuts the first level off `rest`; `more` tells whether another one follows.
std::string_view take_level(std::string_view& rest, bool& more) {
    const std::size_t slash = rest.find('/');
    more = slash != std::string_view::npos;
    const std::string_view level = rest.substr(0, slash);
    rest.remove_prefix(more ? slash + 1 : rest.size());
    return level;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
    text.remove_prefix(plain_prefix(text));
    while (!text.empty()) {
        const std::size_t length = sequence_length(text);
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

bool has_wildcard(std::string_view filter) {
    std::size_t at = 0;
    for (; at + 8 <= filter.size(); at += 8) {
        const std::uint64_t word = load_word(filter.data() + at);
        if ((bytes_equal(word, '+') | bytes_equal(word, '#')) != 0) {
            return true;
        }
    }
    return std::any_of(filter.begin() + static_cast<std::ptrdiff_t>(at), filter.end(),
                       [](char c) { return c == '+' || c == '#'; });
}

bool is_valid_topic_name(std::string_view topic) {
    return !topic.empty() && topic.size() <= topic_bytes_max && !has_wildcard(topic) && is_valid_utf8(topic);
}

bool is_valid_topic_filter(std::string_view filter) {
    if (filter.empty() || filter.size() > topic_bytes_max || !is_valid_utf8(filter)) {
        return false;
    }
    bool more = true;
    while (more) {
        const std::string_view level = take_level(filter, more);
        const bool is_wildcard = level == "+" || (level == "#" && !more);
        if (!is_wildcard && has_wildcard(level)) {
            return false;
        }
    }
    return true;
}

std::size_t topic_levels(std::string_view topic) {
    return static_cast<std::size_t>(std::count(topic.begin(), topic.end(), '/')) + 1;
}

bool topic_matches(std::string_view filter, std::string_view topic) {
    if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) {
        return false;
    }
    bool more_filter = true;
    bool more_topic = true;
    while (more_filter && more_topic) {
        const std::string_view wanted = take_level(filter, more_filter);
        if (wanted == "#") {
            return true;
        }
        if (const std::string_view level = take_level(topic, more_topic); wanted != "+" && wanted != level) {
            return false;
        }
    }
    // "a/#" matches "a" too: '#' stands for the parent and any number of child levels.
    return more_filter == more_topic || (more_filter && filter == "#");
}

bool is_shared_filter(std::string_view filter) {
    return filter.starts_with("$share/");
}

std::optional<SharedFilter> parse_shared_filter(std::string_view filter) {
    if (!is_shared_filter(filter)) {
        return std::nullopt;
    }
    filter.remove_prefix(std::string_view("$share/").size());
    bool more = false;
    const std::string_view group = take_level(filter, more);
    if (group.empty() || has_wildcard(group) || !more || !is_valid_topic_filter(filter)) {
        return std::nullopt;
    }
    return SharedFilter{group, filter};
}

}  // namespace muster::mqtt
