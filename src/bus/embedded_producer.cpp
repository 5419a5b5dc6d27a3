#include "bus/embedded_producer.h"

#include "bus/delivery_box.h"
#include "bus/embedded_topic.h"
#include "bus/record_check.h"

namespace muster {

EmbeddedProducer::EmbeddedProducer(ProducerOptions options, EmbeddedCommitter& committer, FindTopic find_topic,
                                   MetricRegistry& metrics)
    : options_(std::move(options)),
      committer_(committer),
      find_topic_(std::move(find_topic)),
      box_(std::make_shared<DeliveryBox>(options_.on_deliveries_ready)),
      queue_full_(metrics.counter("muster_bus_producer_queue_full_total", "Records refused because the queue was full",
                                  {{"producer", options_.name}})),
      queued_bytes_(
          metrics.gauge("muster_bus_producer_queued_bytes", "Sent and not yet durable", {{"producer", options_.name}})),
      refresh_(metrics.on_render([this] { queued_bytes_.Set(static_cast<double>(box_->queued_bytes())); })) {}

EmbeddedProducer::~EmbeddedProducer() {
    flush();
    box_->close();
}

EmbeddedTopic* EmbeddedProducer::topic(TopicId id) {
    if (id >= topics_.size()) {
        topics_.resize(std::size_t{id} + 1, nullptr);
        open_at_.resize(std::size_t{id} + 1);
    }
    if (topics_[id] == nullptr) {
        topics_[id] = find_topic_(id);
        if (topics_[id] != nullptr) {
            open_at_[id].resize(static_cast<std::size_t>(topics_[id]->partitions()), 0);
        }
    }
    return topics_[id];
}

Result<void> EmbeddedProducer::send(TopicId topic_id, const ProducerRecord& record, std::uint64_t token) {
    EmbeddedTopic* const target = topic(topic_id);
    if (target == nullptr) {
        return fail(ErrorCode::not_found, "no such topic");
    }
    if (auto checked = check_record(record, target->partitions()); !checked) {
        return checked;
    }
    const std::size_t bytes = stored_bytes(record);
    const std::size_t queued = box_->queued_bytes();
    // One record may pass an empty queue whatever its bound.
    if ((queued != 0 && queued + bytes > options_.queue_bytes_max) ||
        (token != 0 && reports_due_ == delivery_reports_max)) {
        queue_full_.Increment();
        return fail(ErrorCode::queue_full, "the producer's queue is full");
    }
    const Partition partition =
        record.partition == any_partition ? partition_of(record.key, target->partitions()) : record.partition;
    Submission& submission = open_submission(*target, partition);
    append_record(submission.bytes, record, bytes);
    ++submission.records;
    submission.record_bytes += bytes;
    if (token != 0) {
        submission.tokens.push_back(token);
        ++reports_due_;
    }
    box_->sent(bytes);
    return {};
}

Submission& EmbeddedProducer::open_submission(EmbeddedTopic& topic, Partition partition) {
    std::uint32_t& at = open_at_[topic.id()][static_cast<std::size_t>(partition)];
    if (at == 0 || open_[at - 1].bytes.size() >= batch_bytes_max) {
        open_.push_back({&topic, partition, 0, 0, box_->spare_buffer(), {}, box_});
        at = static_cast<std::uint32_t>(open_.size());
    }
    return open_[at - 1];
}

void EmbeddedProducer::flush() {
    if (open_.empty()) {
        return;
    }
    for (const Submission& submission : open_) {
        open_at_[submission.topic->id()][static_cast<std::size_t>(submission.partition)] = 0;
    }
    committer_.submit(open_);
}

std::size_t EmbeddedProducer::poll(FunctionRef<void(const Delivery&)> on_delivery) {
    const std::size_t handed_out = box_->take(on_delivery);
    reports_due_ -= handed_out;
    return handed_out;
}

Result<void> EmbeddedProducer::drain(Millis timeout) {
    flush();
    committer_.hurry();
    if (!box_->wait_until_empty(timeout)) {
        return fail(ErrorCode::timed_out, "records are still on their way to the bus");
    }
    return {};
}

std::size_t EmbeddedProducer::queued_bytes() const {
    return box_->queued_bytes();
}

}  // namespace muster
