#pragma once

#include <string>

#include "base/result.h"
#include "load_fleet.h"

namespace muster {

// Each runs one kind of load to its end and gives its result as one line of JSON.
// timed_out: not all connections could be made.

/// `rate` messages a second over all connections in turn, in steps of 5 ms, for the duration; or as many as the broker
/// takes.
[[nodiscard]] Result<std::string> run_publish(const LoadOptions& options);
/// Connects, prints its line at once, then holds the connections until the duration ends or standard input does.
[[nodiscard]] Result<std::string> run_idle(const LoadOptions& options);
/// Connects, breaks all connections at one instant and connects all again as fast as it goes.
[[nodiscard]] Result<std::string> run_storm(const LoadOptions& options);
/// Connects with wills, breaks all connections at one instant, and counts the wills that a subscriber gets until all
/// are there or none has come for two seconds.
[[nodiscard]] Result<std::string> run_wills(const LoadOptions& options);

}  // namespace muster
