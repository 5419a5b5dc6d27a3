#include "alerts/notification_marks.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/json.h"

namespace muster {

std::string mark_key(std::string_view sink, std::string_view incident) {
    return fmt::format("{}/{}", sink, incident);
}

std::string mark_value(const NotificationMark& mark) {
    return boost::json::serialize(boost::json::object{{"severity", mark.severity}, {"region", mark.region}});
}

std::string_view sink_of_mark(std::string_view key) {
    return key.substr(0, key.find('/'));
}

Result<NotificationMark> parse_mark(std::string_view key, std::string_view value) {
    const auto slash = key.find('/');
    const auto object = json::parse_object(value);
    if (slash == std::string_view::npos || !object) {
        return slash == std::string_view::npos ? fail(ErrorCode::malformed, "a mark's key is sink/incident")
                                               : tl::unexpected(object.error());
    }
    NotificationMark mark;
    mark.incident = key.substr(slash + 1);
    return json::read(*object, "severity", mark.severity)
        .and_then([&] { return json::read(*object, "region", mark.region); })
        .map([&] { return std::move(mark); });
}

}  // namespace muster
