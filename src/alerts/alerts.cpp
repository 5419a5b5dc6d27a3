#include "alerts/alerts.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "base/thread.h"
#include "contract/bus_topics.h"

namespace muster {
namespace {

constexpr Millis drain_timeout{5000};

/// Every partition from its beginning, for nobody's group.
Result<std::unique_ptr<Consumer>> reader_of(Bus& bus, std::string_view topic) {
    ConsumerOptions options;
    options.topics = {std::string(topic)};
    return bus.consumer(std::move(options));
}

}  // namespace

/// The role's thread and all that belongs to it.
class Alerts::Worker final {
 public:
    Worker(AlertsOptions options, Bus& bus, const Clock& clock, MetricRegistry& metrics)
        : options_(std::move(options)),
          bus_(bus),
          clock_(clock),
          rule_(options_.region_rule),
          opened_(metrics.counter("muster_alerts_incidents_total", "Incidents opened")),
          malformed_(metrics.counter("muster_alerts_poison_total", "Records that could not be read")),
          refused_(metrics.counter("muster_alerts_regions_refused_total", "Reports over the bound of regions")),
          retries_(metrics.counter("muster_alerts_retries_total", "Attempts that the bus refused")),
          open_(metrics.gauge("muster_alerts_incidents_open", "Incidents that are open")),
          regions_(metrics.gauge("muster_alerts_regions", "Regions whose counts are known")) {}

    ~Worker() { stop(); }

    Result<void> start() {
        for (const std::string_view name : {bus_topics::regions, bus_topics::alerts}) {
            auto opened = bus_.open_topic({.name = std::string(name), .cleanup = TopicSpec::Cleanup::compacted});
            if (!opened) {
                return tl::unexpected(opened.error());
            }
            topic_ = *opened;
        }
        ProducerOptions producer;
        producer.name = options_.name;
        producer_ = bus_.producer(std::move(producer));
        for (const auto& [topic, consumer] :
             {std::pair{bus_topics::alerts, &incidents_}, {bus_topics::regions, &reports_}}) {
            auto made = reader_of(bus_, topic);
            if (!made) {
                return tl::unexpected(made.error());
            }
            *consumer = std::move(*made);
        }
        thread_ = start_thread("alerts", [this] { run(); });
        return {};
    }

    void stop() {
        if (!thread_.joinable()) {
            return;
        }
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wakened_.notify_all();
        incidents_->wake();
        reports_->wake();
        thread_.join();
    }

 private:
    void run() {
        read_back();
        while (!stopping()) {
            poll(*reports_, [this](const ConsumerRecord& record) { on_report(record); });
            publish();
        }
        if (auto drained = producer_->drain(drain_timeout); !drained) {
            complain("hand over the last incidents", drained.error());
        }
    }

    /// What was open, and where every region stands, before anything is judged.
    void read_back() {
        std::map<std::string, Incident> newest;
        while (!stopping() && !incidents_->caught_up()) {
            poll(*incidents_, [&](const ConsumerRecord& record) { keep_newest(record, newest); });
        }
        for (const auto& [id, incident] : newest) {
            rule_.adopt(incident);
            if (incident.open) {
                told_.insert(id);
            }
        }
        rule_.set_judging(false);
        while (!stopping() && !reports_->caught_up()) {
            poll(*reports_, [this](const ConsumerRecord& record) { on_report(record); });
        }
        rule_.set_judging(true);
        publish();
    }

    void keep_newest(const ConsumerRecord& record, std::map<std::string, Incident>& newest) {
        auto incident = parse_incident(record.value);
        if (record.tombstone) {
            newest.erase(std::string(record.key));
        } else if (incident) {
            newest.insert_or_assign(incident->id, std::move(*incident));
        } else {
            malformed_.Increment();
        }
    }

    void on_report(const ConsumerRecord& record) {
        const auto report = parse_region_report(record.value);
        if (!report) {
            malformed_.Increment();
        } else if (!rule_.on_report(*report, changed_)) {
            refused_.Increment();
        }
    }

    /// A failing bus is asked again, after a pause.
    void poll(Consumer& consumer, FunctionRef<void(const ConsumerRecord&)> on_record) {
        if (auto polled = consumer.poll(options_.idle, on_record); !polled) {
            complain("read the bus", polled.error());
            pause();
        }
    }

    void publish() {
        for (const Incident& incident : changed_) {
            tell(incident);
            const std::string value = to_json(incident);
            const ProducerRecord record{.key = incident.id, .value = value, .headers = {}, .time = time_of(incident)};
            for (auto sent = producer_->send(topic_, record, 0); !sent; sent = producer_->send(topic_, record, 0)) {
                complain("write an incident", sent.error());
                if (stopping()) {
                    return;
                }
                pause();
            }
        }
        if (!changed_.empty()) {
            producer_->flush();
        }
        changed_.clear();
        open_.Set(static_cast<double>(rule_.open_incidents().size()));
        regions_.Set(static_cast<double>(rule_.sums().regions().size()));
    }

    static Timestamp time_of(const Incident& incident) {
        return incident.timeline.empty() ? incident.opened : incident.timeline.back().time;
    }

    void tell(const Incident& incident) {
        if (!incident.open) {
            told_.erase(incident.id);
            spdlog::info("alerts: {} has ended: {}", incident.id, incident.timeline.back().text);
        } else if (told_.insert(incident.id).second) {
            opened_.Increment();
            spdlog::warn("alerts: {}: {}", incident.id, incident.summary);
        }
    }

    void complain(std::string_view what, const Error& error) {
        retries_.Increment();
        std::uint64_t swallowed = 0;
        if (log_.allow(clock_.monotonic(), swallowed)) {
            spdlog::warn("alerts: cannot {}: {}; trying again ({} more such failures)", what, error.message(),
                         swallowed);
        }
    }

    [[nodiscard]] bool stopping() {
        const std::lock_guard lock(mutex_);
        return stopping_;
    }

    void pause() {
        std::unique_lock lock(mutex_);
        wakened_.wait_for(lock, options_.retry, [this] { return stopping_; });
    }

    const AlertsOptions options_;
    Bus& bus_;
    const Clock& clock_;
    RegionRule rule_;
    Counter& opened_;
    Counter& malformed_;
    Counter& refused_;
    Counter& retries_;
    Gauge& open_;
    Gauge& regions_;
    TopicId topic_ = 0;  ///< muster.alerts
    std::unique_ptr<Producer> producer_;
    std::unique_ptr<Consumer> incidents_;
    std::unique_ptr<Consumer> reports_;
    std::vector<Incident> changed_;
    std::set<std::string> told_;  ///< open incidents that were announced
    LogLimit log_;

    std::mutex mutex_;  ///< guards stopping_
    std::condition_variable wakened_;
    bool stopping_ = false;
    std::thread thread_;
};

Alerts::Alerts(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
Alerts::~Alerts() = default;

void Alerts::stop() {
    worker_->stop();
}

Result<std::unique_ptr<Alerts>> Alerts::start(AlertsOptions options, Bus& bus, const Clock& clock,
                                              MetricRegistry& metrics) {
    auto worker = std::make_unique<Worker>(std::move(options), bus, clock, metrics);
    if (auto started = worker->start(); !started) {
        return tl::unexpected(started.error());
    }
    return std::unique_ptr<Alerts>(new Alerts(std::move(worker)));
}

}  // namespace muster
