#include "app/process.h"

#include <cerrno>
#include <csignal>
#include <ctime>

#include <sys/resource.h>

namespace muster {
namespace {

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

}  // namespace

void hold_signals() {
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

void release_signals() {
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void wait_for_stop(std::int64_t seconds, const std::function<void()>& on_hang_up) {
    const sigset_t set = stop_signals();
    const timespec patience{seconds, 0};
    while (true) {
        const int signal = seconds > 0 ? sigtimedwait(&set, nullptr, &patience) : sigwaitinfo(&set, nullptr);
        if (signal == SIGHUP && on_hang_up) {
            on_hang_up();
        } else if (signal >= 0 || errno != EINTR) {
            break;
        }
    }
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

std::uint64_t raise_open_files_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

}  // namespace muster
