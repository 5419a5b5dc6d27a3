#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/metrics.h"
#include "bus/embedded_committer.h"

namespace muster {

/// Collects records by topic and partition in their stored form and hands them to the commit thread at each flush().
class EmbeddedProducer final : public Producer {
 public:
    using FindTopic = std::function<EmbeddedTopic*(TopicId)>;

    EmbeddedProducer(ProducerOptions options, EmbeddedCommitter& committer, FindTopic find_topic,
                     MetricRegistry& metrics);
    /// Flushes; what was sent is still committed, its reports are dropped.
    ~EmbeddedProducer() override;

    Result<void> send(TopicId topic, const ProducerRecord& record, std::uint64_t token) override;
    void flush() override;
    std::size_t poll(FunctionRef<void(const Delivery&)> on_delivery) override;
    Result<void> drain(Millis timeout) override;
    [[nodiscard]] std::size_t queued_bytes() const override;

 private:
    [[nodiscard]] EmbeddedTopic* topic(TopicId id);
    [[nodiscard]] Submission& open_submission(EmbeddedTopic& topic, Partition partition);

    const ProducerOptions options_;
    EmbeddedCommitter& committer_;
    const FindTopic find_topic_;
    std::shared_ptr<DeliveryBox> box_;
    std::vector<EmbeddedTopic*> topics_;               ///< by id, as far as they were used
    std::vector<std::vector<std::uint32_t>> open_at_;  ///< by topic and partition: 1 + index into open_; 0 = none
    std::vector<Submission> open_;                     ///< sent since the last flush
    std::size_t reports_due_ = 0;
    Counter& queue_full_;
    Gauge& queued_bytes_;
    std::shared_ptr<void> refresh_;
};

}  // namespace muster
