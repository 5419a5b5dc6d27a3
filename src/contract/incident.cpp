#include "contract/incident.h"

#include <array>

#include <boost/json.hpp>

#include "contract/json.h"

namespace muster {
namespace {

constexpr std::array<std::string_view, 8> cause_kinds{
    "unexplained",  "gateway_loss",       "region_outage", "carrier_outage",
    "device_fault", "credential_failure", "planned_work",  "pipeline_lag",
};

boost::json::value nullable(const std::optional<Timestamp>& time) {
    return time ? boost::json::value(to_epoch_ms(*time)) : boost::json::value(nullptr);
}

/// Reads members of one object and keeps the first error.
class Members {
 public:
    explicit Members(const boost::json::object& object) : object_(object) {}

    template <class T>
    Members& read(std::string_view key, T& out) {
        if (result_) {
            result_ = json::read(object_, key, out);
        }
        return *this;
    }
    Members& read_time(std::string_view key, Timestamp& out) {
        std::int64_t ms = 0;
        read(key, ms);
        out = from_epoch_ms(ms);
        return *this;
    }
    Members& read_time(std::string_view key, std::optional<Timestamp>& out) {
        std::int64_t ms = 0;
        read(key, ms);
        if (ms != 0) {
            out = from_epoch_ms(ms);
        }
        return *this;
    }
    /// Each element of an array of objects, made by `read_item(Members&)`; an absent array is empty.
    template <class Item, class ReadItem>
    Members& read_list(std::string_view key, std::vector<Item>& out, ReadItem read_item) {
        const auto* list = object_.if_contains(key);
        if (!result_ || list == nullptr || list->is_null()) {
            return *this;
        }
        if (!list->is_array()) {
            result_ = fail(ErrorCode::malformed, "member must be an array", std::string(key));
            return *this;
        }
        for (const auto& item : list->get_array()) {
            if (!item.is_object()) {
                result_ = fail(ErrorCode::malformed, "array must hold objects", std::string(key));
                return *this;
            }
            Members members(item.get_object());
            out.push_back(read_item(members));
            if (result_) {
                result_ = members.result_;
            }
        }
        return *this;
    }
    [[nodiscard]] const Result<void>& result() const { return result_; }

 private:
    const boost::json::object& object_;
    Result<void> result_;
};

template <class Item, class Write>
boost::json::array written(const std::vector<Item>& items, Write write) {
    boost::json::array out;
    out.reserve(items.size());
    for (const Item& item : items) {
        out.push_back(write(item));
    }
    return out;
}

}  // namespace

std::string_view name_of(CauseKind kind) {
    return cause_kinds.at(static_cast<std::size_t>(kind));
}

std::optional<CauseKind> cause_kind_from(std::string_view name) {
    for (std::size_t i = 0; i < cause_kinds.size(); ++i) {
        if (cause_kinds[i] == name) {
            return static_cast<CauseKind>(i);
        }
    }
    return std::nullopt;
}

std::string to_json(const Incident& incident) {
    using boost::json::object;
    const object written_incident{
        {"id", incident.id},
        {"rule", incident.rule},
        {"severity", incident.severity},
        {"state", incident.open ? "open" : "resolved"},
        {"region", incident.region},
        {"title", incident.title},
        {"summary", incident.summary},
        {"cause", name_of(incident.cause)},
        {"confidence", incident.confidence},
        {"scope",
         written(incident.scope,
                 [](const auto& item) { return object{{"attribute", item.attribute}, {"value", item.value}}; })},
        {"opened", to_epoch_ms(incident.opened)},
        {"threshold_crossed", to_epoch_ms(incident.threshold_crossed)},
        {"resolved", nullable(incident.resolved)},
        {"recovery_expected", nullable(incident.recovery_expected)},
        {"members", incident.members},
        {"members_peak", incident.members_peak},
        {"population", incident.population},
        {"share", incident.share},
        {"share_peak", incident.share_peak},
        {"timeline",
         written(incident.timeline,
                 [](const auto& item) { return object{{"time", to_epoch_ms(item.time)}, {"text", item.text}}; })},
        {"shared", written(incident.shared,
                           [](const auto& item) {
                               return object{{"attribute", item.attribute},
                                             {"value", item.value},
                                             {"share", item.share},
                                             {"cohort_share", item.cohort_share}};
                           })},
        {"blast",
         written(incident.blast,
                 [](const auto& item) { return object{{"time", to_epoch_ms(item.time)}, {"members", item.members}}; })},
        {"devices", written(incident.devices,
                            [](const auto& item) { return object{{"device", item.device}, {"text", item.text}}; })},
    };
    return boost::json::serialize(written_incident);
}

Result<Incident> parse_incident(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    Incident incident;
    std::string state;
    std::string cause;
    Members members(*object);
    members.read("id", incident.id)
        .read("rule", incident.rule)
        .read("severity", incident.severity)
        .read("state", state)
        .read("region", incident.region)
        .read("title", incident.title)
        .read("summary", incident.summary)
        .read("cause", cause)
        .read("confidence", incident.confidence)
        .read_time("opened", incident.opened)
        .read_time("threshold_crossed", incident.threshold_crossed)
        .read_time("resolved", incident.resolved)
        .read_time("recovery_expected", incident.recovery_expected)
        .read("members", incident.members)
        .read("members_peak", incident.members_peak)
        .read("population", incident.population)
        .read("share", incident.share)
        .read("share_peak", incident.share_peak)
        .read_list("scope", incident.scope,
                   [](Members& item) {
                       Incident::Condition condition;
                       item.read("attribute", condition.attribute).read("value", condition.value);
                       return condition;
                   })
        .read_list("timeline", incident.timeline,
                   [](Members& item) {
                       Incident::TimelineEntry entry;
                       item.read_time("time", entry.time).read("text", entry.text);
                       return entry;
                   })
        .read_list("shared", incident.shared,
                   [](Members& item) {
                       Incident::SharedAttribute shared;
                       item.read("attribute", shared.attribute)
                           .read("value", shared.value)
                           .read("share", shared.share)
                           .read("cohort_share", shared.cohort_share);
                       return shared;
                   })
        .read_list("blast", incident.blast,
                   [](Members& item) {
                       Incident::BlastPoint point;
                       item.read_time("time", point.time).read("members", point.members);
                       return point;
                   })
        .read_list("devices", incident.devices, [](Members& item) {
            Incident::Member member;
            item.read("device", member.device).read("text", member.text);
            return member;
        });
    if (!members.result()) {
        return tl::unexpected(members.result().error());
    }
    incident.open = state != "resolved";
    if (const auto kind = cause_kind_from(cause)) {
        incident.cause = *kind;
    } else if (!cause.empty()) {
        return fail(ErrorCode::malformed, "cause has an unknown word", cause);
    }
    return incident;
}

}  // namespace muster
