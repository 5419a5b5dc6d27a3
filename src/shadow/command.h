#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/result.h"
#include "base/time.h"

namespace muster {

// One command to one device as a state machine on values (DESIGN 3.6), with AWS IoT Commands' answers: no store, no
// clock.
//
//   QUEUED ──▶ SENT ──▶ IN_PROGRESS ──▶ SUCCEEDED | FAILED | REJECTED
//     │          └──────────┴─────────▶ TIMED_OUT ──▶ what the device says late
//     └──▶ EXPIRED   (never handed to a session that listens)

inline constexpr std::size_t command_name_bytes_max = 128;
inline constexpr std::size_t command_body_bytes_max = 32UL * 1024;  ///< of POST …/commands; AWS: 32 KB a payload
inline constexpr std::size_t command_answer_bytes_max = 16UL * 1024;
inline constexpr std::size_t command_steps_max = 16;          ///< further IN_PROGRESS reports restamp the last step
inline constexpr std::size_t idempotency_key_bytes_max = 64;  ///< as AWS's client token
inline constexpr std::size_t reason_code_bytes_max = 64;      ///< AWS: StatusReason
inline constexpr std::size_t reason_description_bytes_max = 1024;
inline constexpr Seconds command_expires_default{300};
inline constexpr Seconds command_expires_max{std::chrono::hours(24 * 30)};
inline constexpr Seconds command_timeout_default{60};
inline constexpr Seconds command_timeout_max{std::chrono::hours(24)};

enum class CommandStatus : std::uint8_t { queued, sent, in_progress, succeeded, failed, rejected, timed_out, expired };

/// On the wire: "QUEUED", "SENT", …
[[nodiscard]] std::string_view name_of(CommandStatus status);
[[nodiscard]] std::optional<CommandStatus> command_status_from(std::string_view name);
/// Nothing of ours happens to it any more.
[[nodiscard]] bool is_final(CommandStatus status);

struct CommandStep {
    CommandStatus status = CommandStatus::queued;
    Timestamp time{};
};

struct CommandReason {
    std::string code;  ///< the device's: [A-Z0-9_-]+; Muster's own begin with '$'
    std::string description;
};

/// What an operator asks for.
struct CommandRequest {
    std::string name;
    boost::json::object parameters;
    Seconds expires_in = command_expires_default;  ///< how long it may wait for the device
    Seconds timeout = command_timeout_default;     ///< how long the device may take to say something
    std::string idempotency_key;                   ///< empty: none
    std::string created_by;
};

/// One execution. A value: owned by whoever reads it from the store.
struct Command {
    std::string execution_id;
    std::string device;
    CommandRequest request;
    Timestamp created{};
    Timestamp expires{};
    std::vector<CommandStep> steps;  ///< oldest first, never empty; the last is the current status
    std::optional<boost::json::object> result;
    std::optional<CommandReason> reason;

    [[nodiscard]] CommandStatus status() const { return steps.back().status; }
};

/// What a device says on …/executions/{e}/response/json.
struct CommandAnswer {
    CommandStatus status = CommandStatus::in_progress;
    std::optional<CommandReason> reason;
    std::optional<boost::json::object> result;
};

/// A refused answer: AWS's error code ("InvalidJson", "InvalidRequest", "InvalidStateTransition",
/// "TerminalStateReached", "ResourceNotFound") and a sentence. Both static.
struct CommandRefusal {
    std::string_view code;
    std::string_view message;
};

/// The body of POST …/commands with "created_by". invalid_argument, too_large or malformed, with a sentence for the
/// operator.
[[nodiscard]] Result<CommandRequest> parse_command_request(std::string_view body);
[[nodiscard]] Command make_command(std::string execution_id, std::string_view device, CommandRequest request,
                                   Timestamp now);
/// Whether the two ask for the same thing: what an idempotency key may be used twice for.
[[nodiscard]] bool asks_the_same(const CommandRequest& left, const CommandRequest& right);

/// …/request/json: {"executionId","command","parameters","expires"}; AWS leaves the format of the payload to the user.
[[nodiscard]] std::string command_payload(const Command& command);
/// QUEUED → SENT; no other status changes, so handing it over again leaves no second step.
void mark_sent(Command& command, Timestamp now);
/// QUEUED → EXPIRED.
void mark_expired(Command& command, Timestamp now);
/// SENT or IN_PROGRESS → TIMED_OUT, with reason $NO_RESPONSE_FROM_DEVICE.
void mark_timed_out(Command& command, Timestamp now);

[[nodiscard]] tl::expected<CommandAnswer, CommandRefusal> parse_command_answer(std::string_view payload);
/// Applies a device's answer, or says why not. Saying the same final status again is accepted and changes nothing; a
/// TIMED_OUT of ours gives way to what the device says, as with AWS.
[[nodiscard]] tl::expected<void, CommandRefusal> apply_answer(Command& command, CommandAnswer answer, Timestamp now);
/// …/response/accepted/json and …/response/rejected/json.
[[nodiscard]] std::string answer_accepted(std::string_view execution_id);
[[nodiscard]] std::string answer_rejected(std::string_view execution_id, const CommandRefusal& refusal);

/// The API's form, which is the stored one: {"execution_id","device","name","parameters","status","created","expires",
/// "created_by","timeout_s","idempotency_key","steps":[{"status","time"}],"result","reason":{"code","description"}|null}.
[[nodiscard]] std::string to_json(const Command& command);
[[nodiscard]] Result<Command> parse_command(std::string_view json);

}  // namespace muster
