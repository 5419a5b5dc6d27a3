// Memory and CPU of the embedded status store with a million devices.
// Usage: muster_status_bench [devices]

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench_document.h"
#include "status/embedded_status_store.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

using Steady = std::chrono::steady_clock;

double resident_mib() {
    std::ifstream statm("/proc/self/statm");
    double total = 0;
    double resident = 0;
    statm >> total >> resident;
    return resident * 4096 / (1 << 20);
}

double seconds_since(Steady::time_point begun) {
    return std::chrono::duration<double>(Steady::now() - begun).count();
}

StatusDocument document(std::size_t device, std::int64_t offset) {
    return bench_document(device, offset, offset % 50 == 0 ? PresenceState::offline : PresenceState::online);
}

int run(int argc, char** argv) {
    const std::size_t devices = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    const ScratchDirectory scratch;
    MetricRegistry metrics;
    auto store = EmbeddedStatusStore::open({.directory = scratch.path()}, metrics);
    if (!store) {
        return 1;
    }
    const double memory_before = resident_mib();
    const std::pair<std::string_view, double> values[] = {
        {"temp", 20.5}, {"battery", 3.3}, {"rssi", -70}, {"load", 0.5}};
    std::int64_t offset = 0;
    auto begun = Steady::now();
    for (std::size_t i = 0; i < devices; ++i) {
        const StatusDocument one = document(i, ++offset);
        const StatusTouch touch{one.id, from_epoch_ms(1), from_epoch_ms(1), values};
        (void)(*store)->apply({&one, 1}, {&touch, 1});
    }
    std::printf("first documents and touches: %.2f us each\n",
                1e6 * seconds_since(begun) / static_cast<double>(devices));
    std::printf("memory: %.0f B a device\n",
                (resident_mib() - memory_before) * (1 << 20) / static_cast<double>(devices));

    Random random(1);
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < 1000; ++i) {
        ids.push_back(document(random.below(devices), 0).id);
    }
    std::vector<StatusTouch> touches;
    for (const std::string& id : ids) {
        touches.push_back({id, from_epoch_ms(2), from_epoch_ms(2), values});
    }
    begun = Steady::now();
    for (int round = 0; round < 1000; ++round) {
        (void)(*store)->apply({}, touches);
    }
    std::printf("touch with 4 values: %.2f us\n", seconds_since(begun));

    begun = Steady::now();
    (void)(*store)->list({}, "", 100);
    std::printf("first listing, puts all in order: %.0f ms\n", 1e3 * seconds_since(begun));
    begun = Steady::now();
    (void)(*store)->list({}, ids[0], 100);
    std::printf("page of 100: %.2f ms\n", 1e3 * seconds_since(begun));
    DeviceFilter filter;
    filter.state = PresenceState::unknown;
    begun = Steady::now();
    (void)(*store)->list(filter, "", 100);
    std::printf("a filter that nobody matches: %.0f ms\n", 1e3 * seconds_since(begun));
    begun = Steady::now();
    (void)(*store)->checkpoint();
    std::printf("checkpoint of all: %.2f s\n", seconds_since(begun));
    store->reset();
    begun = Steady::now();
    store = EmbeddedStatusStore::open({.directory = scratch.path()}, metrics);
    std::printf("restore: %.2f s\n", seconds_since(begun));
    return 0;
}

}  // namespace
}  // namespace muster

int main(int argc, char** argv) {
    return muster::run(argc, argv);
}
