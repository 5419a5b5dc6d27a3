#include "bus/embedded_topic.h"

#include "bus/consumer_signal.h"

namespace muster {

EmbeddedTopic::EmbeddedTopic(TopicSpec spec, TopicId id, LogTopic stored, std::size_t tail_bytes_max, EmbeddedLog& log,
                             MetricRegistry& metrics)
    : spec_(std::move(spec)),
      id_(id),
      family_(std::move(stored.family)),
      partitions_(stored.next.size()),
      next_(std::move(stored.next)),
      records_(metrics.counter("muster_bus_records_total", "Records made durable", {{"topic", spec_.name}})),
      bytes_(
          metrics.counter("muster_bus_record_bytes_total", "Bytes of records made durable", {{"topic", spec_.name}})),
      tail_bytes_(metrics.gauge("muster_bus_tail_bytes", "Newest records kept in memory", {{"topic", spec_.name}})),
      stored_bytes_(metrics.gauge("muster_bus_stored_bytes", "Tables on disk", {{"topic", spec_.name}})),
      refresh_(metrics.on_render([this, &log] { stored_bytes_.Set(static_cast<double>(log.stored_bytes(*this))); })) {
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
        partitions_[i].set_bytes_max(tail_bytes_max / partitions_.size());
        partitions_[i].start_at(next_[i]);
    }
}

void EmbeddedTopic::publish(Partition index, RecordBatch batch) {
    records_.Increment(static_cast<double>(batch.end - batch.base));
    bytes_.Increment(static_cast<double>(batch.bytes.size() - batch_header_bytes));
    tail_bytes_.Increment(
        static_cast<double>(partition(index).publish(std::make_shared<const RecordBatch>(std::move(batch)))));
}

void EmbeddedTopic::wake_consumers() {
    const std::lock_guard lock(mutex_);
    for (ConsumerSignal* signal : interested_) {
        signal->raise();
    }
}

void EmbeddedTopic::add_interest(ConsumerSignal& signal) {
    const std::lock_guard lock(mutex_);
    interested_.push_back(&signal);
}

void EmbeddedTopic::remove_interest(ConsumerSignal& signal) {
    const std::lock_guard lock(mutex_);
    std::erase(interested_, &signal);
}

}  // namespace muster
