#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "bus/bus.h"

namespace rocksdb {
class Env;
}

namespace muster {

class ConsumerGroup;
class EmbeddedCommitter;
class EmbeddedLog;
class EmbeddedTopic;

struct EmbeddedBusOptions {
    std::string directory;                    ///< created when missing; one process at a time
    Partition partitions = 16;                ///< of every topic, 1 to 1024; cannot change once the directory has data
    Millis commit_interval{5};                ///< 1 to 10 ms (G2): at most one synced write in so long
    std::size_t tail_bytes_max = 32U << 20U;  ///< newest records of each topic kept in memory for readers that keep up
    rocksdb::Env* env = nullptr;              ///< null: the real file system; else one with faults, for tests
};

/// The Bus port on RocksDB, for one process. One commit thread turns what all producers flushed into one synced write,
/// then shows it to the consumers in memory and reports it as durable; a reader that fell behind reads the store.
/// Memory: tail_bytes_max a topic, queue_bytes_max a producer, one batch an assigned partition.
class EmbeddedBus final : public Bus {
 public:
    /// `metrics` outlives the bus. invalid_argument: an option, another process, or another number of partitions.
    /// corrupt: the directory is damaged. The message is for the administrator.
    [[nodiscard]] static Result<std::unique_ptr<EmbeddedBus>> open(EmbeddedBusOptions options, MetricRegistry& metrics);
    /// Commits what was flushed and stops the commit thread. Producers and consumers must be gone.
    ~EmbeddedBus() override;

    [[nodiscard]] Result<TopicId> open_topic(const TopicSpec& spec) override;
    [[nodiscard]] std::unique_ptr<Producer> producer(ProducerOptions options) override;
    [[nodiscard]] Result<std::unique_ptr<Consumer>> consumer(ConsumerOptions options) override;
    [[nodiscard]] Partition partitions() const override { return options_.partitions; }

 private:
    EmbeddedBus(EmbeddedBusOptions options, MetricRegistry& metrics);
    [[nodiscard]] EmbeddedTopic* topic(TopicId id);
    [[nodiscard]] EmbeddedTopic* find_topic(const std::string& name);
    [[nodiscard]] std::shared_ptr<ConsumerGroup> group(const std::string& name);

    const EmbeddedBusOptions options_;
    MetricRegistry& metrics_;
    std::unique_ptr<EmbeddedLog> log_;
    std::mutex mutex_;  ///< guards what follows
    std::vector<std::unique_ptr<EmbeddedTopic>> topics_;
    std::map<std::string, std::shared_ptr<ConsumerGroup>> groups_;
    std::unique_ptr<EmbeddedCommitter> committer_;  ///< last: its thread uses the topics and the log
};

}  // namespace muster
