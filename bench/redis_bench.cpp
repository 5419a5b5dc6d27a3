// What the status and the sessions cost in Redis: a server of its own on loopback, one writer, one reader.
// Usage: muster_redis_bench [devices] [everysec|always|no]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

#include "base/log.h"
#include "bench_document.h"
#include "gateway/redis_session_store.h"
#include "status/redis_status_store.h"
#include "storage/redis_test_server.h"

namespace muster {
namespace {

using Steady = std::chrono::steady_clock;

double seconds_since(Steady::time_point begun) {
    return std::chrono::duration<double>(Steady::now() - begun).count();
}

double own_cpu_s() {
    rusage usage{};
    (void)getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double redis_figure(const RedisTestServer& server, const char* section, std::string_view name) {
    const auto connection = RedisConnection::open(server.options());
    const auto info = connection ? (*connection)->command({"INFO", section}) : tl::unexpected(connection.error());
    if (!info) {
        return 0;
    }
    const auto at = info->text().find(name);
    return at == std::string_view::npos ? 0 : std::strtod(info->text().data() + at + name.size(), nullptr);
}

double redis_cpu_s(const RedisTestServer& server) {
    return redis_figure(server, "cpu", "used_cpu_user:") + redis_figure(server, "cpu", "used_cpu_sys:");
}

/// Wall time and CPU of both sides, for so many operations.
class Measured final {
 public:
    explicit Measured(const RedisTestServer& server)
        : server_(server), redis_(redis_cpu_s(server)), own_(own_cpu_s()) {}
    void print(const char* what, std::size_t operations) const {
        const double per = 1e6 / static_cast<double>(operations);
        std::printf("%-44s %7.2f us wall, %6.2f us CPU of Redis, %6.2f us CPU of ours\n", what,
                    per * seconds_since(begun_), per * (redis_cpu_s(server_) - redis_), per * (own_cpu_s() - own_));
    }

 private:
    const RedisTestServer& server_;
    Steady::time_point begun_ = Steady::now();
    double redis_;
    double own_;
};

void print_percentiles(const char* what, std::vector<double> us) {
    std::ranges::sort(us);
    std::printf("%-44s p50 %.0f us, p99 %.0f us, max %.0f us (%zu)\n", what, us[us.size() / 2],
                us[us.size() * 99 / 100], us.back(), us.size());
}

StatusDocument document(std::size_t device, std::int64_t offset) {
    return bench_document(device, offset, offset % 2 == 0 ? PresenceState::offline : PresenceState::online);
}

void bench_status(const RedisTestServer& server, std::size_t devices) {
    constexpr std::size_t batch = 2000;
    MetricRegistry metrics;
    MetricRegistry reader_metrics;
    auto writer = std::move(*RedisStatusStore::open({.redis = server.options()}, metrics));
    auto reader = std::move(*RedisStatusStore::open({.redis = server.options()}, reader_metrics));
    std::int64_t offset = 0;
    const auto write_all = [&](const char* what) {
        const Measured measured(server);
        for (std::size_t first = 0; first < devices; first += batch) {
            std::vector<StatusDocument> documents;
            for (std::size_t i = first; i < std::min(devices, first + batch); ++i) {
                documents.push_back(document(i, ++offset));
            }
            (void)writer->apply(documents, {});
        }
        measured.print(what, devices);
    };
    write_all("first transition of a device");
    write_all("transition");
    const std::pair<std::string_view, double> values[] = {
        {"temp", 20.5}, {"battery", 3.3}, {"rssi", -70}, {"load", 0.5}};
    const auto touch_all = [&](const char* what) {
        ++offset;
        const Measured measured(server);
        for (std::size_t first = 0; first < devices; first += batch) {
            std::vector<std::string> ids;
            std::vector<StatusTouch> touches;
            for (std::size_t i = first; i < std::min(devices, first + batch); ++i) {
                ids.push_back("device-" + std::to_string(10'000'000 + i));
            }
            for (const std::string& id : ids) {
                touches.push_back({id, from_epoch_ms(offset), from_epoch_ms(offset), values});
            }
            (void)writer->apply({}, touches);
        }
        measured.print(what, devices);
    };
    touch_all("first touch of a device, 4 values");
    touch_all("touch, 4 values");
    std::printf("memory of Redis: %.0f B a device\n",
                redis_figure(server, "memory", "used_memory:") / static_cast<double>(devices));

    auto begun = Steady::now();
    while (!reader->list({}, "", 100)) {
    }
    std::printf("a reader's mirror is filled in %.2f s\n", seconds_since(begun));
    std::vector<double> pages;
    std::vector<double> counts;
    std::vector<double> gets;
    std::vector<double> regions;
    const auto time = [](std::vector<double>& into, auto&& call) {
        const auto from = Steady::now();
        (void)call();
        into.push_back(1e6 * seconds_since(from));
    };
    for (std::size_t i = 0; i < 500; ++i) {
        time(pages, [&] { return reader->list({}, document(i * 97 % devices, 0).id, 100); });
        time(counts, [&] { return reader->counts("in/r7"); });
        time(gets, [&] { return reader->get(document(i * 89 % devices, 0).id); });
        time(regions, [&] { return reader->regions(); });
    }
    print_percentiles("list, page of 100", pages);
    print_percentiles("counts of a region", counts);
    print_percentiles("get", gets);
    print_percentiles("all 931 regions", regions);

    std::atomic<std::int64_t> heard{0};
    const auto watching =
        reader->watch([&](const StatusDocument& one) { heard.store(one.offset); }, [](const StatusTouch&) {});
    std::vector<double> changes;
    for (std::size_t i = 0; i < 2000; ++i) {
        const StatusDocument one = document(i % devices, ++offset);
        const auto from = Steady::now();
        (void)writer->apply({&one, 1}, {});
        while (heard.load() != offset) {
            std::this_thread::yield();
        }
        changes.push_back(1e6 * seconds_since(from));
    }
    print_percentiles("apply → heard in another store", changes);
    touch_all("touch, 4 values, and a mirror that follows");
}

void bench_sessions(const RedisTestServer& server) {
    MetricRegistry metrics;
    auto store = std::move(*RedisSessionStore::open({.redis = server.options()}, metrics));
    const auto claim = [&](const std::string& device, const std::string& gateway) {
        std::promise<void> answered;
        store->claim(device, gateway, [&](const Result<SessionClaim>&) { answered.set_value(); });
        answered.get_future().wait();
    };
    std::vector<double> alone;
    for (int i = 0; i < 5000; ++i) {
        const auto from = Steady::now();
        claim("device-" + std::to_string(i), "gw-1");
        alone.push_back(1e6 * seconds_since(from));
    }
    print_percentiles("claim, one at a time", alone);

    constexpr std::size_t storm = 50'000;
    std::atomic<std::size_t> answered{0};
    {
        const Measured measured(server);
        for (std::size_t i = 0; i < storm; ++i) {
            store->claim("storm-" + std::to_string(i), "gw-1", [&](const Result<SessionClaim>&) { ++answered; });
        }
        while (answered.load() < storm) {
            std::this_thread::yield();
        }
        measured.print("claim in a storm", storm);
    }

    std::vector<std::shared_ptr<void>> watches;
    for (const std::string name : {"gw-1", "gw-2"}) {
        watches.push_back(*store->watch(name, [&store, name](const LostSession& lost) { store->give_up(name, lost); }));
    }
    std::vector<double> hops;
    for (int i = 0; i < 2000; ++i) {
        const auto from = Steady::now();
        claim("device-1", i % 2 == 0 ? "gw-2" : "gw-1");
        hops.push_back(1e6 * seconds_since(from));
    }
    print_percentiles("claim that another gateway gives up", hops);
    watches.clear();

    constexpr std::size_t messages = 50'000;
    const std::string value(200, 'x');
    answered = 0;
    {
        const Measured measured(server);
        for (std::size_t i = 0; i < messages; ++i) {
            store->store("gw-1",
                         {{.kind = SessionChange::Kind::put_message,
                           .session = "device-" + std::to_string(i % 5000),
                           .number = i,
                           .value = value}},
                         [&](const Result<void>&) { ++answered; });
        }
        while (answered.load() < messages) {
            std::this_thread::yield();
        }
        measured.print("message of 200 B stored", messages);
    }
}

int run(int argc, char** argv) {
    (void)start_log("error");
    const std::size_t devices = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 200'000;
    const std::string appendfsync = argc > 2 ? argv[2] : "everysec";
    const RedisTestServer server(appendfsync);
    std::printf("%zu devices, appendfsync %s\n", devices, appendfsync.c_str());
    bench_sessions(server);
    bench_status(server, devices);
    return 0;
}

}  // namespace
}  // namespace muster

int main(int argc, char** argv) {
    return muster::run(argc, argv);
}
