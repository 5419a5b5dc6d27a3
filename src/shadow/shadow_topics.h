#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

enum class ShadowOperation : std::uint8_t { get, update, remove };

/// "$aws/things/{device}/shadow/{operation}" or "…/shadow/name/{name}/{operation}", taken apart: what may be asked.
/// Views into the topic.
struct ShadowTopic {
    ShadowOperation operation = ShadowOperation::get;
    std::string_view device;
    std::string_view name;  ///< empty: the classic shadow

    /// As AWS names the shadow in its errors: "thing" or "thing~name".
    [[nodiscard]] std::string full_name() const;
};

/// "$aws/commands/things/{device}/executions/{execution}/response/json", taken apart.
struct CommandAnswerTopic {
    std::string_view device;
    std::string_view execution;
};

/// Nothing when it is no request of a shadow: another topic, an unknown operation, an invalid device id or name.
[[nodiscard]] std::optional<ShadowTopic> parse_shadow_topic(std::string_view topic);
[[nodiscard]] std::optional<CommandAnswerTopic> parse_command_answer_topic(std::string_view topic);

/// A topic of this device's shadow: "update/delta", "get/accepted", … `name` empty: the classic shadow.
[[nodiscard]] std::string shadow_topic_of(std::string_view device, std::string_view name, std::string_view leaf);
/// The topic of the answer to a request: …/{operation}/accepted or …/rejected.
[[nodiscard]] std::string shadow_answer_topic(const ShadowTopic& request, bool accepted);

}  // namespace muster
