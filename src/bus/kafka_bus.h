#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "bus/bus.h"
#include "bus/kafka_options.h"

namespace muster {

class KafkaTopics;
struct KafkaTopic;

/// The Bus port on Apache Kafka, for any number of processes on any number of machines. Each producer and each consumer
/// has a librdkafka client of its own, with that client's threads. Memory: queue_bytes_max a producer,
/// read_ahead_bytes a consumer, each plus one request.
class KafkaBus final : public Bus {
 public:
    /// `metrics` outlives the bus. Blocks until a broker answers, at most the options' connect_timeout. unavailable,
    /// invalid_argument, not_found (partitions are to be those of muster.events, and there is none): the message is for
    /// the administrator.
    [[nodiscard]] static Result<std::unique_ptr<KafkaBus>> open(KafkaBusOptions options, MetricRegistry& metrics);
    /// Producers and consumers must be gone.
    ~KafkaBus() override;

    /// Compares a topic that is there already: conflict, when it has other partitions, is compacted and should not be,
    /// or the other way round; other differences are logged.
    [[nodiscard]] Result<TopicId> open_topic(const TopicSpec& spec) override;
    [[nodiscard]] std::unique_ptr<Producer> producer(ProducerOptions options) override;
    [[nodiscard]] Result<std::unique_ptr<Consumer>> consumer(ConsumerOptions options) override;
    [[nodiscard]] Partition partitions() const override { return options_.partitions; }

 private:
    KafkaBus(KafkaBusOptions options, MetricRegistry& metrics);
    [[nodiscard]] Result<void> make_or_check(const TopicSpec& spec);
    [[nodiscard]] KafkaTopic* topic(TopicId id);
    [[nodiscard]] KafkaTopic* find_topic(const std::string& name);

    KafkaBusOptions options_;
    MetricRegistry& metrics_;
    std::unique_ptr<KafkaTopics> kafka_;
    std::mutex mutex_;  ///< guards what follows
    std::vector<std::unique_ptr<KafkaTopic>> topics_;
};

}  // namespace muster
