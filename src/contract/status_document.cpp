#include "contract/status_document.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/json.h"

namespace muster {
namespace {

constexpr std::size_t attribute_bytes_max = 128;

void append_member(std::string& out, std::string_view key, std::string_view text) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":", key);
    json::append_string(out, text);
}

template <class Number>
void append_member_number(std::string& out, std::string_view key, Number number) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":{}", key, number);
}

void append_real(std::string& out, std::string_view key, double number) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":", key);
    json::append_number(out, number);
}

/// Members with a leading comma, only those that are set.
void append_attributes(std::string& out, const DeviceAttributes& attributes) {
    for (const auto& [key, value] : {std::pair<std::string_view, const std::string&>{"region", attributes.region},
                                     {"model", attributes.model},
                                     {"firmware", attributes.firmware},
                                     {"carrier", attributes.carrier}}) {
        if (!value.empty()) {
            append_member(out, key, value);
        }
    }
    if (attributes.has_position()) {
        append_real(out, "lat", attributes.latitude);
        append_real(out, "lon", attributes.longitude);
    }
    if (attributes.heartbeat_timeout_s != 0) {
        append_member_number(out, "heartbeat_timeout_s", attributes.heartbeat_timeout_s);
    }
}

Result<DeviceAttributes> read_attributes(const boost::json::object& object) {
    DeviceAttributes attributes;
    for (const auto& [key, target] : {std::pair<std::string_view, std::string*>{"region", &attributes.region},
                                      {"model", &attributes.model},
                                      {"firmware", &attributes.firmware},
                                      {"carrier", &attributes.carrier}}) {
        if (auto read = json::read(object, key, *target); !read) {
            return tl::unexpected(read.error());
        }
        if (target->size() > attribute_bytes_max) {
            return fail(ErrorCode::malformed, "attribute is longer than 128 bytes", std::string(key));
        }
    }
    if (!attributes.region.empty() && !is_valid_region(attributes.region)) {
        return fail(ErrorCode::malformed, "region must be a path of [a-z0-9_-] segments, such as in/karnataka/ka-04",
                    attributes.region);
    }
    for (const auto& [key, target] :
         {std::pair<std::string_view, double*>{"lat", &attributes.latitude}, {"lon", &attributes.longitude}}) {
        if (auto read = json::read(object, key, *target); !read) {
            return tl::unexpected(read.error());
        }
    }
    if (std::abs(attributes.latitude) > 90 || std::abs(attributes.longitude) > 180) {
        return fail(ErrorCode::malformed, "position is off the globe");
    }
    if (auto read = json::read(object, "heartbeat_timeout_s", attributes.heartbeat_timeout_s); !read) {
        return tl::unexpected(read.error());
    }
    return attributes;
}

/// Collects the first error of many member reads.
class MemberReader {
 public:
    explicit MemberReader(const boost::json::object& object) : object_(object) {}

    template <class T>
    void operator()(std::string_view key, T& out) {
        if (!error_) {
            if (auto read = json::read(object_, key, out); !read) {
                error_ = read.error();
            }
        }
    }
    void time(std::string_view key, Timestamp& out) {
        std::int64_t ms = to_epoch_ms(out);
        (*this)(key, ms);
        out = from_epoch_ms(ms);
    }
    template <class Enum>
    void word(std::string_view key, Enum& out, std::optional<Enum> (*parse)(std::string_view)) {
        std::string text;
        (*this)(key, text);
        if (text.empty()) {
            return;
        }
        if (const auto value = parse(text)) {
            out = *value;
        } else if (!error_) {
            error_ = Error{ErrorCode::malformed, "member has an unknown word", std::string(key)};
        }
    }
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
    const boost::json::object& object_;
    std::optional<Error> error_;
};

Overlays read_overlays(const boost::json::object& object) {
    Overlays overlays = 0;
    const auto* list = object.if_contains("overlays");
    if (list != nullptr && list->is_array()) {
        for (const auto& item : list->get_array()) {
            if (item.is_string()) {
                if (const auto overlay = overlay_from(std::string_view(item.get_string()))) {
                    overlays = static_cast<Overlays>(overlays | static_cast<Overlays>(*overlay));
                }
            }
        }
    }
    return overlays;
}

void append_evidence(std::string& out, const PresenceEvidence& evidence) {
    fmt::format_to(std::back_inserter(out),
                   ",\"evidence\":{{\"session_began\":{},\"session_ended\":{},\"will\":{},\"timeout_s\":{},"
                   "\"timeout_rule\":\"{}\",\"sleep_s\":{},\"take_overs\":{}",
                   to_epoch_ms(evidence.session_began), to_epoch_ms(evidence.session_ended), to_epoch_ms(evidence.will),
                   evidence.timeout_s, name_of(evidence.timeout_rule), evidence.sleep_s, evidence.take_overs);
    append_real(out, "contest", evidence.contest);
    out.append(evidence.farewell ? ",\"farewell\":true" : ",\"farewell\":false");
    out.append(evidence.steady_offline ? ",\"steady_offline\":true" : ",\"steady_offline\":false");
    append_member(out, "maintenance", evidence.maintenance);
    out.push_back('}');
}

