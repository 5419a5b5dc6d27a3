#include "base/thread.h"

#include <utility>

#include <pthread.h>

namespace muster {
namespace {

constexpr std::size_t name_bytes_max = 15;  // of the kernel, which refuses a longer one whole

}  // namespace

std::thread start_thread(std::string_view name, std::function<void()> run) {
    return std::thread([name = std::string(name.substr(0, name_bytes_max)), run = std::move(run)] {
        pthread_setname_np(pthread_self(), name.c_str());
        run();
    });
}

}  // namespace muster
