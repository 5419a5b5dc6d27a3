// What kept sessions cost: storing changes, and a gateway's start with a million sessions in the store.
//   muster_kept_sessions_bench [sessions] [messages a session]
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>

#include <fmt/format.h>

#include "base/log.h"
#include "discarding_bus.h"
#include "gateway/embedded_session_store.h"
#include "gateway/gateway.h"
#include "gateway/session_codec.h"
#include "storage/scratch_directory.h"

namespace {

using namespace muster;
using Stopwatch = std::chrono::steady_clock;

constexpr std::size_t sessions_per_batch = 1000;
constexpr std::size_t batches_under_way_max = 8;

double seconds_since(Stopwatch::time_point began) {
    return std::chrono::duration<double>(Stopwatch::now() - began).count();
}

std::size_t resident_kb() {
    std::ifstream status("/proc/self/status");
    std::string word;
    std::size_t kb = 0;
    while (status >> word) {
        if (word == "VmRSS:") {
            status >> kb;
        }
    }
    return kb;
}

/// Bounds how many batches wait for the store.
class UnderWay final {
 public:
    void begin() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return count_ < batches_under_way_max; });
        ++count_;
    }
    void end() {
        const std::lock_guard lock(mutex_);
        --count_;
        changed_.notify_all();
    }
    void wait_for_all() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return count_ == 0; });
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t count_ = 0;
};

/// A device with two subscriptions and these messages of 200 bytes.
void append_session(std::size_t number, std::size_t messages, std::vector<SessionChange>& changes) {
    static const mqtt::SessionLimits limits{.stores_kept = true};
    const std::string id = fmt::format("device-{:07}", number);
    const Timestamp now = std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
    Session session(id, limits, Role::device);
    session.mqtt.set_session_expiry_s(mqtt::session_never_expires);
    session.epoch = number + 1;
    for (const char* kind : {"shadow/update/delta", "jobs/notify"}) {
        const std::string filter = fmt::format("$aws/things/{}/{}", id, kind);
        (void)session.mqtt.subscribe({.filter = filter, .options = mqtt::SubscriptionOptions::of_qos(1)});
    }
    SessionChange document{.kind = SessionChange::Kind::put_session, .session = id};
    encode_session(session, {now, Millis(0)}, document.value);
    changes.push_back(std::move(document));
    for (std::size_t i = 0; i < messages; ++i) {
        auto message = std::make_shared<mqtt::Message>();
        message->topic = fmt::format("$aws/things/{}/jobs/notify", id);
        message->payload.assign(200, 'x');
        mqtt::PendingMessage pending;
        pending.message = std::move(message);
        pending.packet_id = static_cast<std::uint16_t>(i + 1);
        pending.qos = 1;
        SessionChange change{.kind = SessionChange::Kind::put_message, .session = id, .number = i + 1, .value = {}};
        encode_message(pending, {now, Millis(0)}, change.value);
        changes.push_back(std::move(change));
    }
}

void fill(SessionStore& store, std::size_t sessions, std::size_t messages) {
    UnderWay under_way;
    const auto began = Stopwatch::now();
    for (std::size_t first = 0; first < sessions; first += sessions_per_batch) {
        std::vector<SessionChange> changes;
        for (std::size_t i = first; i < std::min(sessions, first + sessions_per_batch); ++i) {
            append_session(i, messages, changes);
        }
        under_way.begin();
        store.store("gw-1", std::move(changes), [&](const Result<void>&) { under_way.end(); });
    }
    under_way.wait_for_all();
    const double took = seconds_since(began);
    fmt::print("stored {} sessions with {} messages each: {:.1f} s, {:.2f} us a change\n", sessions, messages, took,
               took * 1e6 / static_cast<double>(sessions * (messages + 1)));
}

}  // namespace

int main(int argc, char** argv) {
    spdlog::set_level(spdlog::level::warn);
    const std::size_t sessions = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    const std::size_t messages = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    const ScratchDirectory directory;
    fill(**EmbeddedSessionStore::open(directory.path()), sessions, messages);

    const auto opened = Stopwatch::now();
    const auto store = std::move(*EmbeddedSessionStore::open(directory.path()));
    fmt::print("opened the store: {:.2f} s\n", seconds_since(opened));
    const std::size_t before_kb = resident_kb();
    DiscardingBus bus;
    MetricRegistry metrics;
    GatewayOptions options;
    options.listen = *net::Address::parse("127.0.0.1:0");
    const auto began = Stopwatch::now();
    const auto gateway = Gateway::start(options, bus, *store, metrics);
    if (!gateway) {
        fmt::print(stderr, "{}\n", gateway.error().message());
        return 1;
    }
    const double took = seconds_since(began);
    fmt::print("gateway started with them: {:.2f} s, {:.2f} us a session, {:.0f} bytes a session\n", took,
               took * 1e6 / static_cast<double>(sessions),
               static_cast<double>(resident_kb() - before_kb) * 1024 / static_cast<double>(sessions));
    return 0;
}
