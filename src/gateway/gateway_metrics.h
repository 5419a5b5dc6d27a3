#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "gateway/gateway_context.h"
#include "gateway/routes_announcer.h"
#include "gateway/tally.h"

namespace muster {

/// Shows what a gateway's threads count at /metrics: the threads count without locks, this adds the difference whenever
/// the metrics are rendered. Owned by the Gateway, used by whichever thread renders.
class GatewayMetrics final {
 public:
    GatewayMetrics(MetricRegistry& registry, const GatewayContext& context);

    void add_worker(std::size_t number, const Tally& tally);
    void add_listener(const Listener& listener);
    void add_announcer(const RoutesAnnouncer& announcer);
    void add_downlink(const Tally& tally);
    /// From now on; until this is destroyed.
    void show();

 private:
    void counter(const char* name, const char* help, const Labels& labels, const Count& count);
    void gauge(const char* name, const char* help, const Labels& labels, std::function<double()> value);
    void add_drops(const std::string& thread, const Tally& tally);
    void add_publishes(const std::string& thread, const Tally& tally);
    void add_relayed(const std::string& thread, const Tally& tally);
    void add_transport_failures(const std::string& thread, const Tally& tally);

    struct Shown {
        const Count* count;
        Counter* counter;
        std::uint64_t shown = 0;
    };
    struct Level {
        Gauge* gauge;
        std::function<double()> value;
    };

    MetricRegistry& registry_;
    std::vector<Shown> counters_;
    std::vector<Level> gauges_;
    std::shared_ptr<void> refresh_;
};

}  // namespace muster
