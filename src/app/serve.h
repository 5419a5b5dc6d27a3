#pragma once

#include "app/command_line.h"

namespace muster {

/// Runs every role in this process until SIGINT or SIGTERM; returns the exit code. Stores start first, devices last,
/// and they stop in reverse. A start that fails prints one sentence and returns 1.
[[nodiscard]] int run_serve(const ServeOptions& options);

}  // namespace muster
