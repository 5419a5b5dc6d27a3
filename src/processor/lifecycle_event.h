#pragma once

#include <string_view>

#include "processor/fold_output.h"

namespace muster {

/// AWS IoT's lifecycle events of a session. `versionNumber` is twice the session's epoch, plus one when it has ended:
/// it orders all events of a device, across gateways and restarts, and repeats itself when an event is repeated.
[[nodiscard]] LifecycleEvent connected_event(std::string_view device, SessionEpoch epoch, Timestamp time,
                                             std::string_view client_address);
[[nodiscard]] LifecycleEvent disconnected_event(std::string_view device, SessionEpoch epoch, Timestamp time,
                                                Cause cause);

}  // namespace muster
