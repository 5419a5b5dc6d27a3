#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "shadow/document_store.h"

namespace muster {

// What the api role reads and asks of the shadow role. Reads go straight to the DocumentStore; changes are api_request
// records on muster.requests (key: device id) whose `topic` is an MQTT shadow topic ("$aws/things/{id}/shadow/update",
// …/get, …/delete, named ones too) or `create_command_topic`, and whose value is the JSON body. The answer is a
// downlink of kind reply on muster.downlink.{header.gateway}: correlation = header.sequence, status = HTTP status,
// value = JSON: the accepted document, the Command, or {"code":…,"message":…}.

/// Body: {"name","parameters"?,"expires_in_s"?,"timeout_s"?,"idempotency_key"?,"created_by"?}; 201 with the new
/// Command, 200 with the one that this idempotency key already made.
inline constexpr std::string_view create_command_topic = "muster/commands/create";

/// {"state":{"desired","reported","delta"},"metadata":{…},"version":n,"timestamp":s} as AWS's get; sections that are
/// empty are absent; `timestamp` is the last accepted update's. nullopt: no such shadow. `name` empty: the classic
/// shadow.
[[nodiscard]] Result<std::optional<std::string>> read_shadow(const DocumentStore& store, std::string_view device,
                                                             std::string_view name = {});
/// One Command as JSON; nullopt: no such execution.
[[nodiscard]] Result<std::optional<std::string>> read_command(const DocumentStore& store,
                                                              std::string_view execution_id);
/// The device's Commands as JSON, newest first, at most `limit`.
[[nodiscard]] Result<std::vector<std::string>> list_commands(const DocumentStore& store, std::string_view device,
                                                             std::size_t limit);

}  // namespace muster
