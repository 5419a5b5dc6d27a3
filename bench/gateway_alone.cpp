// The gateway without the rest of Muster, to be measured from outside: its records are thrown away. Prints where it
// listens; ends with SIGTERM.
// Usage: muster_gateway_alone address:port [threads] [pace in ms] ["cluster"] [listeners as of --listen, with
// options...] "cluster": as one of several gateways, the others of which want nothing.

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "discarding_bus.h"
#include "gateway/gateway.h"

namespace muster {
namespace {

/// Epochs from a counter, in memory; keeps no session.
class CountingSessionStore final : public SessionStore {
 public:
    [[nodiscard]] Result<Incarnation> begin_incarnation(std::string_view /*gateway*/) override { return 1; }
    void claim(std::string_view, std::string_view, std::function<void(Result<SessionClaim>)> done) override {
        done(SessionClaim{.epoch = ++epoch_});
    }
    [[nodiscard]] Result<std::shared_ptr<void>> watch(std::string_view, OnLost) override { return nullptr; }
    void give_up(std::string_view, const LostSession&) override {}
    void store(std::string_view, std::vector<SessionChange>, std::function<void(const Result<void>&)> done) override {
        done({});
    }
    [[nodiscard]] Result<void> load(std::string_view, FunctionRef<void(StoredSession&&)>) override { return {}; }

 private:
    std::atomic<SessionEpoch> epoch_{0};
};

int run(int argc, char** argv) {
    const auto address = net::Address::parse(argc > 1 ? argv[1] : "");
    if (!address) {
        std::fprintf(stderr, "usage: %s address:port [threads] [pace in ms] [listeners...]\n", argv[0]);
        return 1;
    }
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, nullptr);
    spdlog::set_level(spdlog::level::warn);

    DiscardingBus bus;
    CountingSessionStore sessions;
    MetricRegistry metrics;
    GatewayOptions options;
    options.listen = *address;
    options.threads = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : options.threads;
    options.pace = argc > 3 ? Millis(std::strtoll(argv[3], nullptr, 10)) : options.pace;
    for (int i = 4; i < argc; ++i) {
        if (std::string_view(argv[i]) == "cluster") {
            options.relay_messages = true;
            continue;
        }
        auto listener = parse_listener(argv[i], {});
        if (!listener) {
            std::fprintf(stderr, "%s\n", listener.error().message().c_str());
            return 1;
        }
        options.listeners.push_back(std::move(*listener));
    }
    options.is_operator = [](std::string_view user, std::string_view) { return user == "operator"; };
    const auto gateway = Gateway::start(options, bus, sessions, metrics);
    if (!gateway) {
        std::fprintf(stderr, "%s\n", gateway.error().message().c_str());
        return 1;
    }
    for (const std::string& url : (*gateway)->urls()) {
        std::puts(url.c_str());
    }
    std::fflush(stdout);
    int signal = 0;
    sigwait(&stop, &signal);
    return 0;
}

}  // namespace
}  // namespace muster

int main(int argc, char** argv) {
    return muster::run(argc, argv);
}
