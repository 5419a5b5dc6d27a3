#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace muster {

/// A thread named for top, perf and gdb; the kernel keeps the first 15 bytes. Names tell the role and the number:
/// "mqtt-0", "processor-1". Throws std::system_error when the system has no thread left.
[[nodiscard]] std::thread start_thread(std::string_view name, std::function<void()> run);

}  // namespace muster
