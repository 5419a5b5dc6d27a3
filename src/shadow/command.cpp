#include "shadow/command.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>

#include "base/assert.h"
#include "contract/json.h"

namespace muster {
namespace {

using boost::json::object;
using boost::json::value;

constexpr std::array<std::string_view, 8> status_names{"QUEUED", "SENT",     "IN_PROGRESS", "SUCCEEDED",
                                                       "FAILED", "REJECTED", "TIMED_OUT",   "EXPIRED"};
constexpr std::string_view no_response_code = "$NO_RESPONSE_FROM_DEVICE";
constexpr std::string_view expired_code = "$EXPIRED";

void step(Command& command, CommandStatus status, Timestamp now) {
    if (command.status() == status && command.steps.size() >= command_steps_max) {
        command.steps.back().time = now;
        return;
    }
    command.steps.push_back({status, now});
}

/// A member that must be an integer of [1, max]; absent leaves `out`.
Result<void> read_seconds(const object& body, std::string_view key, Seconds max, Seconds& out) {
    std::int64_t seconds = out.count();
    if (!json::read(body, key, seconds) || seconds < 1 || seconds > max.count()) {
        return fail(ErrorCode::invalid_argument, "must be a number of seconds within its limits", std::string(key));
    }
    out = Seconds(seconds);
    return {};
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
}

bool is_reason_code(std::string_view code) {
    return !code.empty() && code.size() <= reason_code_bytes_max && std::all_of(code.begin(), code.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

tl::unexpected<CommandRefusal> refuse(std::string_view code, std::string_view message) {
    return tl::unexpected(CommandRefusal{code, message});
}

tl::expected<CommandReason, CommandRefusal> parse_reason(const value& node) {
    CommandReason reason;
    if (!node.is_object() || !json::read(node.get_object(), "reasonCode", reason.code) ||
        !json::read(node.get_object(), "reasonDescription", reason.description)) {
        return refuse("InvalidRequest", "statusReason must have reasonCode and reasonDescription as strings");
    }
    if (!is_reason_code(reason.code)) {
        return refuse("InvalidRequest", "reasonCode must be 1 to 64 of [A-Z0-9_-]");
    }
    if (reason.description.size() > reason_description_bytes_max || !is_printable(reason.description)) {
        return refuse("InvalidRequest", "reasonDescription must be at most 1024 printable bytes");
    }
    return reason;
}

bool timed_out_by_us(const Command& command) {
    return command.status() == CommandStatus::timed_out && command.reason && command.reason->code == no_response_code;
}

value reason_json(const std::optional<CommandReason>& reason) {
    if (!reason) {
        return nullptr;
    }
    return object{{"code", reason->code}, {"description", reason->description}};
}

Result<void> read_steps(const value* list, std::vector<CommandStep>& out) {
    if (list == nullptr || !list->is_array() || list->get_array().empty()) {
        return fail(ErrorCode::corrupt, "stored command has no steps");
    }
    for (const value& item : list->get_array()) {
        std::string name;
        std::int64_t time = 0;
        if (!item.is_object() || !json::read(item.get_object(), "status", name) ||
            !json::read(item.get_object(), "time", time)) {
            return fail(ErrorCode::corrupt, "stored command has a malformed step");
        }
        const auto status = command_status_from(name);
        if (!status) {
            return fail(ErrorCode::corrupt, "stored command has an unknown status", name);
        }
        out.push_back({*status, from_epoch_ms(time)});
    }
    return {};
}

void read_outcome(const object& stored, Command& command) {
    if (const value* result = stored.if_contains("result"); result != nullptr && result->is_object()) {
        command.result = result->get_object();
    }
    if (const value* reason = stored.if_contains("reason"); reason != nullptr && reason->is_object()) {
        command.reason.emplace();
        (void)json::read(reason->get_object(), "code", command.reason->code);
        (void)json::read(reason->get_object(), "description", command.reason->description);
    }
}

}  // namespace

std::string_view name_of(CommandStatus status) {
    return status_names.at(static_cast<std::size_t>(status));
}

std::optional<CommandStatus> command_status_from(std::string_view name) {
    const auto found = std::find(status_names.begin(), status_names.end(), name);
    return found == status_names.end()
               ? std::nullopt
               : std::optional(static_cast<CommandStatus>(std::distance(status_names.begin(), found)));
}

bool is_final(CommandStatus status) {
    return status >= CommandStatus::succeeded;
}

Result<CommandRequest> parse_command_request(std::string_view body) {
    if (body.size() > command_body_bytes_max) {
        return fail(ErrorCode::too_large, "a command has at most 32 KB");
    }
    const auto parsed = json::parse_object(body);
    if (!parsed) {
        return tl::unexpected(parsed.error());
    }
    CommandRequest request;
    if (!json::read(*parsed, "name", request.name) || request.name.empty() ||
        request.name.size() > command_name_bytes_max || !is_printable(request.name)) {
        return fail(ErrorCode::invalid_argument, "name must be 1 to 128 printable bytes");
    }
    if (const value* parameters = parsed->if_contains("parameters"); parameters != nullptr && !parameters->is_null()) {
        if (!parameters->is_object()) {
            return fail(ErrorCode::invalid_argument, "parameters must be an object");
        }
        request.parameters = parameters->get_object();
    }
    if (auto read = read_seconds(*parsed, "expires_in_s", command_expires_max, request.expires_in); !read) {
        return tl::unexpected(read.error());
    }
    if (auto read = read_seconds(*parsed, "timeout_s", command_timeout_max, request.timeout); !read) {
        return tl::unexpected(read.error());
    }
    if (!json::read(*parsed, "idempotency_key", request.idempotency_key) ||
        request.idempotency_key.size() > idempotency_key_bytes_max) {
        return fail(ErrorCode::invalid_argument, "idempotency_key must be a string of at most 64 bytes");
    }
    if (!json::read(*parsed, "created_by", request.created_by)) {
        return fail(ErrorCode::invalid_argument, "created_by must be a string");
    }
    return request;
}

Command make_command(std::string execution_id, std::string_view device, CommandRequest request, Timestamp now) {
    Command command;
    command.execution_id = std::move(execution_id);
    command.device = device;
    command.created = now;
    command.expires = now + request.expires_in;
    command.request = std::move(request);
    command.steps.push_back({CommandStatus::queued, now});
    return command;
}

bool asks_the_same(const CommandRequest& left, const CommandRequest& right) {
    return left.name == right.name && left.parameters == right.parameters;
}

std::string command_payload(const Command& command) {
    return boost::json::serialize(object{{"executionId", command.execution_id},
                                         {"command", command.request.name},
                                         {"parameters", command.request.parameters},
                                         {"expires", to_epoch_ms(command.expires)}});
}

void mark_sent(Command& command, Timestamp now) {
    if (command.status() == CommandStatus::queued) {
        step(command, CommandStatus::sent, now);
    }
}

void mark_expired(Command& command, Timestamp now) {
    MUSTER_ASSERT(command.status() == CommandStatus::queued);
    step(command, CommandStatus::expired, now);
    command.reason = CommandReason{std::string(expired_code), "The device did not fetch the command in time"};
}

void mark_timed_out(Command& command, Timestamp now) {
    MUSTER_ASSERT(command.status() == CommandStatus::sent || command.status() == CommandStatus::in_progress);
    step(command, CommandStatus::timed_out, now);
    command.reason = CommandReason{std::string(no_response_code), "The device did not answer in time"};
}

tl::expected<CommandAnswer, CommandRefusal> parse_command_answer(std::string_view payload) {
    if (payload.size() > command_answer_bytes_max) {
        return refuse("InvalidRequest", "an answer has at most 16 KB");
    }
    const auto parsed = json::parse_object(payload);
    if (!parsed) {
        return refuse("InvalidJson", "The payload is not a JSON object");
    }
    std::string name;
    (void)json::read(*parsed, "status", name);
    const auto status = command_status_from(name);
    if (!status || *status < CommandStatus::in_progress || *status == CommandStatus::expired) {
        return refuse("InvalidRequest", "status must be IN_PROGRESS, SUCCEEDED, FAILED, REJECTED or TIMED_OUT");
    }
    CommandAnswer answer;
    answer.status = *status;
    if (const value* reason = parsed->if_contains("statusReason"); reason != nullptr && !reason->is_null()) {
        auto read = parse_reason(*reason);
        if (!read) {
            return tl::unexpected(read.error());
        }
        answer.reason = std::move(*read);
    }
    if (const value* result = parsed->if_contains("result"); result != nullptr && !result->is_null()) {
        if (!result->is_object()) {
            return refuse("InvalidRequest", "result must be an object");
        }
        answer.result = result->get_object();
    }
    return answer;
}

tl::expected<void, CommandRefusal> apply_answer(Command& command, CommandAnswer answer, Timestamp now) {
    const CommandStatus current = command.status();
    const bool late = timed_out_by_us(command);
    if (is_final(current) && !late) {
        if (current == answer.status) {
            return {};
        }
        return refuse("TerminalStateReached", "The execution has already reached a final status");
    }
    if (late && answer.status == CommandStatus::in_progress) {
        return refuse("InvalidStateTransition", "An execution that timed out can only be ended");
    }
    if (late && answer.status == CommandStatus::timed_out) {
        command.reason = std::move(answer.reason);
        return {};
    }
    step(command, answer.status, now);
    command.reason = std::move(answer.reason);
    if (answer.result) {
        command.result = std::move(answer.result);
    }
    return {};
}

std::string answer_accepted(std::string_view execution_id) {
    return boost::json::serialize(object{{"executionId", execution_id}});
}

std::string answer_rejected(std::string_view execution_id, const CommandRefusal& refusal) {
    return boost::json::serialize(
        object{{"error", refusal.code}, {"errorMessage", refusal.message}, {"executionId", execution_id}});
}

std::string to_json(const Command& command) {
    boost::json::array steps;
    for (const CommandStep& step : command.steps) {
        steps.push_back({{"status", name_of(step.status)}, {"time", to_epoch_ms(step.time)}});
    }
    return boost::json::serialize(object{{"execution_id", command.execution_id},
                                         {"device", command.device},
                                         {"name", command.request.name},
                                         {"parameters", command.request.parameters},
                                         {"status", name_of(command.status())},
                                         {"created", to_epoch_ms(command.created)},
                                         {"expires", to_epoch_ms(command.expires)},
                                         {"created_by", command.request.created_by},
                                         {"timeout_s", command.request.timeout.count()},
                                         {"idempotency_key", command.request.idempotency_key},
                                         {"steps", std::move(steps)},
                                         {"result", command.result ? value(*command.result) : value(nullptr)},
                                         {"reason", reason_json(command.reason)}});
}

Result<Command> parse_command(std::string_view text) {
    const auto stored = json::parse_object(text);
    if (!stored) {
        return tl::unexpected(stored.error());
    }
    Command command;
    std::int64_t created = 0;
    std::int64_t expires = 0;
    std::int64_t timeout_s = command_timeout_default.count();
    if (!json::read(*stored, "execution_id", command.execution_id) || !json::read(*stored, "device", command.device) ||
        !json::read(*stored, "name", command.request.name) || !json::read(*stored, "created", created) ||
        !json::read(*stored, "expires", expires) || !json::read(*stored, "created_by", command.request.created_by) ||
        !json::read(*stored, "timeout_s", timeout_s) ||
        !json::read(*stored, "idempotency_key", command.request.idempotency_key)) {
        return fail(ErrorCode::corrupt, "stored command has a member of the wrong type");
    }
    if (auto read = read_steps(stored->if_contains("steps"), command.steps); !read) {
        return tl::unexpected(read.error());
    }
    if (const value* parameters = stored->if_contains("parameters"); parameters != nullptr && parameters->is_object()) {
        command.request.parameters = parameters->get_object();
    }
    command.created = from_epoch_ms(created);
    command.expires = from_epoch_ms(expires);
    command.request.expires_in = std::chrono::duration_cast<Seconds>(command.expires - command.created);
    command.request.timeout = Seconds(timeout_s);
    read_outcome(*stored, command);
    return command;
}

}  // namespace muster
