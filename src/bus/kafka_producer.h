#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/metrics.h"
#include "bus/bus.h"
#include "bus/kafka_client.h"

namespace muster {

struct KafkaTopic;

/// Appends records to Kafka: idempotent, acknowledged by all replicas in sync, in order. While Kafka is away records
/// stay, up to queue_bytes_max, and are given up never: a report comes when they are durable, however late
/// (docs/decisions/0056-kafka-producer.md). The owner's thread calls everything; librdkafka's threads only wake it.
class KafkaProducer final : public Producer {
 public:
    using FindTopic = std::function<KafkaTopic*(TopicId)>;

    KafkaProducer(ProducerOptions options, const KafkaBusOptions& bus, FindTopic find_topic, MetricRegistry& metrics);
    /// Waits a while for what was sent; what is not durable then is counted as failed. Reports are dropped.
    ~KafkaProducer() override;

    Result<void> send(TopicId topic, const ProducerRecord& record, std::uint64_t token) override;
    /// Librdkafka sends by itself; this takes the reports that have come.
    void flush() override;
    std::size_t poll(FunctionRef<void(const Delivery&)> on_delivery) override;
    Result<void> drain(Millis timeout) override;
    [[nodiscard]] std::size_t queued_bytes() const override { return queued_bytes_.load(std::memory_order_relaxed); }

 private:
    /// A topic as this producer's client knows it, and what became durable of it since its metrics were told.
    struct Target {
        KafkaTopic* topic = nullptr;
        KafkaOwned<rd_kafka_topic_t> handle;
        std::size_t records = 0;
        std::size_t bytes = 0;
    };
    /// A record on its way; its index goes with it. Bounded by queue_bytes_max: each counts record_overhead_bytes.
    struct Sent {
        std::uint64_t token = 0;
        std::uint32_t bytes = 0;
        TopicId topic = 0;
    };

    [[nodiscard]] Result<void> start();
    void stop(Millis patience);
    [[nodiscard]] Target* target(TopicId id);
    [[nodiscard]] bool has_room(std::size_t bytes, std::uint64_t token) const;
    [[nodiscard]] Result<void> produce(Target& target, const ProducerRecord& record, std::size_t index);
    [[nodiscard]] std::size_t keep(const Sent& sent);
    void serve();
    void on_report(const rd_kafka_message_t& message);
    void tell_metrics();

    const ProducerOptions options_;
    const KafkaBusOptions bus_;
    const FindTopic find_topic_;
    std::atomic<std::size_t> queued_bytes_{0};  ///< the owner's; read by the metric too
    std::vector<Sent> sent_;
    std::vector<std::size_t> free_;  ///< indices of sent_
    std::vector<Delivery> ready_;
    std::vector<Delivery> handing_out_;  ///< kept for its capacity
    std::size_t reports_due_ = 0;
    Counter& queue_full_;
    Counter& lost_records_;
    Gauge& queued_gauge_;
    KafkaLog log_;
    KafkaOwned<rd_kafka_t> client_;         ///< null: librdkafka would not start, and is asked again
    KafkaOwned<rd_kafka_queue_t> reports_;  ///< the client's
    std::vector<Target> targets_;           ///< by topic id, as far as they were used
    std::shared_ptr<void> refresh_;
};

}  // namespace muster
