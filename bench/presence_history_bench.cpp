// The presence history of a large fleet: append, the baselines of its days, and the fleet at random times.
//   muster_presence_history_bench [devices] [days]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/random.h"
#include "contract/region_counts.h"
#include "history/embedded_presence_history.h"
#include "storage/scratch_directory.h"

namespace {

using namespace muster;
using Stopwatch = std::chrono::steady_clock;

constexpr std::int64_t day_ms = 86'400'000;
constexpr std::int64_t first_day = 20'000;
constexpr double transitions_a_day = 1;  // of an ordinary device
constexpr double flapper_share = 0.005;
constexpr double flapper_transitions_a_day = 200;
constexpr int questions = 20;

/// Of this thread: what it takes where others do not wait for the same cores.
double cpu_seconds() {
    timespec used{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

double seconds_since(Stopwatch::time_point began) {
    return std::chrono::duration<double>(Stopwatch::now() - began).count();
}

std::uint64_t bytes_in(const std::string& directory) {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
        bytes += entry.is_regular_file() ? entry.file_size() : 0;
    }
    return bytes;
}

/// A fleet whose devices go and come at random times.
class Fleet {
 public:
    explicit Fleet(std::size_t devices) : random_(42) {
        for (std::size_t i = 0; i < devices; ++i) {
            ids_.push_back(fmt::format("device-{:07}", i));
        }
        for (int i = 0; i < 200; ++i) {
            regions_.push_back(fmt::format("in/state-{:02}/area-{:03}", i / 10, i));
        }
    }

    /// All devices connect once.
    std::size_t begin(EmbeddedPresenceHistory& history) {
        for (std::size_t i = 0; i < ids_.size(); ++i) {
            append(history, i, first_day * day_ms + static_cast<std::int64_t>(i % 3'600'000), true);
        }
        return ids_.size();
    }
    std::size_t live_a_day(EmbeddedPresenceHistory& history, std::int64_t day) {
        const auto n = static_cast<double>(ids_.size());
        const auto ordinary = static_cast<std::size_t>(n * transitions_a_day);
        const auto flapping = static_cast<std::size_t>(n * flapper_share * flapper_transitions_a_day);
        const std::size_t all = ordinary + flapping;
        const auto flappers = static_cast<std::size_t>(n * flapper_share);
        for (std::size_t i = 0; i < all; ++i) {
            const bool flaps = random_.below(all) < flapping;
            const std::size_t device = flaps ? random_.below(flappers) * 97 % ids_.size() : random_.below(ids_.size());
            const auto within = static_cast<std::int64_t>(static_cast<double>(i) / static_cast<double>(all) * day_ms);
            append(history, device, day * day_ms + within, random_.chance(0.5));
        }
        return all;
    }

 private:
    void append(EmbeddedPresenceHistory& history, std::size_t device, std::int64_t time_ms, bool online) {
        Transition entry;
        entry.time = entry.since = from_epoch_ms(time_ms);
        entry.state = online ? PresenceState::online : PresenceState::offline;
        entry.cause = online ? Cause::connect : Cause::connection_lost;
        entry.epoch = (7ULL << 40U) + ++offset_;
        entry.gateway = "gw-1";
        entry.detected_in_ms = online ? 0 : 12;
        entry.offset = static_cast<std::int64_t>(offset_);
        entry.region = regions_[device % regions_.size()];
        MUSTER_ASSERT(history.append(ids_[device], entry));
    }

    Random random_;
    std::vector<std::string> ids_;
    std::vector<std::string> regions_;
    std::uint64_t offset_ = 0;
};

/// As the API counts: by region. Returns how many devices there were.
std::size_t picture(const EmbeddedPresenceHistory& history, Timestamp at) {
    std::map<std::string, RegionCounts, std::less<>> regions;
    std::size_t devices = 0;
    const auto read = history.presence_at(at, "", [&](const PastPresence& device) {
        auto found = regions.find(device.region);
        if (found == regions.end()) {
            found = regions.emplace(device.region, RegionCounts{}).first;
        }
        found->second += contribution_of({.state = device.state,
                                          .overlays = device.overlays,
                                          .steady_offline = device.state == PresenceState::offline});
        ++devices;
        return true;
    });
    MUSTER_ASSERT(read);
    return devices;
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t devices = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    const std::int64_t days = argc > 2 ? std::strtoll(argv[2], nullptr, 10) : 3;
    const ScratchDirectory directory;
    MetricRegistry metrics;
    auto opened = EmbeddedPresenceHistory::open({.directory = directory.path()}, metrics);
    MUSTER_ASSERT(opened);
    EmbeddedPresenceHistory& history = **opened;
    Fleet fleet(devices);

    auto began = Stopwatch::now();
    double cpu_began = cpu_seconds();
    std::size_t entries = fleet.begin(history);
    double checkpoint_max_s = 0;
    double checkpoint_max_cpu_s = 0;
    for (std::int64_t day = 0; day < days; ++day) {
        entries += fleet.live_a_day(history, first_day + day);
    }
    const double append_s = seconds_since(began);
    fmt::print("append: {} entries, {:.2f} us each, {:.2f} us of CPU\n", entries,
               append_s * 1e6 / static_cast<double>(entries),
               (cpu_seconds() - cpu_began) * 1e6 / static_cast<double>(entries));
    std::fflush(stdout);

    began = Stopwatch::now();
    const std::size_t checkpoints = static_cast<std::size_t>(days) * (devices / 20'000 + 2);
    for (std::size_t i = 0; i < checkpoints; ++i) {
        const auto one = Stopwatch::now();
        cpu_began = cpu_seconds();
        MUSTER_ASSERT(history.checkpoint());
        checkpoint_max_s = std::max(checkpoint_max_s, seconds_since(one));
        checkpoint_max_cpu_s = std::max(checkpoint_max_cpu_s, cpu_seconds() - cpu_began);
    }
    fmt::print("baselines of {} days in {} checkpoints: {:.2f} s, the longest {:.0f} ms, {:.0f} ms of CPU\n", days - 1,
               checkpoints, seconds_since(began), checkpoint_max_s * 1e3, checkpoint_max_cpu_s * 1e3);
    fmt::print("on disk, write-ahead log included: {:.1f} B an entry\n",
               static_cast<double>(bytes_in(directory.path())) / static_cast<double>(entries));

    Random random(7);
    std::vector<double> took;
    std::vector<double> took_cpu;
    for (int i = 0; i < questions; ++i) {
        const auto at = first_day * day_ms + day_ms +
                        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>((days - 1) * day_ms)));
        const auto one = Stopwatch::now();
        cpu_began = cpu_seconds();
        MUSTER_ASSERT(picture(history, from_epoch_ms(at)) == devices);
        took.push_back(seconds_since(one));
        took_cpu.push_back(cpu_seconds() - cpu_began);
    }
    std::sort(took.begin(), took.end());
    std::sort(took_cpu.begin(), took_cpu.end());
    fmt::print("the fleet at a random time: median {:.2f} s, longest {:.2f} s; of CPU {:.2f} s and {:.2f} s\n",
               took[took.size() / 2], took.back(), took_cpu[took_cpu.size() / 2], took_cpu.back());
    return 0;
}
