#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/metrics.h"
#include "bus/bus.h"
#include "bus/consumer_group.h"
#include "bus/consumer_signal.h"
#include "bus/embedded_log.h"
#include "bus/embedded_log_reader.h"
#include "bus/record_batch.h"

namespace muster {

class EmbeddedCommitter;

/// Reads the partitions that its group gives it (or all): from the topic's tail in memory, without copying, while it
/// keeps up; from the store while it is behind. Bounded: one batch and one iterator a partition.
class EmbeddedConsumer final : public Consumer {
 public:
    struct Places {
        EmbeddedLog& log;
        EmbeddedCommitter& committer;
        MetricRegistry& metrics;
    };

    /// `group` is null for a consumer without one.
    EmbeddedConsumer(ConsumerOptions options, std::vector<EmbeddedTopic*> topics, std::shared_ptr<ConsumerGroup> group,
                     const Places& places);
    ~EmbeddedConsumer() override;

    Result<std::size_t> poll(Millis timeout, FunctionRef<void(const ConsumerRecord&)> on_record) override;
    Result<void> commit(std::string_view topic, Partition partition, Offset next) override;
    void seek(std::string_view topic, Partition partition, Offset offset) override;
    [[nodiscard]] std::uint64_t lag() const override;
    [[nodiscard]] bool caught_up() const override { return caught_up_; }
    void wake() override { signal_.wake(); }

 private:
    /// One assigned partition and where this consumer is in it.
    struct Reading {
        TopicPartition what;
        std::atomic<Offset> position{0};            ///< written by the owner's thread, read for the lag metric too
        std::shared_ptr<const RecordBatch> batch;   ///< being handed out; null: the next one is to be found
        std::optional<RecordCursor> cursor;         ///< in `batch`
        std::unique_ptr<EmbeddedLogReader> reader;  ///< only behind the tail
    };
    using OnRecord = FunctionRef<void(const ConsumerRecord&)>;

    [[nodiscard]] Result<void> follow_group();
    [[nodiscard]] Result<void> assign(const TopicPartition& what);
    [[nodiscard]] Result<Offset> start_of(const TopicPartition& what);
    void revoke(const TopicPartition& what);
    [[nodiscard]] Reading* reading_of(std::string_view topic, Partition partition);

    [[nodiscard]] Result<std::size_t> pass(OnRecord on_record);
    [[nodiscard]] Result<std::size_t> hand_out(Reading& reading, std::size_t records_max, OnRecord on_record);
    [[nodiscard]] Result<bool> find_batch(Reading& reading);
    [[nodiscard]] Result<std::shared_ptr<const RecordBatch>> next_batch(Reading& reading);
    void note_gap(const Reading& reading, Offset base);
    void export_lag();

    const ConsumerOptions options_;
    const std::vector<EmbeddedTopic*> topics_;
    const std::shared_ptr<ConsumerGroup> group_;
    EmbeddedLog& log_;
    EmbeddedCommitter& committer_;
    ConsumerSignal signal_;
    ConsumerGroup::Member member_ = 0;
    std::uint64_t generation_seen_ = 0;
    bool assigned_all_ = false;          ///< without a group: the first poll has been
    mutable std::mutex readings_mutex_;  ///< held to change readings_, and by other threads to read it
    std::vector<std::unique_ptr<Reading>> readings_;
    std::size_t first_ = 0;  ///< where the next pass begins, so that every partition gets its turn
    bool caught_up_ = false;
    Counter& skipped_;
    Gauge& lag_gauge_;  ///< of all members of the group together: each adds its own
    double lag_exported_ = 0;
    std::shared_ptr<void> refresh_;
};

}  // namespace muster
