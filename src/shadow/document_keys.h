#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "bus/bus.h"

namespace muster::document_keys {

// Where the shadow role keeps what. '/' separates because it is in no device id, shadow name or execution id.
//
// collection       key                                    document
// shadow           device "/" name (classic: "")          stored shadow (shadow_document.h)
// command          execution id                           Command (command.h)
// device_command   device "/" newest first "/" execution  {}
// pending_command  partition "/" execution id             {}: the Command is not final yet
// idempotency      device "/" idempotency key             {"execution_id"}
// shadow_cursor    partition                              {"next","downlinks"}: see shadow_outbox.h

inline constexpr std::string_view shadow = "shadow";
inline constexpr std::string_view command = "command";
inline constexpr std::string_view device_command = "device_command";
inline constexpr std::string_view pending_command = "pending_command";
inline constexpr std::string_view idempotency = "idempotency";
inline constexpr std::string_view cursor = "shadow_cursor";

/// `name` empty: the classic shadow. With an empty name it is also the prefix of all shadows of the device.
[[nodiscard]] std::string shadow_key(std::string_view device, std::string_view name);
[[nodiscard]] std::string device_command_prefix(std::string_view device);
/// Sorts a device's commands newest first.
[[nodiscard]] std::string device_command_key(std::string_view device, Timestamp created, std::string_view execution_id);
/// The execution id at the end of a device_command or pending_command key.
[[nodiscard]] std::string_view execution_of(std::string_view key);
[[nodiscard]] std::string pending_prefix(Partition partition);
[[nodiscard]] std::string pending_key(Partition partition, std::string_view execution_id);
[[nodiscard]] std::string idempotency_key(std::string_view device, std::string_view key);
[[nodiscard]] std::string cursor_key(Partition partition);

}  // namespace muster::document_keys
