#include "shadow/command_requests.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "contract/json.h"
#include "contract/mqtt_topics.h"
#include "shadow/document_keys.h"

namespace muster {
namespace {

constexpr std::size_t load_page = 1000;
constexpr std::size_t give_up_max = 1000;  // of one turn
constexpr Seconds retry_after_store_error{5};

std::pair<std::uint16_t, std::string> error(std::uint16_t code, std::string_view message) {
    return {code, boost::json::serialize(boost::json::object{{"code", code}, {"message", message}})};
}

/// Unique, sorts by time, and the same when the record is handled again.
std::string execution_id_of(const DeviceRequest& request) {
    return fmt::format("{:011x}-{:x}-{:x}", to_epoch_ms(request.header.received), request.partition, request.offset);
}

}  // namespace

Result<void> CommandRequests::load(Partition partition) {
    pending_.forget(partition);
    std::string after;
    while (true) {
        const auto keys = turn_.documents.store().list(document_keys::pending_command,
                                                       document_keys::pending_prefix(partition), after, load_page);
        if (!keys) {
            return tl::unexpected(keys.error());
        }
        for (const auto& [key, unused] : *keys) {
            const auto command = read(document_keys::execution_of(key));
            if (!command && command.error().code != ErrorCode::not_found) {
                return tl::unexpected(command.error());
            }
            if (command) {
                add_pending(partition, *command);
                reconnected_.emplace(partition, command->device);
            }
        }
        if (keys->size() < load_page) {
            return {};
        }
        after = keys->back().first;
    }
}

void CommandRequests::forget(Partition partition) {
    pending_.forget(partition);
    std::erase_if(reconnected_, [&](const auto& entry) { return entry.first == partition; });
}

void CommandRequests::on_create(const DeviceRequest& request) {
    auto [code, body] = create(request);
    turn_.metrics.count_request("create_command", code);
    turn_.reply(request, code, std::move(body));
}

CommandRequests::Answer CommandRequests::create(const DeviceRequest& request) {
    auto wanted = parse_command_request(request.payload);
    if (!wanted) {
        return error(wanted.error().code == ErrorCode::too_large ? 413 : 400, wanted.error().message());
    }
    const bool has_key = !wanted->idempotency_key.empty();
    std::string key = document_keys::idempotency_key(request.device, wanted->idempotency_key);
    if (has_key) {
        const auto made = turn_.documents.get(document_keys::idempotency, key);
        if (!made) {
            turn_.metrics.store_errors.Increment();
            return error(500, "Internal service failure");
        }
        if (*made) {
            return repeat(request.device, *wanted, **made);
        }
    }
    if (pending_.full(request.device)) {
        return error(429, "Too many commands are waiting");
    }
    const Command command =
        make_command(execution_id_of(request), request.device, std::move(*wanted), request.header.received);
    if (has_key) {
        turn_.documents.put(document_keys::idempotency, std::move(key),
                            boost::json::serialize(boost::json::object{{"execution_id", command.execution_id}}));
    }
    turn_.documents.put(document_keys::device_command,
                        document_keys::device_command_key(request.device, command.created, command.execution_id), "{}");
    write(request.partition, command);
    turn_.metrics.count_command(CommandStatus::queued);
    add_pending(request.partition, command);
    if (const DeviceSession* session = turn_.sessions.find(request.partition, request.device); session != nullptr) {
        deliver(request.partition, request.device, *session, request.header.received);
    } else {
        on_session(request.partition, request.device);  // its status may be on its way
    }
    trim_history(request.device);
    const auto now = read(command.execution_id);
    return {201, to_json(now ? *now : command)};
}

CommandRequests::Answer CommandRequests::repeat(std::string_view device, const CommandRequest& wanted,
                                                std::string_view made) {
    std::string execution_id;
    const auto object = json::parse_object(made);
    if (!object || !json::read(*object, "execution_id", execution_id)) {
        turn_.metrics.store_errors.Increment();
        return error(500, "Internal service failure");
    }
    const auto command = read(execution_id);
    if (!command || command->device != device) {
        turn_.metrics.store_errors.Increment();
        return error(500, "Internal service failure");
    }
    if (!asks_the_same(command->request, wanted)) {
        return error(409, "The idempotency key was used for another command");
    }
    return {200, to_json(*command)};
}

void CommandRequests::on_answer(const DeviceRequest& request, std::string_view execution_id) {
    const auto topic = [&](std::string_view leaf) {
        return command_topic(request.device, execution_id, fmt::format("response/{}/json", leaf));
    };
    const auto refuse = [&](const CommandRefusal& refusal, std::uint16_t code) {
        turn_.metrics.count_request("answer_command", code);
        turn_.answer(request, topic("rejected"), answer_rejected(execution_id, refusal));
    };
    auto command = read(execution_id);
    if (!command && command.error().code != ErrorCode::not_found) {
        return refuse({"InternalError", "Internal service failure"}, 500);
    }
    if (!command || command->device != request.device) {
        return refuse({"ResourceNotFound", "There is no such execution"}, 404);
    }
    auto answer = parse_command_answer(request.payload);
    if (!answer) {
        return refuse(answer.error(), 400);
    }
    const std::size_t steps = command->steps.size();
    if (const auto applied = apply_answer(*command, std::move(*answer), request.header.received); !applied) {
        return refuse(applied.error(), 409);
    }
    if (command->steps.size() != steps) {
        turn_.metrics.count_command(command->status());
    }
    write(request.partition, *command);
    if (PendingCommand* pending = pending_.find(request.device, execution_id); pending != nullptr) {
        pending->status = command->status();
        pending_.set_deadline(request.device, *pending, request.header.received + pending->timeout);
    }
    turn_.metrics.count_request("answer_command", 200);
    turn_.answer(request, topic("accepted"), answer_accepted(execution_id));
}

void CommandRequests::on_subscribed(const DeviceRequest& request) {
    const std::string gateway(request.header.gateway);
    deliver(request.partition, request.device, {request.header.epoch, &gateway, true}, request.header.received);
}

void CommandRequests::on_session(Partition partition, std::string_view device) {
    if (pending_.contains(device)) {
        reconnected_.emplace(partition, device);
    }
}

void CommandRequests::settle(Timestamp now) {
    for (const auto& [partition, device] : reconnected_) {
        if (const DeviceSession* session = turn_.sessions.find(partition, device); session != nullptr) {
            deliver(partition, device, *session, now);
        }
    }
    reconnected_.clear();
    for (const PendingCommands::Due& due : pending_.due(now, give_up_max)) {
        give_up(due, now);
    }
}

void CommandRequests::deliver(Partition partition, std::string_view device, const DeviceSession& session,
                              Timestamp now) {
    for (const std::string& execution_id : pending_.executions_of(device)) {
        PendingCommand* pending = pending_.find(device, execution_id);
        const bool waits = pending->status == CommandStatus::queued || pending->status == CommandStatus::sent;
        SessionEpoch& handed_in = session.takes_commands ? pending->sent_in : pending->offered_in;
        if (waits && handed_in != session.epoch && now < pending->expires &&
            hand_over(partition, *pending, device, session, now)) {
            handed_in = session.epoch;
        }
    }
}

bool CommandRequests::hand_over(Partition partition, PendingCommand& pending, std::string_view device,
                                const DeviceSession& session, Timestamp now) {
    auto command = read(pending.execution_id);
    if (!command) {
        turn_.metrics.store_errors.Increment();
        return false;
    }
    turn_.publish(partition, device, session, command_topic(device, pending.execution_id, "request/json"),
                  command_payload(*command));
    if (!session.takes_commands) {
        return true;
    }
    if (command->status() == CommandStatus::queued) {
        mark_sent(*command, now);
        write(partition, *command);
        turn_.metrics.count_command(CommandStatus::sent);
    }
    pending.status = command->status();
    pending_.set_deadline(device, pending, now + pending.timeout);
    return true;
}

void CommandRequests::give_up(const PendingCommands::Due& due, Timestamp now) {
    PendingCommand* pending = pending_.find(due.device, due.execution_id);
    if (pending->status == CommandStatus::sent && now < pending->expires) {
        const DeviceSession* session = turn_.sessions.find(due.partition, due.device);
        if (session == nullptr || session->epoch != pending->sent_in) {
            return pending_.set_deadline(due.device, *pending, pending->expires);
        }
    }
    auto command = read(due.execution_id);
    if (!command) {
        turn_.metrics.store_errors.Increment();
        return pending_.set_deadline(due.device, *pending, now + retry_after_store_error);
    }
    if (pending->status == CommandStatus::queued) {
        mark_expired(*command, now);
    } else {
        mark_timed_out(*command, now);
    }
    turn_.metrics.count_command(command->status());
    write(due.partition, *command);
}

Result<Command> CommandRequests::read(std::string_view execution_id) const {
    const auto stored = turn_.documents.get(document_keys::command, execution_id);
    if (!stored) {
        return tl::unexpected(stored.error());
    }
    return *stored ? parse_command(**stored) : fail(ErrorCode::not_found, "there is no such execution");
}

void CommandRequests::write(Partition partition, const Command& command) {
    turn_.documents.put(document_keys::command, command.execution_id, to_json(command));
    const std::string key = document_keys::pending_key(partition, command.execution_id);
    if (is_final(command.status())) {
        turn_.documents.remove(document_keys::pending_command, key);
        pending_.remove(command.device, command.execution_id);
    } else {
        turn_.documents.put(document_keys::pending_command, key, "{}");
    }
}

void CommandRequests::add_pending(Partition partition, const Command& command) {
    PendingCommand pending;
    pending.execution_id = command.execution_id;
    pending.status = command.status();
    pending.expires = command.expires;
    pending.timeout = command.request.timeout;
    pending.deadline =
        pending.status == CommandStatus::queued ? command.expires : command.steps.back().time + pending.timeout;
    pending_.add(partition, command.device, std::move(pending));
}

void CommandRequests::trim_history(std::string_view device) {
    const auto keys =
        turn_.documents.store().list(document_keys::device_command, document_keys::device_command_prefix(device), {},
                                     turn_.limits.commands_kept_max + turn_.limits.pending_per_device_max);
    if (!keys) {
        turn_.metrics.store_errors.Increment();
        return;
    }
    for (std::size_t i = turn_.limits.commands_kept_max; i < keys->size(); ++i) {
        const std::string& key = (*keys)[i].first;
        const std::string_view execution_id = document_keys::execution_of(key);
        const auto command = read(execution_id);
        if (!command || !is_final(command->status())) {
            continue;
        }
        turn_.documents.remove(document_keys::device_command, key);
        turn_.documents.remove(document_keys::command, std::string(execution_id));
        if (!command->request.idempotency_key.empty()) {
            turn_.documents.remove(document_keys::idempotency,
                                   document_keys::idempotency_key(device, command->request.idempotency_key));
        }
    }
}

}  // namespace muster
