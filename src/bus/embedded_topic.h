#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/metrics.h"
#include "bus/bus.h"
#include "bus/embedded_log.h"
#include "bus/embedded_partition.h"

namespace muster {

class ConsumerSignal;

/// One topic of the embedded bus: its place in the store, its partitions, and who wants to hear of new records. Owned
/// by the bus for as long as that lives; partitions and interest from any thread, the rest by the commit thread.
class EmbeddedTopic final {
 public:
    EmbeddedTopic(TopicSpec spec, TopicId id, LogTopic stored, std::size_t tail_bytes_max, EmbeddedLog& log,
                  MetricRegistry& metrics);

    [[nodiscard]] const std::string& name() const { return spec_.name; }
    [[nodiscard]] const TopicSpec& spec() const { return spec_; }
    [[nodiscard]] bool compacted() const { return spec_.cleanup == TopicSpec::Cleanup::compacted; }
    [[nodiscard]] TopicId id() const { return id_; }
    /// The topic's column family.
    [[nodiscard]] const std::string& family() const { return family_; }
    [[nodiscard]] Partition partitions() const { return static_cast<Partition>(partitions_.size()); }
    [[nodiscard]] EmbeddedPartition& partition(Partition index) { return partitions_[static_cast<std::size_t>(index)]; }

    [[nodiscard]] Offset end(Partition index) const { return partitions_[static_cast<std::size_t>(index)].end(); }

    /// Commit thread: the offset that the next record of each partition gets.
    [[nodiscard]] std::vector<Offset>& next() { return next_; }
    /// Commit thread: makes a durable batch visible to consumers. They are told by wake_consumers().
    void publish(Partition index, RecordBatch batch);
    void wake_consumers();

    /// `signal` is raised when new records are visible, until remove_interest() returns.
    void add_interest(ConsumerSignal& signal);
    void remove_interest(ConsumerSignal& signal);

 private:
    const TopicSpec spec_;
    const TopicId id_;
    const std::string family_;
    std::vector<EmbeddedPartition> partitions_;
    std::vector<Offset> next_;
    Counter& records_;
    Counter& bytes_;
    Gauge& tail_bytes_;
    Gauge& stored_bytes_;
    std::mutex mutex_;  ///< guards interested_
    std::vector<ConsumerSignal*> interested_;
    std::shared_ptr<void> refresh_;
};

}  // namespace muster
