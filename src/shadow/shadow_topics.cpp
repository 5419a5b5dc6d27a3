#include "shadow/shadow_topics.h"

#include <array>

#include <fmt/format.h>

#include "contract/identity.h"
#include "contract/mqtt_topics.h"
#include "shadow/shadow_document.h"

namespace muster {
namespace {

constexpr std::array<std::string_view, 3> operation_names{"get", "update", "delete"};

/// Removes `expected` from the front of `rest`, or says that it is not there.
bool take(std::string_view& rest, std::string_view expected) {
    if (!rest.starts_with(expected)) {
        return false;
    }
    rest.remove_prefix(expected.size());
    return true;
}

/// Removes what is before the next '/' and the '/' itself; empty when there is none.
std::string_view take_level(std::string_view& rest) {
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) {
        return {};
    }
    const std::string_view level = rest.substr(0, slash);
    rest.remove_prefix(slash + 1);
    return level;
}

}  // namespace

std::string ShadowTopic::full_name() const {
    return name.empty() ? std::string(device) : fmt::format("{}~{}", device, name);
}

std::optional<ShadowTopic> parse_shadow_topic(std::string_view topic) {
    ShadowTopic parsed;
    if (!take(topic, "$aws/things/")) {
        return std::nullopt;
    }
    parsed.device = take_level(topic);
    if (!is_valid_device_id(parsed.device) || !take(topic, "shadow/")) {
        return std::nullopt;
    }
    if (take(topic, "name/")) {
        parsed.name = take_level(topic);
        if (!is_valid_shadow_name(parsed.name)) {
            return std::nullopt;
        }
    }
    for (std::size_t i = 0; i < operation_names.size(); ++i) {
        if (topic == operation_names.at(i)) {
            parsed.operation = static_cast<ShadowOperation>(i);
            return parsed;
        }
    }
    return std::nullopt;
}

std::optional<CommandAnswerTopic> parse_command_answer_topic(std::string_view topic) {
    CommandAnswerTopic parsed;
    if (!take(topic, "$aws/commands/things/")) {
        return std::nullopt;
    }
    parsed.device = take_level(topic);
    if (!is_valid_device_id(parsed.device) || !take(topic, "executions/")) {
        return std::nullopt;
    }
    parsed.execution = take_level(topic);
    return parsed.execution.empty() || topic != "response/json" ? std::nullopt : std::optional(parsed);
}

std::string shadow_topic_of(std::string_view device, std::string_view name, std::string_view leaf) {
    return name.empty() ? shadow_topic(device, leaf) : shadow_topic(device, fmt::format("name/{}/{}", name, leaf));
}

std::string shadow_answer_topic(const ShadowTopic& request, bool accepted) {
    const std::string_view operation = operation_names.at(static_cast<std::size_t>(request.operation));
    return shadow_topic_of(request.device, request.name,
                           fmt::format("{}/{}", operation, accepted ? "accepted" : "rejected"));
}

}  // namespace muster
