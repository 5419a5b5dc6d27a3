#include "processor/processor.h"

#include <algorithm>
#include <filesystem>

#include "bus/standard_topics.h"
#include "contract/bus_topics.h"
#include "processor/processor_worker.h"

namespace muster {
namespace {

constexpr std::size_t threads_max = 64;

Result<ProcessorTopics> open_topics(Bus& bus) {
    ProcessorTopics topics;
    TopicId events = 0;
    const std::pair<std::string_view, TopicId*> names[] = {
        {bus_topics::events, &events},
        {bus_topics::status, &topics.status},
        {bus_topics::regions, &topics.regions},
        {bus_topics::checkpoints, &topics.checkpoints},
        {bus_topics::messages, &topics.messages},
    };
    for (const auto& [name, id] : names) {
        const auto opened = bus.open_topic(standard_topic(name));
        if (!opened) {
            return tl::unexpected(opened.error());
        }
        *id = *opened;
    }
    return topics;
}

Result<void> check(const ProcessorOptions& options) {
    if (options.threads == 0 || options.threads > threads_max) {
        return fail(ErrorCode::invalid_argument, "a processor has 1 to 64 threads");
    }
    if (options.name.empty() || options.name.size() > gateway_name_bytes_max) {
        return fail(ErrorCode::invalid_argument, "a processor's name has 1 to 64 bytes", options.name);
    }
    std::error_code error;
    std::filesystem::create_directories(options.data_directory, error);
    if (error) {
        return fail(ErrorCode::io, "cannot make the processor's directory",
                    options.data_directory + ": " + error.message());
    }
    return {};
}

}  // namespace

Processor::Processor() = default;

Processor::~Processor() {
    stop();
}

Result<std::unique_ptr<Processor>> Processor::start(ProcessorOptions options, Bus& bus, StatusStore& status,
                                                    HistoryStore& history, const Clock& clock,
                                                    MetricRegistry& metrics) {
    if (auto checked = check(options); !checked) {
        return tl::unexpected(checked.error());
    }
    const auto topics = open_topics(bus);
    if (!topics) {
        return tl::unexpected(topics.error());
    }
    std::unique_ptr<Processor> processor(new Processor());
    processor->options_ = std::make_unique<ProcessorOptions>(std::move(options));
    processor->metrics_ = std::make_unique<ProcessorMetrics>(metrics);
    const ProcessorPlaces places{bus, status, history, clock, *processor->metrics_, *topics};
    for (std::size_t i = 0; i < processor->options_->threads; ++i) {
        processor->workers_.push_back(std::make_unique<ProcessorWorker>(*processor->options_, places));
        if (auto started = processor->workers_.back()->start(); !started) {
            return tl::unexpected(started.error());
        }
    }
    processor->refresh_ = metrics.on_render([raw = processor.get()] { raw->export_progress(); });
    return processor;
}

void Processor::stop() {
    refresh_.reset();
    for (const auto& worker : workers_) {
        worker->ask_to_stop();
    }
    for (const auto& worker : workers_) {
        worker->join();
    }
}

ProcessorProgress Processor::progress() const {
    ProcessorProgress sum;
    for (const auto& worker : workers_) {
        const ProcessorProgress one = worker->progress();
        sum.records += one.records;
        sum.bytes += one.bytes;
        sum.lag += one.lag;
        sum.devices += one.devices;
        sum.newest = std::max(sum.newest, one.newest);
    }
    return sum;
}

void Processor::export_progress() const {
    const ProcessorProgress sum = progress();
    metrics_->lag.Set(static_cast<double>(sum.lag));
    metrics_->devices.Set(static_cast<double>(sum.devices));
    metrics_->partition_time.Set(static_cast<double>(to_epoch_ms(sum.newest)) / 1000.0);
}

}  // namespace muster
