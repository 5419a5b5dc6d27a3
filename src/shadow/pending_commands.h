#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "bus/bus.h"
#include "contract/identity.h"
#include "shadow/command.h"

namespace muster {

/// What the role remembers of a command that is not final, next to the stored Command.
struct PendingCommand {
    std::string execution_id;
    CommandStatus status = CommandStatus::queued;
    Timestamp expires{};
    Seconds timeout{0};
    Timestamp deadline{};  ///< when the next verdict is due: expiry, or no answer
    SessionEpoch sent_in =
        0;  ///< last session that takes commands to which it was handed; 0: none since the role's start
    SessionEpoch offered_in = 0;  ///< last session to which it was handed without knowing whether it takes commands
};

/// The index of commands that are not final: by device, for delivery, and by deadline, for expiry. Rebuilt from the
/// store when a partition is assigned. Owned by the shadow role's thread; its bound is kept by who adds (see full()).
class PendingCommands final {
 public:
    PendingCommands(std::size_t commands_max, std::size_t per_device_max)
        : commands_max_(commands_max), per_device_max_(per_device_max) {}

    [[nodiscard]] bool full(std::string_view device) const;
    void add(Partition partition, std::string_view device, PendingCommand command);
    void remove(std::string_view device, std::string_view execution_id);
    void forget(Partition partition);

    [[nodiscard]] bool contains(std::string_view device) const { return devices_.find(device) != devices_.end(); }
    /// Nullptr when it is not pending. Valid until the next add, remove or forget.
    [[nodiscard]] PendingCommand* find(std::string_view device, std::string_view execution_id);
    /// In the order in which they were made; empty when there are none.
    [[nodiscard]] std::vector<std::string> executions_of(std::string_view device) const;
    void set_deadline(std::string_view device, PendingCommand& command, Timestamp deadline);

    struct Due {
        Partition partition = 0;
        std::string device;
        std::string execution_id;
    };
    /// At most `limit` whose deadline is not after `now`.
    [[nodiscard]] std::vector<Due> due(Timestamp now, std::size_t limit) const;
    /// The devices of a partition that have any.
    [[nodiscard]] std::vector<std::string> devices_of(Partition partition) const;
    [[nodiscard]] std::size_t size() const { return deadlines_.size(); }

 private:
    struct Device {
        Partition partition = 0;
        std::vector<PendingCommand> commands;
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    using Deadline = std::tuple<Timestamp, std::string, std::string>;  ///< time, device, execution

    const std::size_t commands_max_;
    const std::size_t per_device_max_;
    std::unordered_map<std::string, Device, Hash, std::equal_to<>> devices_;
    std::set<Deadline> deadlines_;
};

}  // namespace muster
