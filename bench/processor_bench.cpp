// The presence fold without a bus: what a record costs, at a million devices of one partition. Time is CPU time a
// record.
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include "base/random.h"
#include "processor/partition_fold.h"

namespace muster {
namespace {

constexpr std::string_view payload =
    R"({"ts":1700000000123,"battery":80.5,"rssi":-71,"temperature":21.25,"uptime_s":86400})";

/// Memory of the process that is in use, and nothing that was freed.
double resident_bytes() {
    (void)::malloc_trim(0);
    std::ifstream statm("/proc/self/statm");
    double size = 0;
    double resident = 0;
    statm >> size >> resident;
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

/// Packed records of telemetry, each of a device chosen at random, as a partition brings them.
class Fleet {
 public:
    explicit Fleet(std::size_t devices) {
        header_.gateway = "gw-1";
        header_.incarnation = 1;
        header_.epoch = 7;
        header_.received = from_epoch_ms(1'700'000'000'200);
        ids_.reserve(devices);
        FoldOutput out;
        for (std::size_t i = 0; i < devices; ++i) {
            ids_.push_back(fmt::format("sensor-{:08x}", static_cast<std::uint32_t>(i * 2654435761U)));
            header_.kind = EventKind::connect;
            header_.keep_alive_s = 60;
            apply(ids_.back(), "", out);
            header_.kind = EventKind::status;
            apply(ids_.back(), R"({"status":"ONLINE","region":"in/karnataka/ka-04","model":"m1","firmware":"1.0"})",
                  out);
            if (i % 1000 == 0) {
                out.clear();
            }
        }
        // Spoken to in an order that has nothing to do with that of their appearance; the keys themselves are read as
        // those of a batch are, one after the other.
        for (std::size_t i = devices - 1; i > 0; --i) {
            std::swap(ids_[i], ids_[random_.below(i + 1)]);
        }
    }
    void apply(std::string_view id, std::string_view value, FoldOutput& out) {
        packed_.clear();
        encode(header_, packed_);
        fold_.apply(packed_, id, value, offset_++, out);
    }
    /// `kind` of the next device.
    void speak(EventKind kind, std::string_view value, FoldOutput& out) {
        header_.kind = kind;
        apply(next(), value, out);
    }
    void tick(FoldOutput& out) {
        header_.kind = EventKind::tick;
        header_.received += Seconds(1);
        ++header_.sequence;
        apply({}, {}, out);
    }
    void transition(FoldOutput& out) {
        const std::string& id = next();
        header_.epoch += 1;
        header_.kind = EventKind::connect;
        apply(id, "", out);
        header_.kind = EventKind::disconnect;
        header_.cause = Cause::server_shutdown;
        apply(id, "", out);
    }
    PartitionFold& fold() { return fold_; }

 private:
    const std::string& next() {
        next_ = next_ + 1 == ids_.size() ? 0 : next_ + 1;
        return ids_[next_];
    }

    PartitionFold fold_{FoldOptions{}};
    EventHeader header_;
    std::string packed_;
    std::vector<std::string> ids_;
    std::size_t next_ = 0;
    Random random_{1};
    Offset offset_ = 0;
};

constexpr int batch = 1000;

/// One for all that leave its devices as they are: a million of them take longer to make than to measure.
Fleet& fleet_of(const benchmark::State& state) {
    static std::map<std::size_t, Fleet> fleets;
    const auto devices = static_cast<std::size_t>(state.range(0));
    return fleets.try_emplace(devices, devices).first->second;
}

void telemetry(benchmark::State& state) {
    Fleet& fleet = fleet_of(state);
    FoldOutput out;
    for (auto unused : state) {
        (void)unused;
        for (int i = 0; i < batch; ++i) {
            fleet.speak(EventKind::telemetry, payload, out);
        }
        out.clear();
    }
    state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(telemetry)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMicrosecond);

/// Presence alone: no payload to read.
void ping(benchmark::State& state) {
    Fleet& fleet = fleet_of(state);
    FoldOutput out;
    for (auto unused : state) {
        (void)unused;
        for (int i = 0; i < batch; ++i) {
            fleet.speak(EventKind::ping, {}, out);
        }
        out.clear();
    }
    state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(ping)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMicrosecond);

/// A connect and a disconnect: two documents, region counts, lifecycle events.
void session(benchmark::State& state) {
    Fleet fleet(static_cast<std::size_t>(state.range(0)));
    FoldOutput out;
    for (auto unused : state) {
        (void)unused;
        for (int i = 0; i < batch / 2; ++i) {
            fleet.transition(out);
        }
        out.clear();
    }
    state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(session)->Arg(100'000)->Unit(benchmark::kMicrosecond);

/// A second of a fleet that speaks every 30 s, with its tick and the deadlines: as much as one second of the design's
/// load.
void second_of_a_fleet(benchmark::State& state) {
    const auto devices = static_cast<std::size_t>(state.range(0));
    const double before = resident_bytes();
    Fleet fleet(devices);
    const double ids = static_cast<double>(sizeof(std::string));  // the benchmark's own, short ones
    state.counters["bytes_a_device"] = (resident_bytes() - before) / static_cast<double>(devices) - ids;
    state.counters["bytes_touched_by_a_sign_of_life"] = static_cast<double>(sizeof(DeviceState));
    FoldOutput out;
    for (auto unused : state) {
        (void)unused;
        for (std::size_t i = 0; i < devices / 30; ++i) {
            fleet.speak(EventKind::ping, {}, out);
        }
        fleet.tick(out);
        out.clear();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(devices / 30));
}
BENCHMARK(second_of_a_fleet)->Arg(1'000'000)->Iterations(60)->Unit(benchmark::kMillisecond);

void snapshot(benchmark::State& state) {
    Fleet fleet(static_cast<std::size_t>(state.range(0)));
    std::size_t bytes = 0;
    for (auto unused : state) {
        (void)unused;
        bytes = fleet.fold().snapshot().size();
    }
    state.counters["bytes_a_device"] = static_cast<double>(bytes) / static_cast<double>(state.range(0));
}
BENCHMARK(snapshot)->Arg(100'000)->Unit(benchmark::kMillisecond);

void restore(benchmark::State& state) {
    Fleet fleet(static_cast<std::size_t>(state.range(0)));
    const std::string bytes = fleet.fold().snapshot();
    for (auto unused : state) {
        (void)unused;
        benchmark::DoNotOptimize(PartitionFold::restore({}, bytes));
    }
}
BENCHMARK(restore)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace muster
