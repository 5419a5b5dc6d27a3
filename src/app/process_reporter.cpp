#include "app/process_reporter.h"

#include "base/thread.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"

namespace muster {
namespace {

constexpr Millis interval{1'000};
constexpr Millis farewell_timeout{1'000};
constexpr std::size_t queue_bytes_max = 1U << 20U;

}  // namespace

Result<std::unique_ptr<ProcessReporter>> ProcessReporter::start(ProcessReport report,
                                                                std::function<void(ProcessReport&)> fill, Bus& bus,
                                                                const Clock& clock) {
    const auto topic = bus.open_topic(standard_topic(bus_topics::processes));
    if (!topic) {
        return tl::unexpected(topic.error());
    }
    return std::unique_ptr<ProcessReporter>(
        new ProcessReporter(std::move(report), std::move(fill), *topic, bus, clock));
}

ProcessReporter::ProcessReporter(ProcessReport report, std::function<void(ProcessReport&)> fill, TopicId topic,
                                 Bus& bus, const Clock& clock)
    : report_(std::move(report)), fill_(std::move(fill)), topic_(topic), clock_(clock) {
    report_.since = clock.now();
    ProducerOptions options;
    options.name = report_.role + "-report";
    options.queue_bytes_max = queue_bytes_max;
    producer_ = bus.producer(std::move(options));
    thread_ = start_thread("report", [this] { run(); });
}

ProcessReporter::~ProcessReporter() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wakened_.notify_all();
    thread_.join();
}

void ProcessReporter::run() {
    std::unique_lock lock(mutex_);
    do {
        lock.unlock();
        send();
        lock.lock();
    } while (!wakened_.wait_for(lock, interval, [this] { return stopping_; }));
    const std::string key = process_key(report_.role, report_.name);
    ProducerRecord farewell;
    farewell.key = key;
    farewell.time = clock_.now();
    farewell.tombstone = true;
    // Who is not told goes by the age of the last report.
    (void)producer_->send(topic_, farewell, 0);
    (void)producer_->drain(farewell_timeout);
}

void ProcessReporter::send() {
    producer_->flush();  // and hears of what has become durable
    if (producer_->queued_bytes() > 0) {
        return;  // the last one has not left yet
    }
    fill_(report_);
    report_.time = clock_.now();
    const std::string key = process_key(report_.role, report_.name);
    const std::string value = to_json(report_);
    ProducerRecord record;
    record.key = key;
    record.value = value;
    record.time = report_.time;
    (void)producer_->send(topic_, record, 0);
    producer_->flush();
}

}  // namespace muster
