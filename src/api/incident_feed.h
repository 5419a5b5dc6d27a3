#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "bus/bus.h"
#include "contract/incident.h"

namespace muster {

/// The newest state of every incident, at most `incidents_max`: over it the oldest resolved go first, then the oldest.
/// Any thread.
class IncidentTable final {
 public:
    explicit IncidentTable(std::size_t incidents_max) : incidents_max_(incidents_max) {}

    void put(Incident incident);
    void erase(std::string_view id);

    [[nodiscard]] std::optional<Incident> find(std::string_view id) const;
    /// Newest opened first.
    [[nodiscard]] std::vector<Incident> list(bool open_only, std::size_t limit) const;
    [[nodiscard]] std::size_t open_count() const;
    /// Region → id of an open incident that is of exactly this region.
    [[nodiscard]] std::map<std::string, std::string> open_by_region() const;

 private:
    void make_room();

    const std::size_t incidents_max_;
    mutable std::mutex mutex_;
    std::map<std::string, Incident, std::less<>> incidents_;  // under mutex_
};

/// Reads muster.alerts from its beginning into a table, with one thread of its own, and hands on what changes.
class IncidentFeed final {
 public:
    /// `on_change` is called from the feed's thread, after the table has the incident.
    [[nodiscard]] static Result<std::unique_ptr<IncidentFeed>> start(Bus& bus, IncidentTable& table,
                                                                     std::function<void(const Incident&)> on_change,
                                                                     MetricRegistry& metrics);
    ~IncidentFeed();
    IncidentFeed(const IncidentFeed&) = delete;
    IncidentFeed& operator=(const IncidentFeed&) = delete;

    /// True once everything that was there at the start has been read.
    [[nodiscard]] bool is_ready() const { return ready_; }
    void stop();

 private:
    IncidentFeed(IncidentTable& table, std::function<void(const Incident&)> on_change, MetricRegistry& metrics);
    void run();
    void on_record(const ConsumerRecord& record);

    IncidentTable& table_;
    const std::function<void(const Incident&)> on_change_;
    std::unique_ptr<Consumer> consumer_;  // the thread's, apart from wake()
    std::atomic<bool> ready_{false};
    std::atomic<bool> stopping_{false};
    Counter& malformed_;
    std::thread thread_;
};

}  // namespace muster
