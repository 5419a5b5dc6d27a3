#include "shadow/shadow_metrics.h"

namespace muster {
namespace {

Counter& dropped(MetricRegistry& registry, const std::string& reason) {
    return registry.counter("muster_shadow_dropped_total", "What the shadow role could not act on",
                            {{"reason", reason}});
}

}  // namespace

ShadowMetrics::ShadowMetrics(MetricRegistry& registry)
    : dropped_malformed(dropped(registry, "malformed")),
      dropped_topic(dropped(registry, "topic")),
      dropped_foreign(dropped(registry, "foreign")),
      dropped_status(dropped(registry, "status")),
      dropped_owed(dropped(registry, "owed")),
      dropped_downlink(dropped(registry, "downlink")),
      replayed(
          registry.counter("muster_shadow_replayed_total", "Requests handed out again after they had been applied")),
      downlinks(registry.counter("muster_shadow_downlinks_total", "Messages for devices and replies to API requests")),
      store_errors(
          registry.counter("muster_shadow_store_errors_total", "Failed reads and commits of the document store")),
      bus_errors(registry.counter("muster_shadow_bus_errors_total", "Failed polls, sends and commits of the bus")),
      pending_commands(registry.gauge("muster_shadow_pending_commands", "Commands that are not final")),
      sessions(registry.gauge("muster_shadow_sessions", "Devices known to be online")),
      sessions_refused(registry.gauge("muster_shadow_sessions_refused", "Devices over the bound of known sessions")),
      lag(registry.gauge("muster_shadow_lag_records", "Records not yet handled")),
      batch_seconds(registry.histogram("muster_shadow_batch_seconds", "From a poll's records to their committed offset",
                                       {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5})),
      registry_(registry) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
        commands.at(i) = &registry.counter("muster_shadow_commands_total", "Transitions of commands",
                                           {{"status", std::string(name_of(static_cast<CommandStatus>(i)))}});
    }
}

void ShadowMetrics::count_request(std::string_view operation, std::uint16_t code) {
    Counter*& counter = requests_[{operation, code}];
    if (counter == nullptr) {
        counter = &registry_.counter("muster_shadow_requests_total", "Requests by operation and answer",
                                     {{"operation", std::string(operation)}, {"code", std::to_string(code)}});
    }
    counter->Increment();
}

}  // namespace muster
