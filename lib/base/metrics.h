#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

namespace prometheus {
class Registry;
}

namespace muster {

using Counter = prometheus::Counter;
using Gauge = prometheus::Gauge;
using Histogram = prometheus::Histogram;
using Labels = std::map<std::string, std::string>;

/// Every metric of a process, rendered in Prometheus' text format at /metrics. Metrics live as long as the registry;
/// asking twice for the same name and labels gives the same one. Any thread. A hot path asks once and keeps the
/// reference, and gives each of its threads its own label so that no two threads write one cache line. Names follow
/// Prometheus' practice: muster_<role>_<what>_<unit>, counters end in _total.
class MetricRegistry {
 public:
    MetricRegistry();
    ~MetricRegistry();
    MetricRegistry(const MetricRegistry&) = delete;
    MetricRegistry& operator=(const MetricRegistry&) = delete;

    [[nodiscard]] Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
    [[nodiscard]] Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
    /// `buckets`: ascending upper bounds, in the unit the name ends with.
    [[nodiscard]] Histogram& histogram(const std::string& name, const std::string& help,
                                       const std::vector<double>& buckets, const Labels& labels = {});
    /// Called before each rendering, to set gauges that are cheaper to read than to keep. Keep the returned handle
    /// alive for as long as what `refresh` touches lives; dropping it stops the calls.
    [[nodiscard]] std::shared_ptr<void> on_render(std::function<void()> refresh);

    [[nodiscard]] std::string render() const;

 private:
    struct Refresher;

    std::shared_ptr<prometheus::Registry> registry_;
    mutable std::mutex mutex_;
    mutable std::vector<std::weak_ptr<Refresher>> refreshers_;
};

}  // namespace muster
