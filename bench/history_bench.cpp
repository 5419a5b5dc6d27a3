// The embedded history store under a fleet's telemetry: ingest with checkpoints, what it takes of memory and disk,
// queries warm and cold, the start after a kill, and rollups.
// Usage: muster_history_bench [devices] [hours] [directory]
//        muster_history_bench --csv devices samples        the same samples as lines, for other databases

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "base/random.h"
#include "history/column_codec.h"
#include "history/embedded_history_store.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::int64_t start_ms = 1'700'006'400'000;  // the beginning of a day
constexpr std::int64_t interval_ms = 30'000;
constexpr std::int64_t checkpoint_ms = 5'000;
constexpr std::size_t batch_samples = 5'000;

double seconds_since(Steady::time_point begun) {
    return std::chrono::duration<double>(Steady::now() - begun).count();
}

double resident_mib() {
    std::ifstream statm("/proc/self/statm");
    double total = 0;
    double resident = 0;
    statm >> total >> resident;
    return resident * 4096 / (1 << 20);
}

std::uint64_t bytes_below(const std::string& directory) {
    std::uint64_t sum = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
        sum += entry.is_regular_file() ? entry.file_size() : 0;
    }
    return sum;
}

/// One simulated sensor: a temperature that wanders in tenths, a battery that falls in hundredths, a signal that
/// scatters by a few whole numbers, a load in hundredths. Each sample is some milliseconds off its half minute.
class Sensor final {
 public:
    explicit Sensor(std::size_t number) : id_("device-" + std::to_string(10'000'000 + number)) {}

    void step(Random& random) {
        const std::uint64_t dice = random.next();
        temperature_ += static_cast<int>(dice % 3) - 1;
        battery_ -= (dice >> 8U) % 200 == 0 ? 1 : 0;
        metrics_[0].second = unscaled(temperature_, 1);
        metrics_[1].second = unscaled(battery_, 2);
        metrics_[2].second = -70 + static_cast<double>((dice >> 16U) % 4 + (dice >> 20U) % 4);
        metrics_[3].second = unscaled(static_cast<std::int64_t>(20 + (dice >> 24U) % 8 + (dice >> 28U) % 8), 2);
        jitter_ms_ = static_cast<std::int64_t>((dice >> 32U) % 50);
    }
    [[nodiscard]] Sample at(std::int64_t time) const { return {id_, from_epoch_ms(time + jitter_ms_), metrics_}; }
    [[nodiscard]] const std::string& id() const { return id_; }

 private:
    std::string id_;
    int temperature_ = 205;
    int battery_ = 410;
    std::int64_t jitter_ms_ = 0;
    std::pair<std::string_view, double> metrics_[4] = {{"temp", 0}, {"battery", 0}, {"rssi", 0}, {"load", 0}};
};

/// Calls `visit` with every sample, in the order in which a fleet sends them.
template <class Visit>
void for_each_sample(std::vector<Sensor>& fleet, std::int64_t rounds, Visit&& visit) {
    Random random(1);
    for (std::int64_t round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < fleet.size(); ++i) {
            const auto phase = static_cast<std::int64_t>(i) * interval_ms / static_cast<std::int64_t>(fleet.size());
            fleet[i].step(random);
            visit(fleet[i].at(start_ms + round * interval_ms + phase));
        }
    }
}

std::vector<Sensor> make_fleet(std::size_t devices) {
    std::vector<Sensor> fleet;
    for (std::size_t i = 0; i < devices; ++i) {
        fleet.emplace_back(i);
    }
    return fleet;
}

int write_csv(std::size_t devices, std::size_t samples) {
    std::vector<Sensor> fleet = make_fleet(devices);
    for_each_sample(fleet, static_cast<std::int64_t>(samples / devices), [](const Sample& sample) {
        std::printf("%.*s,%lld,%g,%g,%g,%g\n", static_cast<int>(sample.device.size()), sample.device.data(),
                    static_cast<long long>(to_epoch_ms(sample.time)), sample.metrics[0].second,
                    sample.metrics[1].second, sample.metrics[2].second, sample.metrics[3].second);
    });
    return 0;
}

