// The embedded history store under a fleet's telemetry: ingest with checkpoints, what it takes of memory and disk,
// the start after a kill, a replay, queries warm and cold, and rollups. CPU time stands beside wall time, as machines
// are shared.
// Usage: muster_history_bench [devices] [hours] [seconds between checkpoints] [directory]
//        muster_history_bench --same devices hours         one line of figures, to stand beside other databases
//        muster_history_bench --csv devices hours          the same samples as lines, for these

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
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
constexpr std::int64_t checkpoint_s_usual = 5;
constexpr std::size_t batch_samples = 5'000;

double seconds_since(Steady::time_point begun) {
    return std::chrono::duration<double>(Steady::now() - begun).count();
}

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

/// User and system time of this process, RocksDB's threads included.
double cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

/// Of the calling thread.
double thread_seconds() {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

/// Adds up how long parts of a run take.
struct Spent {
    double wall_s = 0;
    double cpu_s = 0;  ///< of the calling thread

    template <class Part>
    void run(Part&& part) {
        const auto begun = Steady::now();
        const double cpu_begun = thread_seconds();
        part();
        cpu_s += thread_seconds() - cpu_begun;
        wall_s += seconds_since(begun);
    }
};

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

int write_csv(std::size_t devices, std::int64_t hours) {
    std::vector<Sensor> fleet = make_fleet(devices);
    for_each_sample(fleet, hours * 3'600'000 / interval_ms, [](const Sample& sample) {
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
    Bench(std::size_t devices, std::int64_t hours, std::int64_t checkpoint_s, std::string directory)
        : fleet_(make_fleet(devices)),
          rounds_(hours * 3'600'000 / interval_ms),
          checkpoint_ms_(checkpoint_s * 1000),
          directory_(std::move(directory)) {
        open();
    }

    void ingest() {
        const double before = resident_mib();
        std::vector<double> checkpoints;
        Spent append;
        Spent checkpoint;
        const double cpu_begun = cpu_seconds();
        Spent all;
        all.run([&] { samples_ = feed(0, append, checkpoint, checkpoints); });
        cpu_s_ = cpu_seconds() - cpu_begun - (all.cpu_s - append.cpu_s - checkpoint.cpu_s);
        wall_s_ = append.wall_s + checkpoint.wall_s;
        std::ranges::sort(checkpoints);
        const double n = static_cast<double>(samples_);
        std::printf(
            "ingest: %llu samples of 4 metrics, %zu devices: %.2f us a sample to append (CPU %.2f), %.2f us for "
            "checkpoints (CPU %.2f), RocksDB's threads included %.2f us of CPU\n",
            static_cast<unsigned long long>(samples_), fleet_.size(), 1e6 * append.wall_s / n, 1e6 * append.cpu_s / n,
            1e6 * checkpoint.wall_s / n, 1e6 * checkpoint.cpu_s / n, 1e6 * cpu_s_ / n);
        std::printf("checkpoints: %zu, p50 %.1f ms, p99 %.1f ms, max %.0f ms\n", checkpoints.size(),
                    1e3 * checkpoints[checkpoints.size() / 2], 1e3 * checkpoints[checkpoints.size() * 99 / 100],
                    1e3 * checkpoints.back());
        std::printf("memory: %.0f B of rows a device; %.0f MiB more than before in all, RocksDB's included\n",
                    static_cast<double>(store_->open_bytes()) / static_cast<double>(fleet_.size()),
                    resident_mib() - before);
    }

    /// What was appended last comes again, as from the bus after a kill.
    void replay(std::int64_t rounds) {
        fleet_ = make_fleet(fleet_.size());
        std::vector<double> checkpoints;
        Spent append;
        Spent checkpoint;
        const std::uint64_t count = feed(std::max<std::int64_t>(rounds_ - rounds, 0), append, checkpoint, checkpoints);
        std::printf("replay of the last %llu samples: %.2f us a sample (CPU %.2f), checkpoints included\n",
                    static_cast<unsigned long long>(count),
                    1e6 * (append.wall_s + checkpoint.wall_s) / static_cast<double>(count),
                    1e6 * (append.cpu_s + checkpoint.cpu_s) / static_cast<double>(count));
    }

    void restart() {
        store_.reset();
        Spent spent;
        spent.run([this] { open(); });
        std::printf("start after a kill: %.2f s (CPU %.2f), %.0f MiB of open rows\n", spent.wall_s, spent.cpu_s,
                    static_cast<double>(store_->open_bytes()) / (1 << 20));
    }

    void disk() {
        Spent spent;
        spent.run([this] { must(store_->seal_all()); });
        std::printf("sealing what is open and rolling up: %.2f s (CPU %.2f)\n", spent.wall_s, spent.cpu_s);
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
        HistoryQuery asked;
        asked.points_max = points;
        const auto [p50, p99] = quantiles(asked, hours, cold);
        std::printf("%s: p50 %.2f ms, p99 %.2f ms\n", what, p50, p99);
    }

    /// Samples, CPU and wall time in us a sample, bytes a sample on disk, p50 and p99 in ms of an hour of one metric by
    /// minute.
    void print_line() {
        const double n = static_cast<double>(samples_);
        must(store_->seal_all());
        HistoryQuery asked;
        asked.metrics = {"temp"};
        asked.points_max = 60;
        asked.resolution = Resolution::minute;
        const auto [p50, p99] = quantiles(asked, 1, false);
        const auto check = store_->verify([](std::uint64_t) { return true; });
        if (!check) {
            std::exit(1);
        }
        std::printf("line %llu %.3f %.3f %.3f %.3f %.3f\n", static_cast<unsigned long long>(samples_), 1e6 * cpu_s_ / n,
                    1e6 * wall_s_ / n, static_cast<double>(check->bytes) / n, p50, p99);
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
    /// Gives the number of samples appended.
    std::uint64_t feed(std::int64_t first_round, Spent& append, Spent& checkpoint, std::vector<double>& checkpoints) {
        std::vector<Sample> batch;
        std::uint64_t count = 0;
        const std::int64_t begin = start_ms + first_round * interval_ms;
        std::int64_t checkpointed = begin;
        const auto append_batch = [&] {
            append.run([&] { must(store_->append(batch)); });
            count += batch.size();
            batch.clear();
        };
        const auto keep = [&] {
            const double before = checkpoint.wall_s;
            checkpoint.run([&] { must(store_->checkpoint()); });
            checkpoints.push_back(checkpoint.wall_s - before);
        };
        for_each_sample(fleet_, rounds_, [&](const Sample& sample) {
            const std::int64_t time = to_epoch_ms(sample.time);
            if (time < begin) {
                return;
            }
            batch.push_back(sample);
            if (batch.size() >= std::min(batch_samples, fleet_.size())) {
                append_batch();
            }
            if (time >= checkpointed + checkpoint_ms_) {
                append_batch();
                checkpointed = time;
                keep();
            }
        });
        append_batch();
        keep();
        return count;
    }

    /// Of the time that a query of a random device takes. Warm ones are of 200 devices.
    std::pair<double, double> quantiles(HistoryQuery asked, std::int64_t hours, bool cold) {
        std::vector<double> milliseconds;
        Random random(7);
        const std::int64_t end = start_ms + rounds_ * interval_ms;
        asked.from = from_epoch_ms(end - hours * 3'600'000);
        asked.to = from_epoch_ms(end);
        for (int i = 0; i < (cold ? 50 : 1000); ++i) {
            if (cold) {
                store_.reset();
                drop_page_cache();
                open();
            }
            const std::uint64_t device = random.below(fleet_.size());
            asked.device = fleet_[cold ? device : device % 200].id();
            const auto begun = Steady::now();
            const auto result = store_->query(asked);
            milliseconds.push_back(1e3 * seconds_since(begun));
            if (!result || result->series.size() != (asked.metrics.empty() ? 4 : asked.metrics.size())) {
                std::exit(1);
            }
        }
        std::ranges::sort(milliseconds);
        return {milliseconds[milliseconds.size() / 2], milliseconds[milliseconds.size() * 99 / 100]};
    }

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
    std::int64_t checkpoint_ms_;
    std::string directory_;
    std::uint64_t samples_ = 0;
    double wall_s_ = 0;  ///< of the ingest, without the making of the samples
    double cpu_s_ = 0;   ///< the same, with RocksDB's threads
    MetricRegistry metrics_;
    std::unique_ptr<EmbeddedHistoryStore> store_;
};

std::int64_t number(int argc, char** argv, int at, std::int64_t otherwise) {
    return argc > at ? std::strtoll(argv[at], nullptr, 10) : otherwise;
}

int run(int argc, char** argv) {
    const std::string_view mode = argc > 1 ? argv[1] : "";
    if (mode == "--csv") {
        return write_csv(static_cast<std::size_t>(number(argc, argv, 2, 1000)), number(argc, argv, 3, 1));
    }
    const ScratchDirectory scratch;
    if (mode == "--same") {
        Bench bench(static_cast<std::size_t>(number(argc, argv, 2, 1000)), number(argc, argv, 3, 1), checkpoint_s_usual,
                    scratch.path());
        bench.ingest();
        bench.print_line();
        return 0;
    }
    const std::string directory = argc > 4 ? argv[4] : scratch.path();
    const std::int64_t hours = number(argc, argv, 2, 4);
    Bench bench(static_cast<std::size_t>(number(argc, argv, 1, 50'000)), hours,
                number(argc, argv, 3, checkpoint_s_usual), directory);
    bench.ingest();
    bench.restart();
    bench.replay(20);
    if (hours >= 24) {
        bench.query("24 h, half of it still open, 500 points", 24, 500, false);
    }
    bench.disk();
    std::printf("on disk in all: %.1f MiB\n", static_cast<double>(bytes_below(directory)) / (1 << 20));
    for (const auto& [what, span, cold] :
         {std::tuple{"1 h warm, 500 points", 1, false}, std::tuple{"24 h warm, 500 points", 24, false},
          std::tuple{"7 days warm, 500 points", 168, false}, std::tuple{"7 days cold, 500 points", 168, true}}) {
        if (hours >= span) {
            bench.query(what, span, 500, cold);
        }
    }
    bench.fleet_query(10'000);
    return 0;
}

}  // namespace
}  // namespace muster

int main(int argc, char** argv) {
    return muster::run(argc, argv);
}
