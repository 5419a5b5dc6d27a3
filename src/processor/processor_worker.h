#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/log.h"
#include "bus/bus.h"
#include "processor/checkpoint_topic.h"
#include "processor/partition_fold.h"
#include "processor/processor.h"
#include "processor/processor_metrics.h"

namespace muster {

/// The topics that the processor writes.
struct ProcessorTopics {
    TopicId status = 0;
    TopicId regions = 0;
    TopicId messages = 0;
    TopicId checkpoints = 0;
};

/// What the workers of a processor share; all of it outlives them.
struct ProcessorPlaces {
    Bus& bus;
    StatusStore& status;
    HistoryStore& history;
    const Clock& clock;
    ProcessorMetrics& metrics;
    ProcessorTopics topics;
};

/// One thread of the processor: its partitions' folds, its consumer, its producer.
class ProcessorWorker final : public RebalanceListener {
 public:
    ProcessorWorker(const ProcessorOptions& options, const ProcessorPlaces& places);
    ~ProcessorWorker() override;

    [[nodiscard]] Result<void> start();
    /// All workers are asked before any is joined, and none leaves the group before that: partitions would only be
    /// passed around.
    void ask_to_stop();
    void join();
    /// Any thread.
    [[nodiscard]] ProcessorProgress progress() const;

    std::optional<Offset> on_assigned(std::string_view topic, Partition partition) override;
    void on_revoked(std::string_view topic, Partition partition) override;

 private:
    struct Assigned {
        std::unique_ptr<PartitionFold> fold;
        Offset saved_offset = 0;             ///< of the snapshot file
        Timestamp on_bus_at{};               ///< partition time of the snapshot on the bus
        std::optional<std::uint32_t> place;  ///< of it on muster.checkpoints; unset: not looked yet, or there is none
    };

    void run();
    void fold(const ConsumerRecord& record);
    [[nodiscard]] bool end_batch();
    [[nodiscard]] bool hand_to_stores();
    [[nodiscard]] bool hand_to_bus();
    [[nodiscard]] bool send(TopicId topic, const ProducerRecord& record);
    [[nodiscard]] bool send_lifecycle(const LifecycleEvent& event);

    [[nodiscard]] Timestamp newest() const;
    void checkpoint(std::size_t devices_max);
    [[nodiscard]] Result<void> make_outputs_durable();
    [[nodiscard]] Result<void> save(Partition partition, Assigned& assigned);
    [[nodiscard]] Result<void> save_on_bus(Partition partition, Assigned& assigned, std::string_view snapshot);
    [[nodiscard]] bool restore_file(Partition partition, Assigned& assigned);
    void restore(Partition partition, Assigned& assigned);
    [[nodiscard]] bool restore_from_bus(Partition partition, Assigned& assigned);
    void refill_status(Partition partition, const PartitionFold& fold);
    [[nodiscard]] Result<void> copy_status(Partition partition);
    /// The status store says that it has lost something since it was last looked at: all of it is written again.
    void refill_lost_status();
    [[nodiscard]] std::string snapshot_path(Partition partition) const;
    /// A file of one digit: which place on muster.checkpoints holds this partition's snapshot.
    [[nodiscard]] std::string place_path(Partition partition) const;
    [[nodiscard]] FoldOptions fold_options(Partition partition) const;

    /// Repeats a step until it succeeds. False when the role is stopped first: the batch is given up.
    template <class Step>
    [[nodiscard]] bool repeat(std::string_view what, Step&& step);
    void complain(std::string_view what, const Error& error);
    [[nodiscard]] bool stopping();
    void pause();
    void publish_progress();

    const ProcessorOptions& options_;
    ProcessorPlaces places_;
    std::unique_ptr<Producer> producer_;
    std::unique_ptr<Consumer> consumer_;
    CheckpointTopic checkpoint_topic_;
    std::map<Partition, Assigned> partitions_;
    Partition next_to_save_ = 0;     ///< checkpoints go round
    Timestamp checkpointed_at_{};    ///< partition time
    std::uint64_t losses_refilled_;  ///< StatusStore::losses()
    FoldOutput out_;
    std::uint64_t batch_bytes_ = 0;
    bool given_up_ = false;  ///< the folds know more than the stores: nothing may be saved any more
    std::string key_;        ///< reused
    std::string header_;     ///< reused
    LogLimit log_;

    std::atomic<std::uint64_t> records_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> lag_{0};
    std::atomic<std::uint64_t> devices_{0};
    std::atomic<std::int64_t> newest_ms_{0};

    std::mutex mutex_;  ///< guards stopping_
    std::condition_variable wakened_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace muster
