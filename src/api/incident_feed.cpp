#include "api/incident_feed.h"

#include "base/log.h"
#include "base/thread.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"

namespace muster {
namespace {

constexpr Millis poll_wait{500};
constexpr Millis retry_wait{100};

}  // namespace

void IncidentTable::put(Incident incident) {
    const std::lock_guard lock(mutex_);
    std::string id = incident.id;
    incidents_.insert_or_assign(std::move(id), std::move(incident));
    make_room();
}

void IncidentTable::erase(std::string_view id) {
    const std::lock_guard lock(mutex_);
    if (const auto found = incidents_.find(id); found != incidents_.end()) {
        incidents_.erase(found);
    }
}

void IncidentTable::make_room() {
    while (incidents_.size() > incidents_max_) {
        const auto victim = std::min_element(incidents_.begin(), incidents_.end(), [](const auto& a, const auto& b) {
            return std::pair(a.second.open, a.second.opened) < std::pair(b.second.open, b.second.opened);
        });
        incidents_.erase(victim);
    }
}

std::optional<Incident> IncidentTable::find(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    const auto found = incidents_.find(id);
    return found == incidents_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<Incident> IncidentTable::list(bool open_only, std::size_t limit) const {
    const std::lock_guard lock(mutex_);
    std::vector<const Incident*> chosen;
    for (const auto& [id, incident] : incidents_) {
        if (incident.open || !open_only) {
            chosen.push_back(&incident);
        }
    }
    const auto middle = chosen.begin() + static_cast<std::ptrdiff_t>(std::min(limit, chosen.size()));
    std::partial_sort(chosen.begin(), middle, chosen.end(), [](const Incident* a, const Incident* b) {
        return std::tie(b->opened, b->id) < std::tie(a->opened, a->id);
    });
    std::vector<Incident> out;
    for (auto at = chosen.begin(); at != middle; ++at) {
        out.push_back(**at);
    }
    return out;
}

std::size_t IncidentTable::open_count() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(incidents_.begin(), incidents_.end(), [](const auto& item) { return item.second.open; }));
}

std::map<std::string, std::string> IncidentTable::open_by_region() const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::string> out;
    for (const auto& [id, incident] : incidents_) {
        if (incident.open) {
            out[incident.region] = id;
        }
    }
    return out;
}

IncidentFeed::IncidentFeed(IncidentTable& table, std::function<void(const Incident&)> on_change,
                           MetricRegistry& metrics)
    : table_(table),
      on_change_(std::move(on_change)),
      malformed_(metrics.counter("muster_api_malformed_incidents_total",
                                 "Records of muster.alerts that could not be read.")) {}

Result<std::unique_ptr<IncidentFeed>> IncidentFeed::start(Bus& bus, IncidentTable& table,
                                                          std::function<void(const Incident&)> on_change,
                                                          MetricRegistry& metrics) {
    const TopicSpec alerts = standard_topic(bus_topics::alerts);
    if (const auto opened = bus.open_topic(alerts); !opened) {
        return tl::unexpected(opened.error());
    }
    ConsumerOptions options;
    options.topics = {alerts.name};
    auto consumer = bus.consumer(std::move(options));
    if (!consumer) {
        return tl::unexpected(consumer.error());
    }
    std::unique_ptr<IncidentFeed> feed(new IncidentFeed(table, std::move(on_change), metrics));
    feed->consumer_ = std::move(*consumer);
    feed->thread_ = start_thread("api-incidents", [raw = feed.get()] { raw->run(); });
    return feed;
}

IncidentFeed::~IncidentFeed() {
    stop();
}

void IncidentFeed::stop() {
    stopping_ = true;
    if (thread_.joinable()) {
        consumer_->wake();
        thread_.join();
    }
}

void IncidentFeed::run() {
    while (!stopping_) {
        // The first passes do not wait, so that readiness follows at once.
        const auto polled = consumer_->poll(ready_ ? poll_wait : Millis(10),
                                            [this](const ConsumerRecord& record) { on_record(record); });
        if (!polled) {
            spdlog::warn("api: incidents cannot be read: {}", polled.error().message());
            std::this_thread::sleep_for(retry_wait);
        }
        ready_ = ready_ || consumer_->caught_up();
    }
}

void IncidentFeed::on_record(const ConsumerRecord& record) {
    if (record.tombstone) {
        return table_.erase(record.key);
    }
    auto incident = parse_incident(record.value);
    if (!incident || incident->id.empty()) {
        malformed_.Increment();
        return;
    }
    const Incident copy = *incident;
    table_.put(std::move(*incident));
    on_change_(copy);
}

}  // namespace muster
