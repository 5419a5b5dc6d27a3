#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "bus/bus.h"

namespace muster {

/// How a process takes part in a Kafka cluster.
struct KafkaBusOptions {
    std::string brokers;            ///< "host:port,host:port": whom to ask first; the cluster tells of the others
    Partition partitions = 0;       ///< of every topic, 1 to 1024; 0: as many as muster.events has
    int replication = 0;            ///< copies of topics that are made here; 0: as many as muster.events has, else 1
    std::string prefix{};           ///< before the name of every topic and group: several Musters on one cluster
    std::string client = "muster";  ///< who Kafka's logs and quotas say that we are
    /// More settings of the connection by librdkafka's names: only security.*, ssl.*, sasl.* and socket.*, so that no
    /// guarantee can be set away.
    std::map<std::string, std::string> connection{};
    Millis connect_timeout{10'000};           ///< until opening the bus fails
    Millis request_timeout{15'000};           ///< of what a role waits for: commits, positions, settings of topics
    Millis linger{5};                         ///< records wait so long for others of their partition
    Millis session_timeout{10'000};           ///< a member that is silent for so long loses its partitions
    std::size_t read_ahead_bytes = 32 << 20;  ///< fetched and not yet handed out, a consumer
};

/// In words for the administrator.
[[nodiscard]] Result<void> check(const KafkaBusOptions& options);

}  // namespace muster