void must(const Result<void>& result) {
    if (!result) {
        std::fprintf(stderr, "%s\n", result.error().message().c_str());
        std::exit(1);
    }
}

class Bench final {
 public:
    Bench(std::size_t devices, std::int64_t hours, std::string directory)
        : fleet_(make_fleet(devices)), rounds_(hours * 3'600'000 / interval_ms), directory_(std::move(directory)) {
        open();
    }

    void ingest() {
        const double before = resident_mib();
        std::vector<Sample> batch;
        std::vector<double> checkpoints;
        std::uint64_t count = 0;
        double append_s = 0;
        double checkpoint_s = 0;
        std::int64_t checkpointed = start_ms;
        const auto append = [&] {
            const auto begun = Steady::now();
            must(store_->append(batch));
            append_s += seconds_since(begun);
            count += batch.size();
            batch.clear();
        };
        for_each_sample(fleet_, rounds_, [&](const Sample& sample) {
            batch.push_back(sample);
            const std::int64_t time = to_epoch_ms(sample.time);
            if (batch.size() >= std::min(batch_samples, fleet_.size())) {
                append();
            }
            if (time >= checkpointed + checkpoint_ms) {
                append();
                checkpointed = time;
                const auto begun = Steady::now();
                must(store_->checkpoint());
                checkpoints.push_back(seconds_since(begun));
                checkpoint_s += checkpoints.back();
            }
        });
        append();
        must(store_->checkpoint());
        samples_ = count;
        std::ranges::sort(checkpoints);
        const double n = static_cast<double>(count);
        std::printf(
            "ingest: %llu samples of 4 metrics, %zu devices: %.2f us a sample to append, %.2f us for checkpoints\n",
            static_cast<unsigned long long>(count), fleet_.size(), 1e6 * append_s / n, 1e6 * checkpoint_s / n);
        std::printf("checkpoints: %zu, p50 %.0f ms, p99 %.0f ms, max %.0f ms\n", checkpoints.size(),
                    1e3 * checkpoints[checkpoints.size() / 2], 1e3 * checkpoints[checkpoints.size() * 99 / 100],
                    1e3 * checkpoints.back());
        std::printf("memory: %.0f B of rows a device; %.0f MiB more than before in all, RocksDB's included\n",
                    static_cast<double>(store_->open_bytes()) / static_cast<double>(fleet_.size()),
                    resident_mib() - before);
    }

    void restart() {
        store_.reset();
        const auto begun = Steady::now();
        open();
        std::printf("start after a kill: %.2f s, %.0f MiB of open rows\n", seconds_since(begun),
                    static_cast<double>(store_->open_bytes()) / (1 << 20));
    }

    void disk() {
        const auto begun = Steady::now();
        must(store_->seal_all());
        std::printf("sealing what is open and rolling up: %.2f s\n", seconds_since(begun));
        const auto check = store_->verify([](std::uint64_t) { return true; });
        if (!check) {
            std::exit(1);
        }
        std::printf("chunks: %llu of %.0f samples; %llu rollup chunks; all values %.2f B a sample\n",
                    static_cast<unsigned long long>(check->chunks),
                    static_cast<double>(check->samples) / static_cast<double>(check->chunks),
                    static_cast<unsigned long long>(check->rollups),
                    static_cast<double>(check->bytes) / static_cast<double>(samples_));
        const auto disk = store_->disk();
        std::printf("disk as the store measures it: raw %.2f B, rollups %.2f B, other %.2f B a sample\n",
                    static_cast<double>(disk->raw_bytes) / static_cast<double>(samples_),
                    static_cast<double>(disk->rollup_bytes) / static_cast<double>(samples_),
                    static_cast<double>(disk->other_bytes) / static_cast<double>(samples_));
    }

