#include "alerts/alerts.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "alerts/baseline_topic.h"
#include "alerts/notification_marks.h"
#include "alerts/region_rules.h"
#include "base/log.h"
#include "base/thread.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"
#include "contract/event.h"
#include "contract/telemetry_json.h"

namespace muster {
namespace {

constexpr Millis drain_timeout{5000};
constexpr Millis retell_resolved{300'000};    ///< an end that may not have been told before a restart is told again
constexpr std::size_t resolved_max = 10'000;  ///< incidents kept after their end: as many as the API lists
constexpr Millis sample_past_max{3'600'000};  ///< a clock beyond these is not believed, as in the fold
constexpr Millis sample_future_max{300'000};
constexpr std::uint32_t parts_a_drain = 16;  ///< of the baselines, at most 8 MB of the producer's 32
constexpr Millis silence_step{2000};         ///< reports come once a second; less is no silence

/// Every partition from its beginning, for nobody's group.
Result<std::unique_ptr<Consumer>> reader_of(Bus& bus, const std::vector<std::string_view>& topics) {
    ConsumerOptions options;
    options.topics.assign(topics.begin(), topics.end());
    return bus.consumer(std::move(options));
}

/// The sample's own time unless it is absurd.
Timestamp trusted_time(const TelemetrySample& sample, Timestamp received) {
    const Timestamp time = sample.time_ms ? from_epoch_ms(*sample.time_ms) : received;
    return time > received - sample_past_max && time < received + sample_future_max ? time : received;
}

/// What is to be written, with its bytes.
struct PendingRecord {
    std::string key;
    std::string value;
    Timestamp time{};
    bool tombstone = false;
};

}  // namespace

/// The role's thread and all that belongs to it.
class Alerts::Worker final {
 public:
    Worker(AlertsOptions options, Bus& bus, const Clock& clock, MetricRegistry& metrics)
        : options_(std::move(options)),
          bus_(bus),
          clock_(clock),
          rules_(options_.tuning, options_.causes),
          opened_(metrics.counter("muster_alerts_incidents_total", "Incidents opened")),
          malformed_(metrics.counter("muster_alerts_poison_total", "Records that could not be read")),
          refused_(metrics.counter("muster_alerts_regions_refused_total", "Reports over the bound of regions")),
          devices_refused_(metrics.counter("muster_alerts_devices_refused_total",
                                           "Status documents over the bounds of devices, values or combinations")),
          rules_refused_(metrics.counter("muster_alerts_rules_refused_total", "Rules over the bound of rules")),
          retries_(metrics.counter("muster_alerts_retries_total", "Attempts that the bus refused")),
          open_(metrics.gauge("muster_alerts_incidents_open", "Incidents that are open")),
          regions_(metrics.gauge("muster_alerts_regions", "Regions whose counts are known")),
          devices_(metrics.gauge("muster_alerts_devices", "Devices whose status is known")),
          cohorts_(metrics.gauge("muster_alerts_cohorts", "Combinations of attributes that occur")),
          rule_count_(metrics.gauge("muster_alerts_rules", "Rules in force")),
          states_(metrics.gauge("muster_alerts_telemetry_states", "Devices that a telemetry rule keeps in mind")),
          states_refused_(metrics.counter("muster_alerts_telemetry_refused_total", "Values over the bound of states")),
          baselines_(metrics.gauge("muster_alerts_baselines", "Devices' values whose past is kept for their rules")),
          evicted_(metrics.counter("muster_alerts_baselines_evicted_total", "Of silent devices, dropped for others")),
          baseline_topic_(metrics) {}

    ~Worker() { stop(); }

    Result<void> start() {
        for (const auto& [name, id] : {std::pair<std::string_view, TopicId*>{bus_topics::regions, nullptr},
                                       {bus_topics::events, nullptr},
                                       {bus_topics::status, nullptr},
                                       {bus_topics::rules, &rules_topic_},
                                       {bus_topics::alerts, &topic_},
                                       {bus_topics::notifications, &notifications_topic_},
                                       {bus_topics::baselines, &baselines_topic_}}) {
            const auto opened = bus_.open_topic(standard_topic(name));
            if (!opened) {
                return tl::unexpected(opened.error());
            }
            if (id != nullptr) {
                *id = *opened;
            }
        }
        ProducerOptions producer;
        producer.name = options_.name;
        producer_ = bus_.producer(std::move(producer));
        auto incidents = reader_of(bus_, {bus_topics::alerts});
        auto inputs = reader_of(bus_, {bus_topics::rules, bus_topics::status, bus_topics::regions});
        auto marks = reader_of(bus_, {bus_topics::notifications});
        if (!incidents || !inputs || !marks) {
            return tl::unexpected(!incidents ? incidents.error() : !inputs ? inputs.error() : marks.error());
        }
        marks_ = std::move(*marks);
        incidents_ = std::move(*incidents);
        inputs_ = std::move(*inputs);
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
        marks_->wake();
        inputs_->wake();
        thread_.join();
    }

 private:
    void run() {
        read_back();
        while (!stopping()) {
            follow_telemetry();
            poll(*inputs_, options_.idle, [this](const ConsumerRecord& record) { on_record(record); });
            look_for_silence();
            publish();
            keep_marks();
            keep_baselines();
        }
        keep_marks();
        keep_all_baselines();
        if (auto drained = producer_->drain(drain_timeout); !drained) {
            complain("hand over the last incidents", drained.error());
        }
    }

    /// The rules, where every device and region stands, and what was open, before anything is judged.
    void read_back() {
        std::map<std::string, Incident> newest;
        while (!stopping() && !incidents_->caught_up()) {
            poll(*incidents_, options_.idle, [&](const ConsumerRecord& record) { keep_newest(record, newest); });
        }
        rules_.set_judging(false);
        put_rule(default_rule());
        while (!stopping() && !inputs_->caught_up()) {
            poll(*inputs_, options_.idle, [this](const ConsumerRecord& record) { on_record(record); });
        }
        write_file_rules();
        const std::set<std::string> told = restore_marks(newest);
        for (const auto& [id, incident] : newest) {
            rules_.adopt(incident, changed_);
            if (incident.open) {
                told_.insert(id);
                notify(incident, true);
            } else {
                keep_resolved(incident);
                if (told.contains(id) || *incident.resolved + retell_resolved > rules_.time()) {
                    notify(incident, true);
                }
            }
        }
        rules_.set_judging(true);
        judging_ = true;
        publish();
    }

    /// What each notifier delivered before; the incidents of it. A mark of an incident that is no more goes.
    std::set<std::string> restore_marks(const std::map<std::string, Incident>& incidents) {
        std::map<std::string, NotificationMark> newest;
        while (!stopping() && !marks_->caught_up()) {
            poll(*marks_, options_.idle, [&](const ConsumerRecord& record) {
                if (record.tombstone) {
                    newest.erase(std::string(record.key));
                } else if (auto mark = parse_mark(record.key, record.value)) {
                    newest.insert_or_assign(std::string(record.key), std::move(*mark));
                } else {
                    malformed_.Increment();
                }
            });
        }
        std::set<std::string> told;
        for (const auto& [key, mark] : newest) {
            if (!incidents.contains(mark.incident)) {
                send(notifications_topic_, {.key = key, .value = {}, .time = rules_.time(), .tombstone = true});
                continue;
            }
            told.insert(mark.incident);
            for (const auto& notifier : options_.notifiers) {
                if (notifier->sink() == sink_of_mark(key)) {
                    notifier->restore(mark);
                }
            }
        }
        return told;
    }

    /// What the notifiers have delivered is on the bus before long: a kill in between makes them deliver it again.
    void keep_marks() {
        bool any = false;
        for (const auto& notifier : options_.notifiers) {
            for (const NotificationMark& mark : notifier->take_marks()) {
                send(notifications_topic_, {.key = mark_key(notifier->sink(), mark.incident),
                                            .value = mark.ended ? std::string() : mark_value(mark),
                                            .time = rules_.time(),
                                            .tombstone = mark.ended});
                any = true;
            }
        }
        if (any) {
            producer_->flush();
        }
    }

    /// Once, with the first rule that asks: how long it was away is known by then.
    void take_back_baselines() {
        auto reader = reader_of(bus_, {bus_topics::baselines});
        if (!reader) {
            return complain("read what was learnt", reader.error());
        }
        std::map<std::string, std::string> newest;
        while (!stopping() && !(*reader)->caught_up()) {
            poll(**reader, options_.idle, [&](const ConsumerRecord& record) {
                if (record.tombstone) {
                    newest.erase(std::string(record.key));
                } else {
                    newest.insert_or_assign(std::string(record.key), std::string(record.value));
                }
            });
        }
        if (!stopping()) {
            baseline_topic_.take_back(newest, rules_);
        }
    }

    void keep_baselines() {
        baseline_topic_.write_due(rules_,
                                  [this](std::string_view key, std::string_view value) { send_baselines(key, value); });
    }

    /// At the end, a few at a time: all of them may be more than the bus takes at once.
    void keep_all_baselines() {
        for (std::uint32_t part = 0; baseline_topic_.is_taken_back() && part < ValueScores::parts; ++part) {
            baseline_topic_.write(part, rules_,
                                  [this](std::string_view key, std::string_view value) { send_baselines(key, value); });
            if (part % parts_a_drain == parts_a_drain - 1 && !producer_->drain(drain_timeout)) {
                return;  // and run() says so
            }
        }
    }

    void send_baselines(std::string_view key, std::string_view value) {
        send(baselines_topic_,
             {.key = std::string(key), .value = std::string(value), .time = rules_.time(), .tombstone = value.empty()});
        producer_->flush();
    }

    void keep_newest(const ConsumerRecord& record, std::map<std::string, Incident>& newest) {
        auto incident = parse_incident(record.value);
        if (record.tombstone) {
            newest.erase(std::string(record.key));
        } else if (incident && (incident->open || incident->resolved)) {
            newest.insert_or_assign(incident->id, std::move(*incident));
        } else {
            malformed_.Increment();
        }
    }

    void on_record(const ConsumerRecord& record) {
        if (record.topic == bus_topics::status) {
            on_status(record);
        } else if (record.topic == bus_topics::regions) {
            on_report(record);
        } else {
            on_rule(record);
        }
    }

    void on_report(const ConsumerRecord& record) {
        const auto report = parse_region_report(record.value);
        if (!report) {
            malformed_.Increment();
            return;
        }
        if (!rules_.on_report(*report, changed_)) {
            refused_.Increment();
        }
        if (judging_) {
            reported_ = clock_.monotonic();
        }
    }

    void on_status(const ConsumerRecord& record) {
        if (record.tombstone) {
            return rules_.on_device_gone(record.key);
        }
        if (const auto document = parse_status_document(record.value); !document) {
            malformed_.Increment();
        } else if (!rules_.on_status(*document)) {
            devices_refused_.Increment();
        }
    }

    /// The stream of samples is read only while a rule looks at it, from then on. Nothing waits for it.
    void follow_telemetry() {
        if (rules_.telemetry().empty()) {
            samples_.reset();
            return;
        }
        if (!samples_) {
            ConsumerOptions options;
            options.topics = {std::string(bus_topics::events)};
            options.start = ConsumerOptions::Start::latest;
            auto made = bus_.consumer(std::move(options));
            if (!made) {
                return complain("read telemetry", made.error());
            }
            samples_ = std::move(*made);
        }
        if (!reported_) {
            return;  // the first report tells what time it is
        }
        if (!baseline_topic_.is_taken_back()) {
            take_back_baselines();
        }
        poll(*samples_, Millis(0), [this](const ConsumerRecord& record) { on_event(record); });
        states_.Set(static_cast<double>(rules_.telemetry().states()));
        const ValueScores& scores = rules_.telemetry().scores();
        baselines_.Set(static_cast<double>(scores.states()));
        evicted_.Increment(static_cast<double>(scores.evicted()) - evicted_.Value());
    }

    void on_event(const ConsumerRecord& record) {
        const auto header = decode_event_header(record.header(event_header_name));
        if (!header || header->kind != EventKind::telemetry || is_canary(record.key)) {
            return;
        }
        const auto reading = telemetry_.read(record.value);
        if (!reading) {
            return;  // the processor has counted it
        }
        for (const TelemetrySample& sample : reading->samples) {
            const Timestamp time = trusted_time(sample, record.time);
            for (const auto& [metric, value] : sample.metrics) {
                if (!rules_.on_value(record.key, metric, value, time)) {
                    states_refused_.Increment();
                }
            }
        }
    }

    void on_rule(const ConsumerRecord& record) {
        if (record.tombstone) {
            file_rules_.erase(std::string(record.key));
            if (record.key == default_rule().name) {
                put_rule(default_rule());  // the built-in one cannot be lost, only replaced
            } else {
                rules_.remove(record.key, changed_);
            }
            return;
        }
        const auto rule = parse_alert_rule(record.value);
        if (!rule) {
            malformed_.Increment();
            return;
        }
        if (rule->origin == "file") {
            file_rules_.insert(rule->name);
        } else {
            file_rules_.erase(rule->name);
        }
        put_rule(*rule);
    }

    void put_rule(const AlertRule& rule) {
        if (!rules_.put(rule, changed_)) {
            rules_refused_.Increment();
        }
    }

    /// The file's rules are rules as any other; one that has gone from it goes.
    void write_file_rules() {
        for (const AlertRule& rule : options_.file_rules) {
            send(rules_topic_, {.key = rule.name, .value = to_json(rule), .time = rules_.time()});
            file_rules_.erase(rule.name);
            put_rule(rule);
        }
        for (const std::string& gone : file_rules_) {
            send(rules_topic_, {.key = gone, .value = {}, .time = rules_.time(), .tombstone = true});
            rules_.remove(gone, changed_);
        }
        producer_->flush();
    }

    void look_for_silence() {
        if (reported_) {
            const Millis silence = clock_.monotonic() - *reported_;
            rules_.on_silence(silence < silence_step ? Millis(0) : silence, changed_);
        }
    }

    /// A failing bus is asked again, after a pause.
    void poll(Consumer& consumer, Millis wait, FunctionRef<void(const ConsumerRecord&)> on_record) {
        if (auto polled = consumer.poll(wait, on_record); !polled) {
            complain("read the bus", polled.error());
            pause();
        }
    }

    void publish() {
        for (const Incident& incident : changed_) {
            tell(incident);
            notify(incident, false);
            send(topic_, {.key = incident.id, .value = to_json(incident), .time = time_of(incident)});
        }
        if (!changed_.empty()) {
            producer_->flush();
        }
        changed_.clear();
        open_.Set(static_cast<double>(told_.size()));
        regions_.Set(static_cast<double>(rules_.sums().regions().size()));
        devices_.Set(static_cast<double>(rules_.cohorts().devices()));
        cohorts_.Set(static_cast<double>(rules_.cohorts().cells().size()));
        rule_count_.Set(static_cast<double>(rules_.rules()));
    }

    /// Until the bus takes it, or the role is to stop.
    void send(TopicId topic, const PendingRecord& pending) {
        const ProducerRecord record{.key = pending.key,
                                    .value = pending.value,
                                    .headers = {},
                                    .time = pending.time,
                                    .tombstone = pending.tombstone};
        for (auto sent = producer_->send(topic, record, 0); !sent; sent = producer_->send(topic, record, 0)) {
            complain("write to the bus", sent.error());
            if (stopping()) {
                return;
            }
            pause();
        }
    }

    void notify(const Incident& incident, bool adopted) {
        if (incident.severity == "info") {
            return;
        }
        for (const auto& notifier : options_.notifiers) {
            notifier->on_incident(incident, adopted);
        }
    }

    /// Over the bound the incident that ended first is forgotten.
    void keep_resolved(const Incident& incident) {
        resolved_.emplace(*incident.resolved, incident.id);
        if (resolved_.size() > resolved_max) {
            send(topic_, {.key = resolved_.begin()->second, .value = {}, .time = time_of(incident), .tombstone = true});
            resolved_.erase(resolved_.begin());
        }
    }

    static Timestamp time_of(const Incident& incident) {
        return incident.timeline.empty() ? incident.opened : incident.timeline.back().time;
    }

    void tell(const Incident& incident) {
        if (!incident.open) {
            told_.erase(incident.id);
            keep_resolved(incident);
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
    RegionRules rules_;
    Counter& opened_;
    Counter& malformed_;
    Counter& refused_;
    Counter& devices_refused_;
    Counter& rules_refused_;
    Counter& retries_;
    Gauge& open_;
    Gauge& regions_;
    Gauge& devices_;
    Gauge& cohorts_;
    Gauge& rule_count_;
    Gauge& states_;
    Counter& states_refused_;
    Gauge& baselines_;
    Counter& evicted_;
    BaselineTopic baseline_topic_;
    TopicId topic_ = 0;  ///< muster.alerts
    TopicId rules_topic_ = 0;
    TopicId notifications_topic_ = 0;
    TopicId baselines_topic_ = 0;
    bool judging_ = false;
    std::optional<Millis> reported_;    ///< when the last report came that was judged
    std::set<std::string> file_rules_;  ///< names on muster.rules that a rules file wrote
    std::unique_ptr<Producer> producer_;
    std::unique_ptr<Consumer> marks_;
    std::unique_ptr<Consumer> incidents_;
    std::unique_ptr<Consumer> inputs_;   ///< rules, status, regions
    std::unique_ptr<Consumer> samples_;  ///< muster.events; null while no rule asks for it
    TelemetryJson telemetry_;
    std::vector<Incident> changed_;
    std::set<std::pair<Timestamp, std::string>> resolved_;  ///< when it ended, and which: on muster.alerts
    std::set<std::string> told_;                            ///< open incidents that were announced
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
