#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "shadow/command.h"
#include "shadow/pending_commands.h"
#include "shadow/shadow_turn.h"

namespace muster {

/// Commands: made by the API, handed to devices, answered by them, given up on. Part of ShadowService; one thread.
///
/// Delivery: a command is handed to the session in which its device has subscribed to its command requests, and is SENT
/// from then on. A session that is online without such a subscription being known (a kept session, or the role has
/// restarted) is handed it too, but the command stays QUEUED, because nobody may have listened. Until it is answered it
/// is handed once to each later session; devices tell repetitions by the execution id. Time: expiry is judged by the
/// records' receive times on delivery and by the clock given to settle() otherwise; a SENT command whose device has
/// gone is given until it expires before it is TIMED_OUT.
class CommandRequests final {
 public:
    explicit CommandRequests(ShadowTurn& turn)
        : turn_(turn), pending_(turn.limits.pending_commands_max, turn.limits.pending_per_device_max) {}

    /// Rebuilds the index of a partition's commands from the store.
    [[nodiscard]] Result<void> load(Partition partition);
    void forget(Partition partition);

    /// The API asks for a command.
    void on_create(const DeviceRequest& request);
    /// The device answered.
    void on_answer(const DeviceRequest& request, std::string_view execution_id);
    /// The device takes commands in the request's session.
    void on_subscribed(const DeviceRequest& request);
    /// The device's session may be new: settle() hands over what waits.
    void on_session(Partition partition, std::string_view device);
    /// Everything that was to be read has been: hands over what waits for new sessions and gives up what is due at
    /// `now`.
    void settle(Timestamp now);

    [[nodiscard]] std::size_t pending() const { return pending_.size(); }

 private:
    /// HTTP status and body.
    using Answer = std::pair<std::uint16_t, std::string>;

    [[nodiscard]] Answer create(const DeviceRequest& request);
    [[nodiscard]] Answer repeat(std::string_view device, const CommandRequest& wanted, std::string_view execution_id);
    [[nodiscard]] Result<Command> read(std::string_view execution_id) const;
    void write(Partition partition, const Command& command);
    void add_pending(Partition partition, const Command& command);
    void trim_history(std::string_view device);

    void deliver(Partition partition, std::string_view device, const DeviceSession& session, Timestamp now);
    [[nodiscard]] bool hand_over(Partition partition, PendingCommand& pending, std::string_view device,
                                 const DeviceSession& session, Timestamp now);
    void give_up(const PendingCommands::Due& due, Timestamp now);

    ShadowTurn& turn_;
    PendingCommands pending_;
    std::set<std::pair<Partition, std::string>>
        reconnected_;  ///< devices with pending commands; at most as many as those
};

}  // namespace muster
