#pragma once

#include <map>
#include <string>

#include "alerts/notifier.h"
#include "base/result.h"

namespace muster {

// Marks as records of muster.notifications.

/// "sink/incident id".
[[nodiscard]] std::string mark_key(std::string_view sink, std::string_view incident);
[[nodiscard]] std::string mark_value(const NotificationMark& mark);
/// malformed: not a key and a value of these.
[[nodiscard]] Result<NotificationMark> parse_mark(std::string_view key, std::string_view value);
/// The part of a key before the incident.
[[nodiscard]] std::string_view sink_of_mark(std::string_view key);

}  // namespace muster
