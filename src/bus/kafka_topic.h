#pragma once

#include <string>

#include "base/metrics.h"
#include "bus/bus.h"

namespace muster {

/// One open topic of the Kafka bus, under its name here and its name there. Owned by the bus for as long as that lives;
/// any thread.
struct KafkaTopic {
    KafkaTopic(TopicSpec the_spec, TopicId the_id, const std::string& prefix, MetricRegistry& metrics)
        : spec(std::move(the_spec)),
          id(the_id),
          full_name(prefix + spec.name),
          records(metrics.counter("muster_bus_records_total", "Records made durable", {{"topic", spec.name}})),
          bytes(metrics.counter("muster_bus_record_bytes_total", "Bytes of records made durable",
                                {{"topic", spec.name}})) {}

    const TopicSpec spec;
    const TopicId id;
    const std::string full_name;
    Counter& records;
    Counter& bytes;
};

}  // namespace muster
