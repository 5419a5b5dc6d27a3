#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bus/kafka_client.h"

namespace muster {

/// One setting of a topic that is not as Muster makes it.
struct KafkaTopicDifference {
    std::string setting;  ///< by Kafka's name; "partitions", "replication factor"
    std::string wanted;
    std::string found;
    bool breaks = false;  ///< Muster cannot run on it; else an administrator may have his reasons
};
/// "muster.events: partitions is 8, not 16; …"
[[nodiscard]] std::string describe(std::string_view topic, const std::vector<KafkaTopicDifference>& differences);

/// Topics of a Kafka cluster through its admin protocol: finds, makes and compares them. Any thread. Each call blocks
/// at most the options' request_timeout; unavailable, timed_out: Kafka did not answer.
class KafkaTopics final {
 public:
    /// Connects. unavailable: nobody answers there; the message is for the administrator.
    [[nodiscard]] static Result<std::unique_ptr<KafkaTopics>> connect(const KafkaBusOptions& options,
                                                                      MetricRegistry& metrics);

    /// A topic as it is. Settings by Kafka's names, only those that Muster sets.
    struct Found {
        Partition partitions = 0;
        int replication = 0;
        std::map<std::string, std::string> settings{};
    };
    [[nodiscard]] Result<std::optional<Found>> find(const TopicSpec& spec);
    /// The number of partitions alone; nullopt: there is no such topic.
    [[nodiscard]] Result<std::optional<Partition>> partitions_of(std::string_view topic);
    /// Makes the topic and waits until it can be written. conflict: somebody else was first.
    [[nodiscard]] Result<void> create(const TopicSpec& spec, Partition partitions);
    [[nodiscard]] std::vector<KafkaTopicDifference> compare(const TopicSpec& spec, Partition partitions,
                                                            const Found& found) const;

    /// What Kafka is told of a topic of this kind.
    [[nodiscard]] static std::map<std::string, std::string> settings_of(const TopicSpec& spec, Partition partitions,
                                                                        int replication);

    [[nodiscard]] int brokers() const { return brokers_; }

 private:
    KafkaTopics(KafkaBusOptions options, MetricRegistry& metrics);
    [[nodiscard]] Result<void> reach();
    [[nodiscard]] Result<KafkaOwned<const rd_kafka_metadata_t>> look_up(const std::string& name);
    [[nodiscard]] Result<void> wait_until_there(const std::string& name, Partition partitions);
    [[nodiscard]] Result<KafkaOwned<rd_kafka_event_t>> ask(
        rd_kafka_admin_op_t what, const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send);

    const KafkaBusOptions options_;
    KafkaLog log_;
    int brokers_ = 0;
    KafkaOwned<rd_kafka_t> client_;  ///< last: its threads use the log
};

/// message.max.bytes of topics and producers: the largest record with its framing, and some.
inline constexpr std::size_t kafka_message_bytes_max = record_bytes_max + (64U << 10U);

}  // namespace muster
