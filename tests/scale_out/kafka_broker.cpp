#include "kafka_broker.h"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace muster {
namespace {

constexpr int looks_max = 3000;  ///< at the port, 100 ms apart: fetching the jars takes its time
constexpr std::chrono::milliseconds look_interval{100};

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    (void)::bind(socket, reinterpret_cast<const sockaddr*>(&address), size);
    (void)::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(socket);
    return ntohs(address.sin_port);
}

}  // namespace

KafkaBroker::~KafkaBroker() {
    kill();
}

Result<void> KafkaBroker::start() {
    port_ = port_ == 0 ? free_port() : port_;
    const std::string log = directory_.path() + "/broker.log";
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    std::vector<std::string> words{MUSTER_KAFKA_SCRIPT,         "run",    "--data",
                                   directory_.path() + "/data", "--port", std::to_string(port_)};
    std::vector<char*> arguments;
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    const int failed = ::posix_spawn(&pid_, words[0].c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        pid_ = 0;
        return fail(ErrorCode::io, "cannot start tools/kafka.sh");
    }
    for (int i = 0; i < looks_max && !takes_connections(); ++i) {
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
            pid_ = 0;
            return fail(ErrorCode::unavailable, "the Kafka broker did not start", end_of_log());
        }
        std::this_thread::sleep_for(look_interval);
    }
    return takes_connections() ? Result<void>()
                               : fail(ErrorCode::timed_out, "the Kafka broker does not take connections", end_of_log());
}

void KafkaBroker::kill() {
    if (pid_ != 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
}

void KafkaBroker::freeze() const {
    ::kill(pid_, SIGSTOP);
}

void KafkaBroker::thaw() const {
    ::kill(pid_, SIGCONT);
}

bool KafkaBroker::takes_connections() const {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port_);
    const bool connected = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    ::close(socket);
    return connected;
}

std::string KafkaBroker::end_of_log() const {
    std::ifstream file(directory_.path() + "/broker.log");
    std::stringstream text;
    text << file.rdbuf();
    const std::string all = text.str();
    return all.substr(all.size() - std::min<std::size_t>(all.size(), 2000));
}

}  // namespace muster
