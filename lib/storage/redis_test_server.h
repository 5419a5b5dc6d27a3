#pragma once

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "storage/redis_connection.h"
#include "storage/scratch_directory.h"

namespace muster {

/// Debian's redis-server on a free loopback port with a directory of its own, for tests and benchmarks. Unless told
/// otherwise every write is in its file at once, so that kill() loses nothing; restart() finds it again,
/// restart_empty() does not. It ends with the thread that started it.
class RedisTestServer final {
 public:
    explicit RedisTestServer(std::string appendfsync = "always") : appendfsync_(std::move(appendfsync)) {
        for (int attempt = 0; attempt < attempts_max && pid_ < 0; ++attempt) {
            options_.port = free_port();
            start();
        }
        MUSTER_ASSERT(pid_ > 0);  // is the package redis-server installed?
    }
    ~RedisTestServer() { kill(); }
    RedisTestServer(const RedisTestServer&) = delete;
    RedisTestServer& operator=(const RedisTestServer&) = delete;

    [[nodiscard]] const RedisOptions& options() const { return options_; }

    void kill() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
            pid_ = -1;
        }
    }
    void restart() {
        kill();
        start();
        MUSTER_ASSERT(pid_ > 0);
    }
    void restart_empty() {
        kill();
        std::filesystem::remove_all(directory_.path() + "/appendonlydir");
        start();
        MUSTER_ASSERT(pid_ > 0);
    }

 private:
    static constexpr int attempts_max = 5;
    static constexpr std::chrono::seconds start_time_max{20};

    static std::uint16_t free_port() {
        const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        MUSTER_ASSERT(::bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
        MUSTER_ASSERT(::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        ::close(probe);
        return ntohs(address.sin_port);
    }

    void start() {
        const std::string port = std::to_string(options_.port);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it never outlives the test
            ::execlp("redis-server", "redis-server", "--port", port.c_str(), "--bind", "127.0.0.1", "--dir",
                     directory_.path().c_str(), "--save", "", "--appendonly", "yes", "--appendfsync",
                     appendfsync_.c_str(), "--logfile", "redis.log", "--daemonize", "no", nullptr);
            ::_exit(127);
        }
        const auto deadline = std::chrono::steady_clock::now() + start_time_max;
        while (std::chrono::steady_clock::now() < deadline && ::waitpid(pid_, nullptr, WNOHANG) == 0) {
            if (const auto connection = RedisConnection::open(options_);
                connection && (*connection)->command({"PING"})) {
                return;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

    const std::string appendfsync_;
    ScratchDirectory directory_;
    RedisOptions options_;
    pid_t pid_ = -1;
};

}  // namespace muster
