#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "bus/kafka_options.h"
#include "bus/standard_topics.h"

namespace muster {

/// Which Kafka cluster, as the command line says it.
struct KafkaConnectionOptions {
    std::string brokers;                ///< host:port, several with commas
    std::string prefix;                 ///< of topics and groups
    std::vector<std::string> settings;  ///< librdkafka's, name=value
};
/// invalid_argument: a setting that is not name=value. Partitions and copies are left as they are by default.
[[nodiscard]] Result<KafkaBusOptions> kafka_bus_options(const KafkaConnectionOptions& options);

/// `muster cluster init` and `muster cluster check`.
struct ClusterOptions {
    KafkaConnectionOptions kafka;
    std::int32_t partitions = 0;  ///< 0: as many as there are, 16 in a new cluster
    int replication = 1;
    std::uint64_t events_bytes_max = events_bytes_max_default;
    bool check_only = false;
};

/// Makes Muster's topics in a Kafka cluster, or only looks at them, and prints a line for each. Returns the exit code:
/// 1 with one sentence when Kafka cannot be reached or Muster cannot run on what is there; a check also returns 1 when
/// anything is missing or different.
[[nodiscard]] int run_cluster(const ClusterOptions& options);

}  // namespace muster
