#pragma once

#include "app/command_line.h"

namespace muster {

/// Runs the simulated fleet until its duration is over or Ctrl-C; prints a summary; returns the exit code.
[[nodiscard]] int run_simulator(const SimulateOptions& options);

}  // namespace muster
