#include "simulator/device_model.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/json.h"
#include "contract/mqtt_topics.h"

namespace muster {
namespace {

constexpr std::array<std::string_view, 5> log_levels{"trace", "debug", "info", "warn", "error"};
constexpr std::string_view interval_key = "reportInterval";
constexpr std::string_view log_level_key = "logLevel";
constexpr std::string_view firmware_key = "firmware";
constexpr double interval_s_min = 1;
constexpr double interval_s_max = 86'400;
constexpr std::size_t firmware_bytes_max = 32;

/// The execution in "$aws/commands/things/{id}/executions/{execution}/request/json", or empty.
std::string_view execution_of(std::string_view topic) {
    constexpr std::string_view before = "/executions/";
    constexpr std::string_view after = "/request/json";
    const auto at = topic.find(before);
    if (!topic.starts_with("$aws/commands/") || at == std::string_view::npos || !topic.ends_with(after)) {
        return {};
    }
    topic.remove_suffix(after.size());
    return topic.size() <= at + before.size() ? std::string_view{} : topic.substr(at + before.size());
}

const boost::json::object* member_object(const boost::json::object& object, std::string_view key) {
    const auto* member = object.if_contains(key);
    return member == nullptr ? nullptr : member->if_object();
}

std::string_view text_of(const boost::json::value& value) {
    const auto* text = value.if_string();
    return text == nullptr ? std::string_view{} : std::string_view(text->data(), text->size());
}

double number_of(const boost::json::value& value) {
    return value.is_number() ? value.to_number<double>() : std::nan("");
}

Result<void> check_setting(std::string_view key, const boost::json::value& value) {
    if (key == interval_key && !(number_of(value) >= interval_s_min && number_of(value) <= interval_s_max)) {
        return fail(ErrorCode::invalid_argument, "reportInterval must be 1 to 86400 seconds");
    }
    if (key == log_level_key && std::ranges::find(log_levels, text_of(value)) == log_levels.end()) {
        return fail(ErrorCode::invalid_argument, "logLevel must be trace, debug, info, warn or error");
    }
    if (key == firmware_key && (text_of(value).empty() || text_of(value).size() > firmware_bytes_max)) {
        return fail(ErrorCode::invalid_argument, "firmware must be a version of 1 to 32 characters");
    }
    return {};
}

}  // namespace

DeviceModel::DeviceModel(const PlannedDevice& plan)
    : plan_(&plan), sensors_(plan), firmware_(firmware_of(plan)), interval_(plan.telemetry_interval) {}

DeviceMessage DeviceModel::birth() const {
    return {
        status_topic(plan_->id),
        fmt::format(
            R"({{"status":"ONLINE","region":"{}","model":"{}","firmware":"{}","carrier":"{}","lat":{:.4f},"lon":{:.4f}}})",
            cohort_of(*plan_).region, model_of(*plan_), firmware_, carrier_of(*plan_), plan_->latitude,
            plan_->longitude),
        1};
}

DeviceMessage DeviceModel::will() const {
    return {status_topic(plan_->id), "OFFLINE", 1};
}

DeviceMessage DeviceModel::sleep_notice(Seconds next_contact) const {
    return {status_topic(plan_->id),
            fmt::format(R"({{"status":"OFFLINE","reason":"sleep","next_contact_s":{}}})", next_contact.count()), 1};
}

DeviceMessage DeviceModel::telemetry(Timestamp now) {
    DeviceMessage message{telemetry_topic(plan_->id), {}, plan_->qos};
    // A message that may be delivered twice carries its own time, so that both are one sample.
    sensors_.sample(now, plan_->qos > 0, message.payload);
    return message;
}

std::vector<std::string> DeviceModel::subscriptions() const {
    return {shadow_topic(plan_->id, "update/delta"), shadow_topic(plan_->id, "get/accepted"),
            command_topic(plan_->id, "+", "request/json")};
}

std::vector<DeviceMessage> DeviceModel::on_subscribed() {
    std::vector<DeviceMessage> messages;
    if (std::exchange(just_started_, false)) {
        messages.push_back(report(settings()));
    }
    if (std::exchange(reboot_to_answer_, false)) {
        messages.push_back(answer(reboot_done_, "SUCCEEDED"));
    }
    messages.push_back({shadow_topic(plan_->id, "get"), "", 1});
    return messages;
}

void DeviceModel::restart() {
    reboot_done_ = std::exchange(reboot_pending_, {});
    reboot_to_answer_ = !reboot_done_.empty();
    just_started_ = true;
}

DeviceReaction DeviceModel::on_message(std::string_view topic, std::string_view payload) {
    if (const auto execution = execution_of(topic); !execution.empty()) {
        return obey_command(execution, payload);
    }
    const auto document = json::parse_object(payload);
    const auto* state = document ? member_object(*document, "state") : nullptr;
    if (state != nullptr && topic.ends_with("/shadow/update/delta")) {
        return obey_delta(*state);
    }
    if (state != nullptr && topic.ends_with("/shadow/get/accepted")) {
        const auto* delta = member_object(*state, "delta");
        return delta == nullptr ? DeviceReaction{} : obey_delta(*delta);
    }
    return {};
}

Result<void> DeviceModel::check(const boost::json::object& settings) const {
    for (const auto& member : settings) {
        if (auto checked = check_setting(member.key(), member.value()); !checked) {
            return checked;
        }
    }
    return {};
}

void DeviceModel::apply(const boost::json::object& settings) {
    if (const auto* value = settings.if_contains(interval_key)) {
        interval_ = Millis(std::llround(number_of(*value) * 1000));
    }
    if (const auto* value = settings.if_contains(log_level_key)) {
        log_level_ = static_cast<LogLevel>(std::ranges::find(log_levels, text_of(*value)) - log_levels.begin());
    }
    if (const auto* value = settings.if_contains(firmware_key)) {
        firmware_ = text_of(*value);
    }
}

boost::json::object DeviceModel::settings() const {
    boost::json::object settings;
    settings[interval_key] = (interval_.count() + 500) / 1000;
    settings[firmware_key] = firmware_;
    settings[log_level_key] = log_levels[static_cast<std::size_t>(log_level_)];
    return settings;
}

DeviceMessage DeviceModel::report(const boost::json::object& reported) const {
    return {shadow_topic(plan_->id, "update"),
            fmt::format(R"({{"state":{{"reported":{}}}}})", boost::json::serialize(reported)), 1};
}

DeviceReaction DeviceModel::obey_delta(const boost::json::object& delta) {
    // Settings that the device does not know it stores and reports; what it cannot obey stays in the delta for all to
    // see.
    boost::json::object obeyed;
    for (const auto& member : delta) {
        if (check_setting(member.key(), member.value())) {
            obeyed[member.key()] = member.value();
        }
    }
    DeviceReaction reaction;
    if (!obeyed.empty()) {
        apply(obeyed);
        reaction.messages.push_back(report(obeyed));
    }
    return reaction;
}

DeviceReaction DeviceModel::obey_command(std::string_view execution, std::string_view payload) {
    const auto request = json::parse_object(payload);
    std::string command;
    if (!request || !json::read(*request, "command", command)) {
        return {{reject(execution, "MALFORMED", "the request is not a command in JSON")}};
    }
    if (command == "reboot") {
        return reboot(execution);
    }
    if (command == "set-config") {
        return set_config(execution, *request);
    }
    return {{reject(execution, "UNSUPPORTED_COMMAND", "this device knows reboot and set-config")}};
}

DeviceReaction DeviceModel::reboot(std::string_view execution) {
    if (execution == reboot_done_) {
        return {{answer(execution, "SUCCEEDED")}};
    }
    if (!reboot_pending_.empty() && execution != reboot_pending_) {
        return {{reject(execution, "BUSY", "another reboot is under way")}};
    }
    reboot_pending_ = execution;
    return {{answer(execution, "IN_PROGRESS")}, true};
}

DeviceReaction DeviceModel::set_config(std::string_view execution, const boost::json::object& request) {
    const auto* parameters = member_object(request, "parameters");
    if (parameters == nullptr || parameters->empty()) {
        return {{reject(execution, "INVALID_PARAMETERS", "set-config needs parameters")}};
    }
    if (const auto checked = check(*parameters); !checked) {
        return {{reject(execution, "INVALID_PARAMETERS", checked.error().text)}};
    }
    apply(*parameters);
    return {{report(*parameters), answer(execution, "SUCCEEDED")}};
}

DeviceMessage DeviceModel::answer(std::string_view execution, std::string_view status) const {
    return {command_topic(plan_->id, execution, "response/json"), fmt::format(R"({{"status":"{}"}})", status), 1};
}

DeviceMessage DeviceModel::reject(std::string_view execution, std::string_view code, std::string_view words) const {
    return {command_topic(plan_->id, execution, "response/json"),
            fmt::format(R"({{"status":"REJECTED","statusReason":{{"reasonCode":"{}","reasonDescription":"{}"}}}})",
                        code, words),
            1};
}

}  // namespace muster