    void query(const char* what, std::int64_t hours, std::size_t points, bool cold) {
        std::vector<double> milliseconds;
        Random random(7);
        const std::int64_t end = start_ms + rounds_ * interval_ms;
        for (int i = 0; i < (cold ? 50 : 1000); ++i) {
            if (cold) {
                store_.reset();
                drop_page_cache();
                open();
            }
            const std::string& device =
                fleet_[cold ? random.below(fleet_.size()) : random.below(fleet_.size()) % 200].id();
            const auto begun = Steady::now();
            const auto result =
                store_->query({device, from_epoch_ms(end - hours * 3'600'000), from_epoch_ms(end), {}, points});
            milliseconds.push_back(1e3 * seconds_since(begun));
            if (!result || result->series.size() != 4) {
                std::exit(1);
            }
        }
        std::ranges::sort(milliseconds);
        std::printf("%s: p50 %.2f ms, p99 %.2f ms\n", what, milliseconds[milliseconds.size() / 2],
                    milliseconds[milliseconds.size() * 99 / 100]);
    }

    void fleet_query(std::size_t devices) {
        std::vector<std::string> ids;
        for (std::size_t i = 0; i < std::min(devices, fleet_.size()); ++i) {
            ids.push_back(fleet_[i].id());
        }
        const std::int64_t end = start_ms + rounds_ * interval_ms;
        auto begun = Steady::now();
        const auto series =
            store_->fleet_series({ids, "temp", from_epoch_ms(end - 24 * 3'600'000LL), from_epoch_ms(end)});
        std::printf("average by minute of %zu devices over 24 h: %.2f s, %zu points\n", ids.size(),
                    seconds_since(begun), series ? series->points.size() : 0);
        begun = Steady::now();
        TopQuery top;
        top.devices = ids;
        top.metric = "temp";
        top.from = from_epoch_ms(end - 3'600'000);
        top.to = from_epoch_ms(end);
        const auto changes = store_->top(top);
        std::printf("top 10 of %zu devices by change over 1 h: %.2f s\n", ids.size(), seconds_since(begun));
        if (!changes) {
            std::exit(1);
        }
    }

 private:
    void open() {
        auto opened = EmbeddedHistoryStore::open({.directory = directory_}, metrics_);
        if (!opened) {
            std::fprintf(stderr, "%s\n", opened.error().message().c_str());
            std::exit(1);
        }
        store_ = std::move(*opened);
    }
    /// Of the store's files; RocksDB's own cache is kept by the process, and so a little is warm.
    void drop_page_cache() const {
        for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
            const int file = ::open(entry.path().c_str(), O_RDONLY);
            if (file >= 0) {
                (void)::fdatasync(file);
                (void)::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
                ::close(file);
            }
        }
    }

    std::vector<Sensor> fleet_;
    std::int64_t rounds_;
    std::string directory_;
    std::uint64_t samples_ = 0;
    MetricRegistry metrics_;
    std::unique_ptr<EmbeddedHistoryStore> store_;
};

int run(int argc, char** argv) {
    if (argc == 4 && std::string_view(argv[1]) == "--csv") {
        return write_csv(std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10));
    }
    const ScratchDirectory scratch;
    const std::int64_t hours = argc > 2 ? std::strtoll(argv[2], nullptr, 10) : 4;
    Bench bench(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 50'000, hours, argc > 3 ? argv[3] : scratch.path());
    bench.ingest();
    bench.restart();
    if (hours >= 24) {
        bench.query("24 h, half of it still open, 500 points", 24, 500, false);
    }
    bench.disk();
    std::printf("on disk in all: %.1f MiB\n",
                static_cast<double>(bytes_below(argc > 3 ? argv[3] : scratch.path())) / (1 << 20));
    bench.query("1 h warm, 500 points", 1, 500, false);
    bench.query("24 h warm, 500 points", std::min<std::int64_t>(hours, 24), 500, false);
    bench.query("7 days warm, 500 points", std::min<std::int64_t>(hours, 168), 500, false);
    bench.query("7 days cold, 500 points", std::min<std::int64_t>(hours, 168), 500, true);
    bench.fleet_query(10'000);
    return 0;
}

}  // namespace
}  // namespace muster

int main(int argc, char** argv) {
    return muster::run(argc, argv);
}
