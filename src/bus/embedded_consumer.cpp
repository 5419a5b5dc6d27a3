#include "bus/embedded_consumer.h"

#include <algorithm>

#include "bus/embedded_committer.h"
#include "bus/embedded_topic.h"
#include "bus/record_check.h"

namespace muster {
namespace {

/// A longer wait is the same to a caller, and no sum with a clock overflows.
constexpr Millis poll_wait_max = std::chrono::hours(24);

}  // namespace

EmbeddedConsumer::EmbeddedConsumer(ConsumerOptions options, std::vector<EmbeddedTopic*> topics,
                                   std::shared_ptr<ConsumerGroup> group, const Places& places)
    : options_(std::move(options)),
      topics_(std::move(topics)),
      group_(std::move(group)),
      log_(places.log),
      committer_(places.committer),
      skipped_(places.metrics.counter("muster_bus_skipped_offsets_total",
                                      "Offsets that were gone before their reader came", {{"group", options_.group}})),
      lag_gauge_(places.metrics.gauge("muster_bus_consumer_lag", "Durable records that a reader has not had yet",
                                      {{"group", options_.group}})),
      refresh_(places.metrics.on_render([this] { export_lag(); })) {
    for (EmbeddedTopic* topic : topics_) {
        topic->add_interest(signal_);
    }
    if (group_ != nullptr) {
        member_ = group_->join(signal_, topics_);
    }
}

EmbeddedConsumer::~EmbeddedConsumer() {
    refresh_.reset();
    lag_gauge_.Decrement(lag_exported_);
    for (EmbeddedTopic* topic : topics_) {
        topic->remove_interest(signal_);
    }
    while (!readings_.empty()) {
        revoke(readings_.back()->what);
    }
    if (group_ != nullptr) {
        group_->leave(member_);
    }
}

Result<void> EmbeddedConsumer::follow_group() {
    if (group_ == nullptr) {
        for (std::size_t i = 0; !assigned_all_ && i < topics_.size(); ++i) {
            for (Partition partition = 0; partition < topics_[i]->partitions(); ++partition) {
                if (reads(options_, partition)) {
                    (void)assign({topics_[i], partition});
                }
            }
        }
        assigned_all_ = true;
        return {};
    }
    const std::uint64_t generation = group_->generation();
    if (generation == generation_seen_) {
        return {};
    }
    for (const TopicPartition& given : group_->to_give_up(member_)) {
        revoke(given);
        group_->gave_up(member_, given);
    }
    Result<void> result;
    for (const TopicPartition& taken : group_->take(member_)) {
        if (result) {
            result = assign(taken);
        }
        if (!result) {
            group_->gave_up(member_, taken);  // and tried again at the next poll
        }
    }
    generation_seen_ = generation;
    return result;
}

Result<void> EmbeddedConsumer::assign(const TopicPartition& what) {
    const auto start = start_of(what);
    if (!start) {
        return tl::unexpected(start.error());
    }
    auto reading = std::make_unique<Reading>();
    reading->what = what;
    reading->position = *start;
    {
        const std::lock_guard lock(readings_mutex_);
        readings_.push_back(std::move(reading));
    }
    caught_up_ = false;
    if (options_.listener != nullptr) {
        if (const auto chosen = options_.listener->on_assigned(what.topic->name(), what.partition)) {
            seek(what.topic->name(), what.partition, *chosen);
        }
    }
    return {};
}

Result<Offset> EmbeddedConsumer::start_of(const TopicPartition& what) {
    const Offset end = what.topic->end(what.partition);
    const Offset without_commit = options_.start == ConsumerOptions::Start::earliest ? 0 : end;
    if (group_ == nullptr) {
        return without_commit;
    }
    const auto committed = log_.committed_offset(options_.group, what.topic->name(), what.partition);
    if (!committed) {
        return tl::unexpected(committed.error());
    }
    return std::min(end, committed->value_or(without_commit));
}

void EmbeddedConsumer::revoke(const TopicPartition& what) {
    // Told first: the listener may still commit how far it came.
    if (options_.listener != nullptr) {
        options_.listener->on_revoked(what.topic->name(), what.partition);
    }
    const std::lock_guard lock(readings_mutex_);
    std::erase_if(readings_, [&what](const auto& reading) { return reading->what == what; });
}

EmbeddedConsumer::Reading* EmbeddedConsumer::reading_of(std::string_view topic, Partition partition) {
    for (const auto& reading : readings_) {
        if (reading->what.partition == partition && reading->what.topic->name() == topic) {
            return reading.get();
        }
    }
    return nullptr;
}

Result<std::size_t> EmbeddedConsumer::poll(Millis timeout, OnRecord on_record) {
    const auto until = std::chrono::steady_clock::now() + std::clamp(timeout, Millis(0), poll_wait_max);
    while (true) {
        if (auto followed = follow_group(); !followed) {
            return tl::unexpected(followed.error());
        }
        auto handed_out = pass(on_record);
        caught_up_ = caught_up_ || lag() == 0;
        if (!handed_out || *handed_out != 0) {
            signal_.take_wake();
            return handed_out;
        }
        if (signal_.wait_until(until) != ConsumerSignal::Reason::raised) {
            return 0;
        }
    }
}

/// Once over the assigned partitions. An error counts only when nothing was handed out: it will be there the next time.
Result<std::size_t> EmbeddedConsumer::pass(OnRecord on_record) {
    std::size_t total = 0;
    for (std::size_t i = 0; i < readings_.size() && total < options_.poll_records_max; ++i) {
        Reading& reading = *readings_[(first_ + i) % readings_.size()];
        const auto handed_out = hand_out(reading, options_.poll_records_max - total, on_record);
        if (!handed_out) {
            return total != 0 ? Result<std::size_t>(total) : handed_out;
        }
        total += *handed_out;
    }
    ++first_;
    return total;
}

Result<std::size_t> EmbeddedConsumer::hand_out(Reading& reading, std::size_t records_max, OnRecord on_record) {
    ConsumerRecord record;
    record.topic = reading.what.topic->name();
    record.partition = reading.what.partition;
    std::size_t count = 0;
    while (count < records_max) {
        const auto found = find_batch(reading);
        if (!found) {
            return count != 0 ? Result<std::size_t>(count) : tl::unexpected(found.error());
        }
        if (!*found) {
            break;
        }
        // Held here too: the callback may seek, which lets the reading's go.
        const std::shared_ptr<const RecordBatch> batch = reading.batch;
        while (count < records_max && reading.batch == batch && reading.cursor->next(record)) {
            if (record.offset < reading.position) {
                continue;
            }
            reading.position.store(record.offset + 1, std::memory_order_relaxed);
            ++count;
            on_record(record);
        }
        if (reading.batch == batch && count < records_max) {
            if (!reading.cursor->ok()) {
                log_.report_damage(*reading.what.topic, reading.what.partition, reading.position,
                                   {ErrorCode::malformed, "record does not follow its format", {}});
            }
            reading.position = std::max(reading.position.load(), batch->end);
            reading.batch.reset();
        }
    }
    return count;
}

/// False when there is nothing to read now.
Result<bool> EmbeddedConsumer::find_batch(Reading& reading) {
    if (reading.batch != nullptr) {
        return true;
    }
    auto batch = next_batch(reading);
    if (!batch) {
        return tl::unexpected(batch.error());
    }
    if (*batch == nullptr) {
        return false;
    }
    note_gap(reading, (*batch)->base);
    reading.batch = std::move(*batch);
    reading.cursor.emplace(*reading.batch);
    return true;
}

Result<std::shared_ptr<const RecordBatch>> EmbeddedConsumer::next_batch(Reading& reading) {
    EmbeddedPartition& partition = reading.what.topic->partition(reading.what.partition);
    if (reading.position >= partition.end()) {
        return nullptr;
    }
    auto place = partition.find(reading.position);
    if (place.in_tail) {
        reading.reader.reset();
        return std::move(place.batch);
    }
    if (reading.reader == nullptr) {
        reading.reader = std::make_unique<EmbeddedLogReader>(log_, *reading.what.topic, reading.what.partition);
    }
    auto stored = reading.reader->read(reading.position);
    if (!stored || *stored != nullptr) {
        return stored;
    }
    // Nothing of it is left in the store: on to what is in memory.
    reading.reader.reset();
    auto oldest = partition.oldest();
    if (oldest == nullptr) {
        note_gap(reading, partition.end());
        reading.position = partition.end();
    }
    return oldest;
}

void EmbeddedConsumer::note_gap(const Reading& reading, Offset base) {
    // A compacted topic is made of gaps.
    if (base > reading.position && !reading.what.topic->compacted()) {
        skipped_.Increment(static_cast<double>(base - reading.position));
    }
}

/// Any thread: a stalled reader's lag must be seen too.
void EmbeddedConsumer::export_lag() {
    const std::lock_guard lock(readings_mutex_);
    const auto behind = static_cast<double>(lag());
    lag_gauge_.Increment(behind - lag_exported_);
    lag_exported_ = behind;
}

Result<void> EmbeddedConsumer::commit(std::string_view topic, Partition partition, Offset next) {
    if (group_ == nullptr) {
        return fail(ErrorCode::unsupported, "a consumer without a group commits nothing");
    }
    const Reading* reading = reading_of(topic, partition);
    if (reading == nullptr) {
        return fail(ErrorCode::conflict, "the partition is not this consumer's");
    }
    auto committed = log_.commit_offset(options_.group, reading->what.topic->name(), partition, next);
    if (committed) {
        committer_.submit_sync();
    }
    return committed;
}

void EmbeddedConsumer::seek(std::string_view topic, Partition partition, Offset offset) {
    Reading* reading = reading_of(topic, partition);
    if (reading == nullptr) {
        return;
    }
    reading->position = std::clamp<Offset>(offset, 0, reading->what.topic->end(partition));
    reading->batch.reset();
    reading->reader.reset();
    caught_up_ = false;
}

std::uint64_t EmbeddedConsumer::lag() const {
    std::uint64_t behind = 0;
    for (const auto& reading : readings_) {
        const Offset end = reading->what.topic->end(reading->what.partition);
        behind +=
            static_cast<std::uint64_t>(std::max<Offset>(0, end - reading->position.load(std::memory_order_relaxed)));
    }
    return behind;
}

}  // namespace muster
