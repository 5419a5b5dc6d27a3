#pragma once

#include <cstddef>
#include <string_view>

#include "bus/bus.h"

namespace muster {

// What every implementation of the Bus port refuses, so that a role meets the same refusals on each.

/// Reports that a producer has not yet handed out, at most; a record that wants one more is refused with queue_full.
inline constexpr std::size_t delivery_reports_max = 1U << 20U;
inline constexpr Partition bus_partitions_max = 1024;
inline constexpr std::size_t bus_topics_max = 1024;

/// Kafka's rule: 1 to 249 of [A-Za-z0-9._-].
[[nodiscard]] Result<void> check_topic_name(std::string_view name);
/// Key, value and headers, without any framing.
[[nodiscard]] std::size_t payload_bytes(const ProducerRecord& record);
/// What Producer::send() refuses of a record for a topic of so many partitions, apart from a full queue.
[[nodiscard]] Result<void> check_record(const ProducerRecord& record, Partition partitions);
/// What Bus::consumer() refuses of ConsumerOptions::partitions.
[[nodiscard]] Result<void> check_partitions(const ConsumerOptions& options, Partition partitions);
/// Whether a consumer without a group is to read this partition of its topics.
[[nodiscard]] bool reads(const ConsumerOptions& options, Partition partition);

}  // namespace muster
