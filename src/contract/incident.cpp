#include "contract/incident.h"

#include <boost/json.hpp>

#include "contract/json.h"

namespace muster {

std::string to_json(const Incident& incident) {
    boost::json::array timeline;
    for (const auto& entry : incident.timeline) {
        timeline.push_back({{"time", to_epoch_ms(entry.time)}, {"text", entry.text}});
    }
    boost::json::array shared;
    for (const auto& item : incident.shared) {
        shared.push_back({{"attribute", item.attribute}, {"value", item.value}, {"share", item.share}});
    }
    boost::json::object object{
        {"id", incident.id},
        {"rule", incident.rule},
        {"severity", incident.severity},
        {"state", incident.open ? "open" : "resolved"},
        {"region", incident.region},
        {"title", incident.title},
        {"summary", incident.summary},
        {"opened", to_epoch_ms(incident.opened)},
        {"threshold_crossed", to_epoch_ms(incident.threshold_crossed)},
        {"resolved", nullptr},
        {"members", incident.members},
        {"population", incident.population},
        {"share", incident.share},
        {"share_peak", incident.share_peak},
        {"timeline", std::move(timeline)},
        {"shared", std::move(shared)},
    };
    if (incident.resolved) {
        object["resolved"] = to_epoch_ms(*incident.resolved);
    }
    return boost::json::serialize(object);
}

Result<Incident> parse_incident(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    Incident incident;
    std::string state;
    std::int64_t opened = 0;
    std::int64_t crossed = 0;
    std::int64_t resolved = 0;
    Result<void> read;
    const auto also = [&](std::string_view key, auto& out) {
        if (read) {
            read = json::read(*object, key, out);
        }
    };
    also("id", incident.id);
    also("rule", incident.rule);
    also("severity", incident.severity);
    also("state", state);
    also("region", incident.region);
    also("title", incident.title);
    also("summary", incident.summary);
    also("opened", opened);
    also("threshold_crossed", crossed);
    also("resolved", resolved);
    also("members", incident.members);
    also("population", incident.population);
    also("share", incident.share);
    also("share_peak", incident.share_peak);
    if (!read) {
        return tl::unexpected(read.error());
    }
    incident.open = state != "resolved";
    incident.opened = from_epoch_ms(opened);
    incident.threshold_crossed = from_epoch_ms(crossed);
    if (resolved != 0) {
        incident.resolved = from_epoch_ms(resolved);
    }
    if (const auto* list = object->if_contains("timeline"); list != nullptr && list->is_array()) {
        for (const auto& item : list->get_array()) {
            if (!item.is_object()) {
                return fail(ErrorCode::malformed, "timeline entry must be an object");
            }
            std::int64_t time = 0;
            Incident::TimelineEntry entry;
            if (!json::read(item.get_object(), "time", time) || !json::read(item.get_object(), "text", entry.text)) {
                return fail(ErrorCode::malformed, "timeline entry has a member of the wrong type");
            }
            entry.time = from_epoch_ms(time);
            incident.timeline.push_back(std::move(entry));
        }
    }
    if (const auto* list = object->if_contains("shared"); list != nullptr && list->is_array()) {
        for (const auto& item : list->get_array()) {
            if (!item.is_object()) {
                return fail(ErrorCode::malformed, "shared attribute must be an object");
            }
            Incident::SharedAttribute shared;
            if (!json::read(item.get_object(), "attribute", shared.attribute) ||
                !json::read(item.get_object(), "value", shared.value) ||
                !json::read(item.get_object(), "share", shared.share)) {
                return fail(ErrorCode::malformed, "shared attribute has a member of the wrong type");
            }
            incident.shared.push_back(std::move(shared));
        }
    }
    return incident;
}

}  // namespace muster
