#include "contract/mqtt_topics.h"

#include <fmt/format.h>

#include "contract/identity.h"

namespace muster {
namespace {

constexpr std::string_view telemetry_prefix = "telemetry/";
constexpr std::string_view status_prefix = "status/";
constexpr std::string_view things_prefix = "$aws/things/";
constexpr std::string_view commands_prefix = "$aws/commands/things/";

ClassifiedTopic classify_leaf(std::string_view rest, TopicClass topic_class) {
    if (rest == "+" || rest == "#") {
        return {topic_class, {}};
    }
    return is_valid_device_id(rest) ? ClassifiedTopic{topic_class, rest} : ClassifiedTopic{TopicClass::reserved, {}};
}

ClassifiedTopic classify_request(std::string_view rest) {
    const std::string_view device = rest.substr(0, rest.find('/'));
    if (device == "+" || device == "#") {
        return {TopicClass::request, {}};
    }
    return is_valid_device_id(device) && device.size() < rest.size() ? ClassifiedTopic{TopicClass::request, device}
                                                                     : ClassifiedTopic{TopicClass::reserved, {}};
}

}  // namespace

ClassifiedTopic classify_topic(std::string_view topic) {
    if (topic.starts_with(telemetry_prefix)) {
        return classify_leaf(topic.substr(telemetry_prefix.size()), TopicClass::telemetry);
    }
    if (topic.starts_with(status_prefix)) {
        return classify_leaf(topic.substr(status_prefix.size()), TopicClass::status);
    }
    if (topic.starts_with(things_prefix)) {
        return classify_request(topic.substr(things_prefix.size()));
    }
    if (topic.starts_with(commands_prefix)) {
        return classify_request(topic.substr(commands_prefix.size()));
    }
    if (topic.starts_with('$') || topic == "telemetry" || topic == "status") {
        return {TopicClass::reserved, {}};
    }
    return {TopicClass::ordinary, {}};
}

std::string telemetry_topic(std::string_view device) {
    return std::string(telemetry_prefix).append(device);
}

std::string status_topic(std::string_view device) {
    return std::string(status_prefix).append(device);
}

std::string shadow_topic(std::string_view device, std::string_view operation) {
    return fmt::format("$aws/things/{}/shadow/{}", device, operation);
}

std::string command_topic(std::string_view device, std::string_view execution, std::string_view operation) {
    return fmt::format("$aws/commands/things/{}/executions/{}/{}", device, execution, operation);
}

std::string presence_topic(std::string_view event, std::string_view device) {
    return fmt::format("$aws/events/presence/{}/{}", event, device);
}

}  // namespace muster
