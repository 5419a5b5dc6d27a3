#pragma once

#include <cstdint>
#include <functional>

namespace muster {

// What the process as a whole does with its kernel: signals and limits. Main thread only.

/// Blocks SIGINT, SIGTERM and SIGHUP in this thread and those it starts, so that wait_for_stop() alone gets them;
/// ignores SIGPIPE. Called before the first thread is started.
void hold_signals();
/// Undoes hold_signals() but for SIGPIPE: for commands that Ctrl-C may end at any point.
void release_signals();
/// Returns at the first SIGINT or SIGTERM, or when `seconds` have passed (0 = never). A second signal ends the process
/// at once: what is stored is safe at any instant (G2). SIGHUP calls `on_hang_up`; where there is none it stops, too.
void wait_for_stop(std::int64_t seconds = 0, const std::function<void()>& on_hang_up = {});
/// Raises the limit of open files to what the system allows and returns it: each connection needs one.
std::uint64_t raise_open_files_limit();

}  // namespace muster
