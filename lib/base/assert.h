#pragma once

namespace muster {

/// Prints the condition and its place to standard error and aborts. Called by MUSTER_ASSERT only.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace muster

/// An impossible state is a bug: it ends the process, in release builds too. Never used on input from outside.
#define MUSTER_ASSERT(condition) \
    (static_cast<bool>(condition) ? static_cast<void>(0) : ::muster::assertion_failed(#condition, __FILE__, __LINE__))
