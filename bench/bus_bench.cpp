// CPU per record and acknowledgement latency of a bus: producer → bus → consumer. The embedded bus, all of it in this
// process; or Kafka, without the broker's own CPU.
// Usage: muster_bus_bench [records] [directory]
//        muster_bus_bench [records] --kafka HOST:PORT

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "bus/embedded_bus.h"
#include "bus/kafka_bus.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

using Steady = std::chrono::steady_clock;

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// CPU of the same loop without a bus: waking up every millisecond is not the bus's.
double cpu_of_turns(std::size_t turns) {
    const double before = cpu_seconds();
    auto turn = Steady::now();
    for (std::size_t i = 0; i < turns; ++i) {
        std::this_thread::sleep_until(turn += std::chrono::milliseconds(1));
    }
    return cpu_seconds() - before;
}

/// Sends `records` of 500 B at `per_second` (0: as fast as the bus takes them), as a gateway does: a flush a
/// millisecond. `read`: a consumer takes them meanwhile.
void throughput(Bus& bus, TopicId topic, std::size_t records, std::size_t per_second, bool acknowledged, bool read) {
    const auto producer = bus.producer({.name = "bench", .on_deliveries_ready = {}});
    auto consumer = bus.consumer({.group = {}, .topics = {"bench"}, .start = ConsumerOptions::Start::latest});
    if (!consumer || !(*consumer)->poll(Millis(0), [](const ConsumerRecord&) {})) {
        std::abort();
    }
    std::size_t received = 0;
    std::size_t received_bytes = 0;
    std::thread reader([&] {
        while (read && received < records) {
            const auto polled = (*consumer)->poll(Millis(1000), [&](const ConsumerRecord& record) {
                ++received;
                received_bytes += record.value.size();
            });
            if (!polled) {
                std::abort();
            }
        }
    });
    const std::string value(420, 'x');
    const std::string header_value(60, 'h');
    const RecordHeader header{"muster", header_value};
    std::vector<std::string> keys;
    for (int i = 0; i < 10'000; ++i) {
        keys.push_back("device-" + std::to_string(100'000 + i));
    }
    std::size_t refused = 0;
    const double cpu_before = cpu_seconds();
    const auto begun = Steady::now();
    auto turn = begun;
    for (std::size_t sent = 0; sent < records;) {
        const std::size_t until =
            std::min(records, sent + (per_second == 0 ? 100 : std::max<std::size_t>(1, per_second / 1000)));
        for (; sent < until; ++sent) {
            const ProducerRecord record{.key = keys[sent % keys.size()], .value = value, .headers = {&header, 1}};
            if (!producer->send(topic, record, acknowledged ? sent + 1 : 0)) {
                ++refused;
                break;
            }
        }
        producer->flush();
        (void)producer->poll([](const Delivery&) {});
        if (per_second != 0) {
            std::this_thread::sleep_until(turn += std::chrono::milliseconds(1));
        } else if (sent < until) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    if (!producer->drain(Millis(60'000))) {
        std::abort();
    }
    reader.join();
    const double wall = std::chrono::duration<double>(Steady::now() - begun).count();
    const double idle = per_second == 0 ? 0 : cpu_of_turns(records / (per_second / 1000));
    const double cpu = cpu_seconds() - cpu_before - 2 * idle;
    std::printf("%-12s %8zu records %-7s %-8s %9.0f /s  CPU %.2f us a record  (%zu refusals)\n",
                per_second == 0 ? "full speed" : (std::to_string(per_second) + "/s").c_str(), records,
                acknowledged ? "acked" : "unacked", read ? "and read" : "", static_cast<double>(records) / wall,
                1e6 * cpu / static_cast<double>(records), refused);
    std::fflush(stdout);
}

/// Reads everything from the beginning, as a role does that comes back.
void catch_up(Bus& bus) {
    auto consumer = bus.consumer({.group = {}, .topics = {"bench"}});
    if (!consumer) {
        std::abort();
    }
    const double cpu_before = cpu_seconds();
    const auto begun = Steady::now();
    std::size_t received = 0;
    while (!(*consumer)->caught_up()) {
        received += (*consumer)->poll(Millis(1000), [](const ConsumerRecord&) {}).value_or(0);
    }
    const double wall = std::chrono::duration<double>(Steady::now() - begun).count();
    const double cpu = cpu_seconds() - cpu_before;
    std::printf("catching up  %8zu records                   %9.0f /s  CPU %.2f us a record\n", received,
                static_cast<double>(received) / wall, 1e6 * cpu / static_cast<double>(received));
}

/// One record after the other, as a gateway waits: until it is told. `drained`: with drain(), which hurries.
void latency(Bus& bus, TopicId topic, int count, bool drained) {
    std::mutex mutex;
    std::condition_variable changed;
    ProducerOptions options;
    options.name = "latency";
    options.on_deliveries_ready = [&] {
        const std::lock_guard lock(mutex);
        changed.notify_one();
    };
    const auto producer = bus.producer(std::move(options));
    const std::string value(500, 'x');
    std::vector<double> milliseconds;
    for (int i = 0; i < count; ++i) {
        const auto begun = Steady::now();
        (void)producer->send(topic, {.key = "device", .value = value, .headers = {}}, 1);
        producer->flush();
        if (drained) {
            (void)producer->drain(Millis(10'000));
            (void)producer->poll([](const Delivery&) {});
        } else {
            std::unique_lock lock(mutex);
            (void)changed.wait_for(lock, Millis(10'000), [&] { return producer->poll([](const Delivery&) {}) != 0; });
        }
        milliseconds.push_back(std::chrono::duration<double, std::milli>(Steady::now() - begun).count());
    }
    std::ranges::sort(milliseconds);
    const auto percentile = [&](double share) { return milliseconds[static_cast<std::size_t>(share * (count - 1))]; };
    std::printf("acknowledgement, one record after the other%s: p50 %.2f ms, p99 %.2f ms, max %.2f ms\n",
                drained ? ", drained" : "", percentile(0.5), percentile(0.99), percentile(1));
}

Result<std::unique_ptr<Bus>> open_bus(const std::string& directory, const std::string& kafka, MetricRegistry& metrics) {
    if (kafka.empty()) {
        auto bus = EmbeddedBus::open({.directory = directory}, metrics);
        return bus ? Result<std::unique_ptr<Bus>>(std::move(*bus)) : tl::unexpected(bus.error());
    }
    KafkaBusOptions options;
    options.brokers = kafka;
    options.partitions = 16;
    options.prefix = "bench" + std::to_string(::getpid()) + ".";
    auto bus = KafkaBus::open(options, metrics);
    return bus ? Result<std::unique_ptr<Bus>>(std::move(*bus)) : tl::unexpected(bus.error());
}

int run(int argc, char** argv) {
    const std::size_t records = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    const ScratchDirectory scratch;
    std::string directory = scratch.path();
    std::string kafka;
    if (argc > 3 && std::string_view(argv[2]) == "--kafka") {
        kafka = argv[3];
    } else if (argc > 2) {
        directory = argv[2];
    }
    MetricRegistry metrics;
    auto bus = open_bus(directory, kafka, metrics);
    if (!bus) {
        std::fprintf(stderr, "%s\n", bus.error().message().c_str());
        return 1;
    }
    const auto topic = (*bus)->open_topic({.name = "bench", .retention_bytes = 8ULL << 30U});
    if (!topic) {
        std::fprintf(stderr, "%s\n", topic.error().message().c_str());
        return 1;
    }
    for (const bool read : {false, true}) {
        throughput(**bus, *topic, records, 0, false, read);
        throughput(**bus, *topic, records, 0, true, read);
        throughput(**bus, *topic, records / 4, 33'000, false, read);
        throughput(**bus, *topic, records / 4, 33'000, true, read);
    }
    catch_up(**bus);
    latency(**bus, *topic, 500, false);
    latency(**bus, *topic, 500, true);
    return 0;
}

}  // namespace
}  // namespace muster

int main(int argc, char** argv) {
    return muster::run(argc, argv);
}