bool read_flag(const boost::json::object& object, std::string_view key) {
    const auto* flag = object.if_contains(key);
    return flag != nullptr && flag->is_bool() && flag->get_bool();
}

/// A document of before there was evidence has none.
Result<void> read_evidence(const boost::json::object& document, PresenceEvidence& evidence) {
    const auto* found = document.if_contains("evidence");
    if (found == nullptr || !found->is_object()) {
        return {};
    }
    const boost::json::object& object = found->get_object();
    MemberReader read(object);
    read.time("session_began", evidence.session_began);
    read.time("session_ended", evidence.session_ended);
    read.time("will", evidence.will);
    read("timeout_s", evidence.timeout_s);
    read.word("timeout_rule", evidence.timeout_rule, &timeout_rule_from);
    read("sleep_s", evidence.sleep_s);
    read("take_overs", evidence.take_overs);
    read("contest", evidence.contest);
    read("maintenance", evidence.maintenance);
    evidence.farewell = read_flag(object, "farewell");
    evidence.steady_offline = read_flag(object, "steady_offline");
    if (read.error()) {
        return tl::unexpected(*read.error());
    }
    return {};
}

constexpr std::array<std::string_view, 3> timeout_rules{"fleet", "model", "device"};

}  // namespace

std::string_view name_of(TimeoutRule rule) {
    return timeout_rules.at(static_cast<std::size_t>(rule));
}

std::optional<TimeoutRule> timeout_rule_from(std::string_view name) {
    const auto* const found = std::find(timeout_rules.begin(), timeout_rules.end(), name);
    return found == timeout_rules.end() ? std::nullopt
                                        : std::optional(static_cast<TimeoutRule>(found - timeout_rules.begin()));
}

std::string to_json(const StatusDocument& document) {
    std::string out;
    out.reserve(1024);
    out.append("{\"v\":1");
    append_member(out, "id", document.id);
    append_member(out, "state", name_of(document.state));
    append_member(out, "previous", name_of(document.previous));
    append_member(out, "cause", name_of(document.cause));
    out.append(",\"overlays\":[");
    bool first = true;
    for (const Overlay overlay : all_overlays) {
        if (has(document.overlays, overlay)) {
            out.append(first ? "\"" : ",\"").append(name_of(overlay)).append("\"");
            first = false;
        }
    }
    out.push_back(']');
    append_member_number(out, "since", to_epoch_ms(document.since));
    append_member_number(out, "last_seen", to_epoch_ms(document.last_seen));
    append_member_number(out, "epoch", document.epoch);
    append_member_number(out, "incarnation", document.incarnation);
    append_member(out, "gateway", document.gateway);
    append_member_number(out, "keep_alive_s", document.keep_alive_s);
    append_member_number(out, "detected_in_ms", document.detected_in_ms);
    append_real(out, "flap_penalty", document.flap_penalty);
    append_member_number(out, "disconnects", document.disconnects);
    append_member_number(out, "first_seen", to_epoch_ms(document.first_seen));
    append_member(out, "client_address", document.client_address);
    append_member(out, "protocol", document.protocol);
    append_attributes(out, document.attributes);
    append_evidence(out, document.evidence);
    append_member_number(out, "offset", document.offset);
    out.push_back('}');
    return out;
}

Result<StatusDocument> parse_status_document(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    StatusDocument document;
    MemberReader read(*object);
    read("id", document.id);
    read.word("state", document.state, &presence_state_from);
    read.word("previous", document.previous, &presence_state_from);
    read.word("cause", document.cause, &cause_from);
    document.overlays = read_overlays(*object);
    read.time("since", document.since);
    read.time("last_seen", document.last_seen);
    read("epoch", document.epoch);
    read("incarnation", document.incarnation);
    read("gateway", document.gateway);
    read("keep_alive_s", document.keep_alive_s);
    read("detected_in_ms", document.detected_in_ms);
    read("flap_penalty", document.flap_penalty);
    read("disconnects", document.disconnects);
    read.time("first_seen", document.first_seen);
    read("client_address", document.client_address);
    read("protocol", document.protocol);
    read("offset", document.offset);
    if (read.error()) {
        return tl::unexpected(*read.error());
    }
    auto attributes = read_attributes(*object);
    if (!attributes) {
        return tl::unexpected(attributes.error());
    }
    document.attributes = std::move(*attributes);
    if (auto evidence = read_evidence(*object, document.evidence); !evidence) {
        return tl::unexpected(evidence.error());
    }
    if (!is_valid_device_id(document.id)) {
        return fail(ErrorCode::malformed, "status document has no valid device id");
    }
    return document;
}

Result<DeviceAttributes> parse_device_attributes(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    return read_attributes(*object);
}

std::string to_json(const DeviceAttributes& attributes) {
    std::string members;
    append_attributes(members, attributes);
    if (!members.empty()) {
        members.front() = '{';
    } else {
        members.push_back('{');
    }
    members.push_back('}');
    return members;
}

}  // namespace muster
