#include "bus/standard_topics.h"

#include <array>

#include "contract/bus_topics.h"

namespace muster {
namespace {

constexpr std::array compacted_topics{bus_topics::status,      bus_topics::regions,       bus_topics::alerts,
                                      bus_topics::rules,       bus_topics::retained,      bus_topics::policy,
                                      bus_topics::checkpoints, bus_topics::processes,     bus_topics::documents,
                                      bus_topics::routes,      bus_topics::notifications, bus_topics::baselines};
constexpr std::uint64_t short_bytes_max = 256ULL
                                          << 20U;  ///< requests, downlink, messages: read at once, kept for a replay
constexpr Seconds short_time = std::chrono::hours(1);
constexpr Seconds requests_time = std::chrono::hours(24);

}  // namespace

TopicSpec standard_topic(std::string_view name) {
    TopicSpec spec;
    spec.name = std::string(name);
    for (const std::string_view compacted : compacted_topics) {
        if (name == compacted) {
            spec.cleanup = TopicSpec::Cleanup::compacted;
            return spec;
        }
    }
    if (name == bus_topics::events) {
        spec.retention_bytes = events_bytes_max_default;
    } else {
        spec.retention_bytes = short_bytes_max;
        spec.retention = name == bus_topics::requests ? requests_time : short_time;
    }
    return spec;
}

std::vector<TopicSpec> standard_topics(std::uint64_t events_bytes_max) {
    std::vector<TopicSpec> specs;
    for (const std::string_view name :
         {bus_topics::events, bus_topics::requests, bus_topics::status, bus_topics::regions, bus_topics::alerts,
          bus_topics::rules, bus_topics::messages, bus_topics::retained, bus_topics::policy, bus_topics::checkpoints,
          bus_topics::processes, bus_topics::documents, bus_topics::routes, bus_topics::notifications,
          bus_topics::baselines}) {
        specs.push_back(standard_topic(name));
    }
    specs.front().retention_bytes = events_bytes_max;
    return specs;
}

}  // namespace muster
