// CPU per record and acknowledgement latency of the embedded bus: producers → disk → consumer, in one process.
// Usage: muster_bus_bench [records] [directory]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

#include "bus/embedded_bus.h"
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
/// millisecond.
void throughput(Bus& bus, TopicId topic, std::size_t records, std::size_t per_second, bool acknowledged) {
    const auto producer = bus.producer({.name = "bench", .on_deliveries_ready = {}});
    auto consumer = bus.consumer({.group = {}, .topics = {"bench"}, .start = ConsumerOptions::Start::latest});
    if (!consumer || !(*consumer)->poll(Millis(0), [](const ConsumerRecord&) {})) {
        std::abort();
    }
    std::size_t received = 0;
    std::size_t received_bytes = 0;
    std::thread reader([&] {
        while (received < records) {
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
    std::printf("%-12s %8zu records %-7s  %9.0f /s  CPU %.2f us a record  (%zu refusals)\n",
                per_second == 0 ? "full speed" : (std::to_string(per_second) + "/s").c_str(), records,
                acknowledged ? "acked" : "unacked", static_cast<double>(records) / wall,
                1e6 * cpu / static_cast<double>(records), refused);
}

void latency(Bus& bus, TopicId topic, int count) {
    const auto producer = bus.producer({.name = "latency", .on_deliveries_ready = {}});
    const std::string value(500, 'x');
    std::vector<double> milliseconds;
    for (int i = 0; i < count; ++i) {
        const auto begun = Steady::now();
        (void)producer->send(topic, {.key = "device", .value = value, .headers = {}}, 1);
        (void)producer->drain(Millis(10'000));
        (void)producer->poll([](const Delivery&) {});
        milliseconds.push_back(std::chrono::duration<double, std::milli>(Steady::now() - begun).count());
    }
    std::ranges::sort(milliseconds);
    const auto percentile = [&](double share) { return milliseconds[static_cast<std::size_t>(share * (count - 1))]; };
    std::printf("acknowledgement, one record after the other: p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", percentile(0.5),
                percentile(0.99), percentile(1));
}

int run(int argc, char** argv) {
    const std::size_t records = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    const ScratchDirectory scratch;
    MetricRegistry metrics;
    auto bus = EmbeddedBus::open({.directory = argc > 2 ? argv[2] : scratch.path()}, metrics);
    if (!bus) {
        std::fprintf(stderr, "%s\n", bus.error().message().c_str());
        return 1;
    }
    const TopicId topic = (*bus)->open_topic({.name = "bench"}).value_or(TopicId{0});
    throughput(**bus, topic, records, 0, false);
    throughput(**bus, topic, records, 0, true);
    throughput(**bus, topic, records / 4, 33'000, false);
    throughput(**bus, topic, records / 4, 33'000, true);
    latency(**bus, topic, 500);
    return 0;
}

}  // namespace
}  // namespace muster

int main(int argc, char** argv) {
    return muster::run(argc, argv);
}
