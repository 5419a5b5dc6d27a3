#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muster {

/// What Muster itself does with a publish to an MQTT topic (DESIGN 3.1).
enum class TopicClass : std::uint8_t {
    telemetry,  ///< telemetry/{id}
    status,     ///< status/{id}
    request,    ///< $aws/things/{id}/… or $aws/commands/things/{id}/…: to the shadow role
    reserved,   ///< any other topic that begins with '$', or telemetry/, status/ of no valid id: nobody may publish to
                ///< it
    ordinary,   ///< between clients
};

struct ClassifiedTopic {
    TopicClass topic_class = TopicClass::ordinary;
    std::string_view device;  ///< the {id} for telemetry, status and request; a view into the topic
};

/// Classifies a topic name or filter; a filter whose {id} is a wildcard is classified with an empty `device`.
[[nodiscard]] ClassifiedTopic classify_topic(std::string_view topic);

[[nodiscard]] std::string telemetry_topic(std::string_view device);
[[nodiscard]] std::string status_topic(std::string_view device);
/// "$aws/things/{device}/shadow/{operation}", operation e.g. "update/accepted".
[[nodiscard]] std::string shadow_topic(std::string_view device, std::string_view operation);
/// "$aws/commands/things/{device}/executions/{execution}/{operation}", operation e.g. "request/json".
[[nodiscard]] std::string command_topic(std::string_view device, std::string_view execution,
                                        std::string_view operation);
/// "$aws/events/presence/{connected|disconnected}/{device}".
[[nodiscard]] std::string presence_topic(std::string_view event, std::string_view device);

}  // namespace muster
