#include "shadow/pending_commands.h"

#include <algorithm>

namespace muster {

bool PendingCommands::full(std::string_view device) const {
    const auto found = devices_.find(device);
    return size() >= commands_max_ || (found != devices_.end() && found->second.commands.size() >= per_device_max_);
}

void PendingCommands::add(Partition partition, std::string_view device, PendingCommand command) {
    auto found = devices_.find(device);
    if (found == devices_.end()) {
        found = devices_.emplace(device, Device{partition, {}}).first;
    }
    deadlines_.emplace(command.deadline, device, command.execution_id);
    found->second.commands.push_back(std::move(command));
}

PendingCommand* PendingCommands::find(std::string_view device, std::string_view execution_id) {
    const auto found = devices_.find(device);
    if (found == devices_.end()) {
        return nullptr;
    }
    auto& commands = found->second.commands;
    const auto command = std::find_if(commands.begin(), commands.end(), [&](const PendingCommand& candidate) {
        return candidate.execution_id == execution_id;
    });
    return command == commands.end() ? nullptr : &*command;
}

void PendingCommands::remove(std::string_view device, std::string_view execution_id) {
    const PendingCommand* command = find(device, execution_id);
    if (command == nullptr) {
        return;
    }
    deadlines_.erase({command->deadline, std::string(device), command->execution_id});
    const auto found = devices_.find(device);
    auto& commands = found->second.commands;
    commands.erase(commands.begin() + (command - commands.data()));
    if (commands.empty()) {
        devices_.erase(found);
    }
}

void PendingCommands::forget(Partition partition) {
    for (const std::string& device : devices_of(partition)) {
        for (const std::string& execution : executions_of(device)) {
            remove(device, execution);
        }
    }
}

std::vector<std::string> PendingCommands::executions_of(std::string_view device) const {
    std::vector<std::string> executions;
    if (const auto found = devices_.find(device); found != devices_.end()) {
        for (const PendingCommand& command : found->second.commands) {
            executions.push_back(command.execution_id);
        }
    }
    return executions;
}

void PendingCommands::set_deadline(std::string_view device, PendingCommand& command, Timestamp deadline) {
    deadlines_.erase({command.deadline, std::string(device), command.execution_id});
    command.deadline = deadline;
    deadlines_.emplace(deadline, device, command.execution_id);
}

std::vector<PendingCommands::Due> PendingCommands::due(Timestamp now, std::size_t limit) const {
    std::vector<Due> found;
    for (const auto& [deadline, device, execution] : deadlines_) {
        if (deadline > now || found.size() >= limit) {
            break;
        }
        found.push_back({devices_.find(device)->second.partition, device, execution});
    }
    return found;
}

std::vector<std::string> PendingCommands::devices_of(Partition partition) const {
    std::vector<std::string> found;
    for (const auto& [device, entry] : devices_) {
        if (entry.partition == partition) {
            found.push_back(device);
        }
    }
    return found;
}

}  // namespace muster
