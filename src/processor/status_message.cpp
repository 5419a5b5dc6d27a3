#include "processor/status_message.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <boost/json.hpp>

#include "contract/json.h"

namespace muster {
namespace {

using Word = StatusMessage::Word;

bool equal_ignoring_case(std::string_view text, std::string_view upper) {
    return std::equal(text.begin(), text.end(), upper.begin(), upper.end(),
                      [](char a, char b) { return a == b || (a >= 'a' && a <= 'z' && a - 'a' + 'A' == b); });
}

std::optional<Word> word_from(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, Word>, 3> words{
        {{"ONLINE", Word::online}, {"OFFLINE", Word::offline}, {"SLEEPING", Word::sleeping}}};
    for (const auto& [name, word] : words) {
        if (equal_ignoring_case(text, name)) {
            return word;
        }
    }
    return std::nullopt;
}

Result<std::uint32_t> read_next_contact(const boost::json::object& object) {
    double seconds = 0;
    if (auto read = json::read(object, "next_contact_s", seconds); !read) {
        return tl::unexpected(read.error());
    }
    if (!(seconds >= 0)) {
        return fail(ErrorCode::malformed, "next_contact_s must not be negative");
    }
    return static_cast<std::uint32_t>(std::ceil(std::min(seconds, static_cast<double>(next_contact_s_max))));
}

Result<StatusMessage> parse_object(std::string_view payload) {
    const auto object = json::parse_object(payload);
    if (!object) {
        return tl::unexpected(object.error());
    }
    StatusMessage message;
    std::string word;
    if (auto read = json::read(*object, "status", word); !read) {
        return tl::unexpected(read.error());
    }
    if (!word.empty()) {
        const auto known = word_from(word);
        if (!known) {
            return fail(ErrorCode::malformed, "status has an unknown word");
        }
        message.word = *known;
    }
    const auto next_contact_s = read_next_contact(*object);
    if (!next_contact_s) {
        return tl::unexpected(next_contact_s.error());
    }
    message.next_contact_s = *next_contact_s;
    if (auto attributes = parse_device_attributes(payload)) {
        message.attributes = std::move(*attributes);
    } else {
        message.bad_attributes = true;
    }
    return message;
}

}  // namespace

Result<StatusMessage> parse_status_message(std::string_view payload) {
    if (const auto word = word_from(payload)) {
        StatusMessage message;
        message.word = *word;
        return message;
    }
    if (payload.empty() || payload.front() != '{') {
        return fail(ErrorCode::malformed, "status is neither a known word nor a JSON object");
    }
    return parse_object(payload);
}

}  // namespace muster
