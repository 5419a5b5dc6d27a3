#include "app/process_watch.h"

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "base/thread.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"

namespace muster {
namespace {

constexpr Millis poll_wait{500};

}  // namespace

Result<std::unique_ptr<ProcessWatch>> ProcessWatch::start(Bus& bus, const Clock& clock, MetricRegistry& metrics) {
    if (const auto opened = bus.open_topic(standard_topic(bus_topics::processes)); !opened) {
        return tl::unexpected(opened.error());
    }
    ConsumerOptions options;
    options.topics = {std::string(bus_topics::processes)};
    // What was said before is stale or is said again within a second.
    options.start = ConsumerOptions::Start::latest;
    auto consumer = bus.consumer(std::move(options));
    if (!consumer) {
        return tl::unexpected(consumer.error());
    }
    return std::unique_ptr<ProcessWatch>(new ProcessWatch(std::move(*consumer), clock, metrics));
}

ProcessWatch::ProcessWatch(std::unique_ptr<Consumer> consumer, const Clock& clock, MetricRegistry& metrics)
    : consumer_(std::move(consumer)),
      clock_(clock),
      malformed_(metrics.counter("muster_cluster_malformed_reports_total",
                                 "Records of muster.processes that could not be read")),
      live_(metrics.gauge("muster_cluster_processes", "Processes of the cluster heard from in the last 10 s")),
      meter_(clock) {
    thread_ = start_thread("process-watch", [this] { run(); });
}

ProcessWatch::~ProcessWatch() {
    stopping_ = true;
    consumer_->wake();
    thread_.join();
}

void ProcessWatch::run() {
    while (!stopping_) {
        const auto polled = consumer_->poll(poll_wait, [this](const ConsumerRecord& record) { on_record(record); });
        if (!polled) {
            spdlog::warn("api: reports of the cluster's processes cannot be read: {}", polled.error().message());
            std::this_thread::sleep_for(poll_wait);
        }
    }
}

void ProcessWatch::on_record(const ConsumerRecord& record) {
    const std::lock_guard lock(mutex_);
    if (record.tombstone) {
        processes_.erase(std::string(record.key));
        return;
    }
    auto report = parse_process_report(record.value);
    if (!report) {
        malformed_.Increment();
        return;
    }
    const auto [place, is_new] = processes_.try_emplace(std::string(record.key));
    Heard& heard = place->second;
    if (!is_new) {
        count(heard.report, *report);
    }
    heard.report = std::move(*report);
    heard.at = clock_.monotonic();
    if (processes_.size() > processes_max) {
        processes_.erase(std::min_element(processes_.begin(), processes_.end(),
                                          [](const auto& a, const auto& b) { return a.second.at < b.second.at; }));
    }
}

/// Adds what the process did since its last report; after a restart it counts from zero again.
void ProcessWatch::count(const ProcessReport& before, const ProcessReport& now) {
    const bool is_same_start = now.records >= before.records && now.bytes >= before.bytes;
    records_ += now.records - (is_same_start ? before.records : 0);
    bytes_ += now.bytes - (is_same_start ? before.bytes : 0);
}

PipelineHealth ProcessWatch::health() {
    PipelineHealth health;
    ProcessorProgress progress;
    {
        const std::lock_guard lock(mutex_);
        const Millis now = clock_.monotonic();
        std::optional<Timestamp> slowest;
        std::size_t live = 0;
        for (const auto& [key, heard] : processes_) {
            if (now - heard.at > silent_after) {
                continue;
            }
            ++live;
            const ProcessReport& report = heard.report;
            health.processes.push_back({report.role, report.name, report.since, report.lag, report.devices});
            if (report.role == "gateway") {
                health.gateways.push_back({report.name, report.sessions, report.since, report.draining});
            } else if (report.role == "processor" && report.newest != Timestamp{}) {
                slowest = slowest ? std::min(*slowest, report.newest) : report.newest;
            }
        }
        live_.Set(static_cast<double>(live));
        newest_ = slowest.value_or(newest_);
        progress.records = records_;
        progress.bytes = bytes_;
        progress.newest = newest_;
    }
    meter_.measure(progress, health);
    return health;
}

}  // namespace muster
