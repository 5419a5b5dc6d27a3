#include "gateway/access.h"

namespace muster {

bool may_publish(Role role, std::string_view device, const ClassifiedTopic& topic) {
    switch (topic.topic_class) {
        case TopicClass::telemetry:
        case TopicClass::status:
        case TopicClass::request:
            return role == Role::device && topic.device == device;
        case TopicClass::reserved:
            return false;
        case TopicClass::ordinary:
            return true;
    }
    return false;
}

bool may_subscribe(Role role, std::string_view device, std::string_view filter) {
    if (role == Role::fleet_operator) {
        return true;
    }
    if (filter.starts_with('+') || filter.starts_with('#')) {
        return false;  // would match telemetry/ and status/ of everyone
    }
    return may_publish(role, device, classify_topic(filter));
}

}  // namespace muster
