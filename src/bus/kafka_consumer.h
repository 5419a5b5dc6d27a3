#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "bus/bus.h"
#include "bus/kafka_client.h"

namespace muster {

struct KafkaTopic;

/// Reads the partitions that its group gives it (or all) from Kafka. The group shares out the partitions of one topic,
/// the leading one; a member reads the same partitions of the others, so that they are always together
/// (docs/decisions/0057-kafka-groups.md). Where to begin is asked of Kafka before a partition is read, so that the
/// position and the lag are exact from the first poll on. Bounded: read_ahead_bytes plus one answer of each broker.
class KafkaConsumer final : public Consumer {
 public:
    /// `topics` live as long as the consumer.
    [[nodiscard]] static Result<std::unique_ptr<Consumer>> make(ConsumerOptions options,
                                                                std::vector<const KafkaTopic*> topics,
                                                                const KafkaBusOptions& bus, MetricRegistry& metrics);
    /// Leaves the group in order: the listener is told, the others get the partitions at once.
    ~KafkaConsumer() override;

    Result<std::size_t> poll(Millis timeout, FunctionRef<void(const ConsumerRecord&)> on_record) override;
    Result<void> commit(std::string_view topic, Partition partition, Offset next) override;
    void seek(std::string_view topic, Partition partition, Offset offset) override;
    [[nodiscard]] std::uint64_t lag() const override;
    [[nodiscard]] bool caught_up() const override { return caught_up_; }
    void wake() override;

 private:
    /// One assigned partition and where this consumer is in it.
    struct Reading {
        const KafkaTopic* topic = nullptr;
        Partition partition = 0;
        bool told = false;               ///< the listener knows
        bool at_end = false;             ///< since the position was last moved
        std::optional<Offset> chosen{};  ///< where to start, by the listener
        Offset committed = -1;           ///< as far as this consumer knows
        // Written by the owner's thread, read for the lag metric too.
        std::atomic<bool> started{false};  ///< Kafka has been asked for its records
        std::atomic<Offset> end{0};        ///< of the partition when the position was last moved
        std::atomic<Offset> position{0};   ///< the next record's offset
    };
    using OnRecord = FunctionRef<void(const ConsumerRecord&)>;
    using Readings = std::vector<Reading*>;

    KafkaConsumer(ConsumerOptions options, std::vector<const KafkaTopic*> topics, const KafkaBusOptions& bus,
                  MetricRegistry& metrics);
    [[nodiscard]] Result<void> start();
    [[nodiscard]] Result<void> join_group();

    // Partitions that come and go.
    static void on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* partitions,
                             void* opaque);
    void take(Partition partition);
    void give_up(const rd_kafka_topic_partition_list_t& leading);
    void revoke(const KafkaTopic& topic, Partition partition);
    [[nodiscard]] Result<void> start_readings();
    [[nodiscard]] Result<void> find_committed(const Readings& readings);
    [[nodiscard]] Result<void> find_ends(const Readings& readings);
    [[nodiscard]] Reading* reading_of(std::string_view full_name, Partition partition) const;
    [[nodiscard]] Reading* reading_by_name(std::string_view topic, Partition partition) const;

    // Records.
    [[nodiscard]] Result<bool> take_message(const rd_kafka_message_t& message, OnRecord on_record);
    void hand_out(Reading& reading, const rd_kafka_message_t& message, OnRecord on_record);
    void read_headers(const rd_kafka_message_t& message);
    void look_whether_caught_up();
    void export_lag();

    const ConsumerOptions options_;
    const std::vector<const KafkaTopic*> topics_;  ///< the leading one first
    const KafkaBusOptions bus_;
    std::atomic<bool> woken_{false};
    bool assigned_ = false;              ///< the group has spoken, or there is none and all are assigned
    bool to_start_ = false;              ///< some reading is not started
    mutable std::mutex readings_mutex_;  ///< held to change readings_, and by other threads to read it
    std::vector<std::unique_ptr<Reading>> readings_;
    bool caught_up_ = false;
    std::vector<RecordHeader> headers_;  ///< of the record being handed out; kept for its capacity
    Counter& skipped_;
    Gauge& lag_gauge_;  ///< of all members of the group in this process together: each adds its own
    double lag_exported_ = 0;
    KafkaLog log_;
    KafkaOwned<rd_kafka_t> client_;
    KafkaOwned<rd_kafka_queue_t> queue_;  ///< the client's
    std::shared_ptr<void> refresh_;
};

}  // namespace muster
