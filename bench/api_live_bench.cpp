// What the live stream costs: SOCKETS WebSockets (2,000) that follow the fleet, the regions and the changes of a fleet
// of 1,000 devices with 100 transitions a second, for SECONDS (10). The readers are a process of their own, so that the
// CPU time printed is the server's alone.
//   cmake --build build/release --target muster_api_live_bench && build/release/bench/muster_api_live_bench [SOCKETS]
//   [SECONDS]
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/api.h"
#include "api/test_ports.h"
#include "base/metrics.h"
#include "net/entropy.h"
#include "net/system_clock.h"

using namespace muster;

namespace {

constexpr std::string_view subscribe = R"({"subscribe":["fleet","regions","changes"]})";

/// A masked text frame (RFC 6455) of fewer than 126 bytes; the mask is zero.
std::string client_frame(std::string_view text) {
    std::string frame{'\x81', static_cast<char>(0x80U | text.size()), 0, 0, 0, 0};
    return frame.append(text);
}

int open_socket(std::uint16_t port, const std::string& token) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUSTER_ASSERT(::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0);
    const std::string hello = "GET /api/v1/live?access_token=" + token +
                              " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    MUSTER_ASSERT(::write(socket, hello.data(), hello.size()) == static_cast<ssize_t>(hello.size()));
    char answer[1024];
    MUSTER_ASSERT(::read(socket, answer, sizeof(answer)) > 0);
    const std::string frame = client_frame(subscribe);
    MUSTER_ASSERT(::write(socket, frame.data(), frame.size()) == static_cast<ssize_t>(frame.size()));
    return socket;
}

/// Reads and throws away until it is killed.
[[noreturn]] void read_for_ever(std::uint16_t port, const std::string& token, std::size_t count, int ready) {
    std::vector<pollfd> sockets;
    for (std::size_t i = 0; i < count; ++i) {
        sockets.push_back({open_socket(port, token), POLLIN, 0});
    }
    MUSTER_ASSERT(::write(ready, "r", 1) == 1);
    std::string buffer(1U << 18U, '\0');
    while (true) {
        (void)::poll(sockets.data(), sockets.size(), -1);
        for (const pollfd& socket : sockets) {
            if (socket.revents != 0 && ::read(socket.fd, buffer.data(), buffer.size()) <= 0) {
                std::_Exit(1);
            }
        }
    }
}

double cpu_seconds() {
    rusage usage{};
    (void)::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double metric(const MetricRegistry& metrics, std::string_view name) {
    const std::string text = metrics.render();
    const auto at = text.find("\n" + std::string(name) + " ");
    return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
}

StatusDocument device(int number, PresenceState state, Timestamp now) {
    StatusDocument document;
    document.id = "dev-" + std::to_string(number);
    document.state = state;
    document.previous = state == PresenceState::online ? PresenceState::offline : PresenceState::online;
    document.cause = state == PresenceState::online ? Cause::connect : Cause::will;
    document.since = now;
    document.gateway = "gw-1";
    document.attributes.region = "in/r" + std::to_string(number % 12);
    return document;
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t sockets = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 2000;
    const int seconds = argc > 2 ? std::atoi(argv[2]) : 10;
    rlimit files{65536, 65536};
    (void)::setrlimit(RLIMIT_NOFILE, &files);

    // The port and the token reach the readers through a pipe: the fork comes before the server's threads.
    int down[2];
    int up[2];
    MUSTER_ASSERT(::pipe(down) == 0 && ::pipe(up) == 0);
    const pid_t readers = ::fork();
    if (readers == 0) {
        std::uint16_t port = 0;
        char token[33] = {};
        MUSTER_ASSERT(::read(down[0], &port, sizeof(port)) == sizeof(port) && ::read(down[0], token, 32) == 32);
        read_for_ever(port, token, sockets, up[1]);
    }
    const TestDirectory directory;
    const net::SystemClock clock;
    MetricRegistry metrics;
    MemoryBus bus;
    MemoryStatusStore status;
    MemoryHistoryStore history;
    MemoryDocumentStore documents;
    ApiOptions options;
    options.listen = "127.0.0.1:0";
    options.data_directory = directory.path();
    options.make_token = [] { return net::random_hex(16); };
    options.pipeline = [&] { return PipelineHealth{100, 5000, clock.now(), {}}; };
    auto api = Api::start(std::move(options), bus, status, history, documents, metrics, clock);
    MUSTER_ASSERT(api);
    const std::uint16_t port = (*api)->port();
    const std::string token = (*api)->token(Role::viewer);
    MUSTER_ASSERT(::write(down[1], &port, sizeof(port)) == sizeof(port) && ::write(down[1], token.data(), 32) == 32);
    for (int i = 0; i < 1000; ++i) {
        (void)status.apply(std::vector{device(i, PresenceState::online, clock.now())}, {});
    }
    char ready = 0;
    MUSTER_ASSERT(::read(up[0], &ready, 1) == 1);

    const double cpu_before = cpu_seconds();
    const double frames_before = metric(metrics, "muster_api_frames_sent_total");
    const Millis began = clock.monotonic();
    for (int i = 0; clock.monotonic() - began < Seconds(seconds); ++i) {
        (void)status.apply(
            std::vector{
                device(i % 1000, i / 1000 % 2 == 0 ? PresenceState::offline : PresenceState::online, clock.now())},
            {});
        std::this_thread::sleep_for(Millis(10));
    }
    const double cpu = cpu_seconds() - cpu_before;
    const double frames = metric(metrics, "muster_api_frames_sent_total") - frames_before;
    rusage usage{};
    (void)::getrusage(RUSAGE_SELF, &usage);
    std::printf(
        "%zu sockets, %d s: %.0f frames/s, %.2f s CPU (%.0f %% of a core, %.1f us a frame), %.0f coalesced, %ld MiB\n",
        sockets, seconds, frames / seconds, cpu, 100 * cpu / seconds, 1e6 * cpu / frames,
        metric(metrics, "muster_api_frames_coalesced_total"), usage.ru_maxrss / 1024);
    ::kill(readers, SIGKILL);
    (void)::waitpid(readers, nullptr, 0);
    return 0;
}
