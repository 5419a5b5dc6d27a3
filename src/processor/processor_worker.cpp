#include "processor/processor_worker.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/thread.h"
#include "contract/bus_topics.h"
#include "processor/snapshot_file.h"

namespace muster {
namespace {

constexpr Millis drain_timeout{10'000};
constexpr std::size_t refill_documents = 1000;  ///< applied at a time

std::uint64_t bytes_of(const ConsumerRecord& record) {
    return record.key.size() + record.value.size();
}

}  // namespace

ProcessorWorker::ProcessorWorker(const ProcessorOptions& options, const ProcessorPlaces& places)
    : options_(options), places_(places), checkpoint_topic_(places.bus), losses_refilled_(places.status.losses()) {}

ProcessorWorker::~ProcessorWorker() {
    ask_to_stop();
    join();
    // Its end tells this listener, who may still commit with it: reset() would have forgotten it by then.
    delete consumer_.get();
    [[maybe_unused]] const Consumer* const ended = consumer_.release();
}

Result<void> ProcessorWorker::start() {
    ProducerOptions producer;
    producer.name = options_.name;
    producer.queue_bytes_max = options_.producer_queue_bytes_max;
    producer_ = places_.bus.producer(std::move(producer));
    ConsumerOptions consumer;
    consumer.group = options_.group;
    consumer.topics = {std::string(bus_topics::events)};
    consumer.listener = this;
    consumer.poll_records_max = options_.poll_records_max;
    auto made = places_.bus.consumer(std::move(consumer));
    if (!made) {
        return tl::unexpected(made.error());
    }
    consumer_ = std::move(*made);
    thread_ = start_thread("processor", [this] { run(); });
    return {};
}

void ProcessorWorker::ask_to_stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wakened_.notify_all();
    if (consumer_ != nullptr) {
        consumer_->wake();
    }
}

void ProcessorWorker::join() {
    if (thread_.joinable()) {
        thread_.join();
    }
}

void ProcessorWorker::run() {
    while (!stopping() && !given_up_) {
        const auto polled = consumer_->poll(options_.idle, [this](const ConsumerRecord& record) { fold(record); });
        if (!polled) {
            places_.metrics.retries.Increment();
            complain("read the bus", polled.error());
            pause();
        }
        if (!end_batch()) {
            return;
        }
        if (newest() - checkpointed_at_ >= options_.checkpoint_interval) {
            checkpoint(options_.checkpoint_devices);
        }
        publish_progress();
    }
    if (!given_up_) {
        checkpoint(SIZE_MAX);
    }
}

void ProcessorWorker::fold(const ConsumerRecord& record) {
    const auto found = partitions_.find(record.partition);
    if (found == partitions_.end()) {
        return;
    }
    found->second.fold->apply(record.header(event_header_name), record.key, record.value, record.offset, out_);
    batch_bytes_ += bytes_of(record);
    records_.fetch_add(1, std::memory_order_relaxed);
}

// Handing over --------------------------------------------------------------------------------------------------------

bool ProcessorWorker::end_batch() {
    given_up_ = given_up_ || !hand_to_stores() || (!options_.only_stores && !hand_to_bus());
    if (given_up_) {
        return false;
    }
    places_.metrics.count(out_, batch_bytes_);
    bytes_.fetch_add(batch_bytes_, std::memory_order_relaxed);
    batch_bytes_ = 0;
    out_.clear();
    refill_lost_status();  // from the bus, which has this batch too
    return true;
}

bool ProcessorWorker::hand_to_stores() {
    if (!out_.samples.empty() && !repeat("append samples", [this] { return places_.history.append(out_.samples); })) {
        return false;
    }
    for (const auto* entries : {&out_.transitions, &out_.moves}) {
        for (const DeviceTransition& entry : *entries) {
            if (!repeat("append a transition",
                        [&] { return places_.history.append_transition(entry.device, entry.transition); })) {
                return false;
            }
        }
    }
    if (out_.documents.empty() && out_.touches.empty()) {
        return true;
    }
    if (!repeat("write the status", [this] { return places_.status.apply(out_.documents, out_.touches); })) {
        return false;
    }
    places_.metrics.observe_detections(out_, places_.clock.now());
    return true;
}

bool ProcessorWorker::hand_to_bus() {
    for (const StatusDocument& document : out_.documents) {
        const std::string value = to_json(document);
        if (!send(places_.topics.status, {.key = document.id, .value = value, .headers = {}, .time = document.since})) {
            return false;
        }
    }
    for (const RegionReport& report : out_.regions) {
        // On the partition that it speaks of: reports of one partition keep their order.
        key_ = region_report_key(report.partition, report.region);
        const std::string value = to_json(report);
        if (!send(places_.topics.regions,
                  {.key = key_, .value = value, .headers = {}, .time = report.time, .partition = report.partition})) {
            return false;
        }
    }
    for (const LifecycleEvent& event : out_.lifecycle) {
        if (!send_lifecycle(event)) {
            return false;
        }
    }
    producer_->flush();
    return true;
}

bool ProcessorWorker::send_lifecycle(const LifecycleEvent& event) {
    EventHeader header;
    header.kind = EventKind::publish;
    header.received = event.time;
    header.gateway = options_.name;
    header.topic = event.topic;
    header_.clear();
    encode(header, header_);
    const std::array<RecordHeader, 1> headers{RecordHeader{event_header_name, header_}};
    return send(places_.topics.messages,
                {.key = event.topic, .value = event.json, .headers = headers, .time = event.time});
}

bool ProcessorWorker::send(TopicId topic, const ProducerRecord& record) {
    auto sent = producer_->send(topic, record, 0);
    if (!sent && sent.error().code == ErrorCode::queue_full) {
        // The bus is slower than the fold: wait for it, and so for the next batch.
        return repeat("write to the bus", [&]() -> Result<void> {
            (void)producer_->drain(options_.retry);
            return producer_->send(topic, record, 0);
        });
    }
    return sent || repeat("write to the bus", [&] { return producer_->send(topic, record, 0); });
}

// Checkpoints ---------------------------------------------------------------------------------------------------------

Timestamp ProcessorWorker::newest() const {
    Timestamp newest{};
    for (const auto& [partition, assigned] : partitions_) {
        newest = std::max(newest, assigned.fold->partition_time());
    }
    return newest;
}

/// Saves partitions in turn until `devices_max` devices are written, at least one partition. A failure is counted; the
/// next checkpoint tries again.
void ProcessorWorker::checkpoint(std::size_t devices_max) {
    checkpointed_at_ = newest();
    const Millis began = places_.clock.monotonic();
    Result<void> result = make_outputs_durable();
    std::size_t devices = 0;
    for (std::size_t i = 0; result && i < partitions_.size() && devices < devices_max; ++i) {
        auto next = partitions_.lower_bound(next_to_save_);
        next = next == partitions_.end() ? partitions_.begin() : next;
        devices += next->second.fold->devices();
        result = save(next->first, next->second);
        next_to_save_ = next->first + 1;
    }
    if (!result) {
        places_.metrics.retries.Increment();
        complain("make a checkpoint", result.error());
        return;
    }
    places_.metrics.checkpoints.Increment();
    places_.metrics.checkpoint_seconds.Observe(
        std::chrono::duration<double>(places_.clock.monotonic() - began).count());
}

/// Everything that the folds have said so far: only then may a snapshot stand for it.
Result<void> ProcessorWorker::make_outputs_durable() {
    if (auto drained = producer_->drain(drain_timeout); !drained) {
        return drained;
    }
    if (auto kept = places_.history.checkpoint(); !kept) {
        return kept;
    }
    return places_.status.checkpoint();
}

Result<void> ProcessorWorker::save(Partition partition, Assigned& assigned) {
    const Offset next = assigned.fold->next_offset();
    if (next == assigned.saved_offset) {
        return {};
    }
    const std::string snapshot = assigned.fold->snapshot();
    if (auto written = write_snapshot_file(snapshot_path(partition), snapshot); !written) {
        return written;
    }
    assigned.saved_offset = next;
    if (!options_.only_stores &&
        assigned.fold->partition_time() - assigned.on_bus_at >= options_.bus_checkpoint_interval) {
        if (auto saved = save_on_bus(partition, assigned, snapshot); !saved) {
            return saved;
        }
    }
    return consumer_->commit(bus_topics::events, partition, next);
}

Result<void> ProcessorWorker::save_on_bus(Partition partition, Assigned& assigned, std::string_view snapshot) {
    if (!assigned.place) {
        const auto found = checkpoint_topic_.read(partition);
        if (found && *found) {
            assigned.place = (*found)->place;
        }
    }
    const std::uint32_t place = assigned.place ? 1 - *assigned.place : 0;
    auto written = CheckpointTopic::write(
        partition, place, snapshot,
        [&](const ProducerRecord& record) { return send(places_.topics.checkpoints, record); },
        [&] { return producer_->drain(drain_timeout); });
    if (!written) {
        return written;
    }
    assigned.place = place;
    assigned.on_bus_at = assigned.fold->partition_time();
    places_.metrics.bus_checkpoints.Increment();
    return write_snapshot_file(place_path(partition), std::to_string(place));
}

std::string ProcessorWorker::place_path(Partition partition) const {
    return fmt::format("{}/partition-{:05}.place", options_.data_directory, partition);
}

std::string ProcessorWorker::snapshot_path(Partition partition) const {
    return fmt::format("{}/partition-{:05}.fold", options_.data_directory, partition);
}

FoldOptions ProcessorWorker::fold_options(Partition partition) const {
    FoldOptions options;
    options.partition = partition;
    options.heartbeat_timeout = options_.heartbeat_timeout;
    options.gateways.lost_after = options_.gateway_lost_after;
    options.gateways.grace = options_.gateway_grace;
    return options;
}

std::optional<Offset> ProcessorWorker::on_assigned(std::string_view, Partition partition) {
    Assigned assigned;
    restore(partition, assigned);
    if (assigned.fold != nullptr) {
        refill_status(partition, *assigned.fold);
    } else {
        // Not the committed offset: without its state the rest of the partition would mean something else.
        assigned.fold = std::make_unique<PartitionFold>(fold_options(partition));
    }
    assigned.saved_offset = assigned.fold->next_offset();
    const Offset start = assigned.saved_offset;
    partitions_.insert_or_assign(partition, std::move(assigned));
    return start;
}

/// From this disk; from the bus where that is newer, because another processor had the partition meanwhile.
void ProcessorWorker::restore(Partition partition, Assigned& assigned) {
    const bool has_file = restore_file(partition, assigned);
    if (options_.only_stores || (has_file && options_.is_alone)) {
        return;
    }
    Assigned from_bus;
    if (restore_from_bus(partition, from_bus)) {
        if (!has_file || from_bus.fold->next_offset() > assigned.fold->next_offset()) {
            assigned.fold = std::move(from_bus.fold);
            places_.metrics.bus_restores.Increment();
            spdlog::info("processor: partition {} goes on from its checkpoint on the bus, at offset {}", partition,
                         assigned.fold->next_offset());
        }
    }
    assigned.place = from_bus.place ? from_bus.place : assigned.place;
}

bool ProcessorWorker::restore_file(Partition partition, Assigned& assigned) {
    auto bytes = read_snapshot_file(snapshot_path(partition));
    if (bytes && *bytes) {
        auto restored = PartitionFold::restore(fold_options(partition), **bytes);
        if (restored) {
            assigned.fold = std::move(*restored);
        } else {
            bytes = tl::unexpected(restored.error());
        }
    }
    if (!bytes) {
        places_.metrics.damaged_snapshots.Increment();
        spdlog::warn("processor: the snapshot {} of partition {} cannot be used: {}", snapshot_path(partition),
                     partition, bytes.error().message());
    }
    const auto place = read_snapshot_file(place_path(partition));
    if (place && *place && (**place == "0" || **place == "1")) {
        assigned.place = **place == "1" ? 1 : 0;
    }
    return assigned.fold != nullptr;
}

bool ProcessorWorker::restore_from_bus(Partition partition, Assigned& assigned) {
    auto found = checkpoint_topic_.read(partition);
    Result<std::unique_ptr<PartitionFold>> restored = fail(ErrorCode::not_found, "there is none");
    if (!found) {
        restored = tl::unexpected(found.error());
    } else if (*found) {
        assigned.place = (*found)->place;
        restored = PartitionFold::restore(fold_options(partition), (*found)->snapshot);
    }
    if (restored) {
        assigned.fold = std::move(*restored);
        return true;
    }
    if (restored.error().code != ErrorCode::not_found) {
        places_.metrics.damaged_snapshots.Increment();
        spdlog::warn("processor: partition {} is folded anew from the start of the bus: {}", partition,
                     restored.error().message());
    }
    return false;
}

/// A status store that has never heard of a device that the fold knows is new, and one that has had losses may be
/// without any part: what it is to hold is on muster.status. What it holds already, or will be told again, has the same
/// offsets and changes nothing.
void ProcessorWorker::refill_status(Partition partition, const PartitionFold& fold) {
    if (options_.only_stores || fold.devices() == 0) {
        return;
    }
    bool is_known = false;
    const bool answered = repeat("ask the status store what it has", [&]() -> Result<void> {
        const auto known = places_.status.get(fold.first_device());
        is_known = known && known->has_value();
        return known ? Result<void>() : tl::unexpected(known.error());
    });
    if (answered && (places_.status.losses() != 0 || !is_known)) {
        (void)repeat("fill the status from the bus", [&] { return copy_status(partition); });
    }
}

Result<void> ProcessorWorker::copy_status(Partition partition) {
    std::vector<StatusDocument> documents;
    Result<void> applied;
    const auto apply = [&] {
        if (applied && !documents.empty()) {
            applied = places_.status.apply(documents, {});
        }
        documents.clear();
    };
    const auto read = checkpoint_topic_.read_all(bus_topics::status, partition, [&](const ConsumerRecord& record) {
        if (record.tombstone) {
            return;
        }
        auto document = parse_status_document(record.value);
        if (!document) {
            places_.metrics.bad_documents.Increment();
            return;
        }
        documents.push_back(std::move(*document));
        if (documents.size() == refill_documents) {
            apply();
        }
    });
    apply();
    return read ? applied : tl::unexpected(read.error());
}

void ProcessorWorker::refill_lost_status() {
    const std::uint64_t losses = places_.status.losses();
    if (losses == losses_refilled_) {
        return;
    }
    losses_refilled_ = losses;
    if (auto drained = producer_->drain(drain_timeout); !drained) {
        complain("wait for the bus", drained.error());
    }
    for (const auto& [partition, assigned] : partitions_) {
        refill_status(partition, *assigned.fold);
    }
}

void ProcessorWorker::on_revoked(std::string_view, Partition partition) {
    const auto found = partitions_.find(partition);
    if (found == partitions_.end()) {
        return;
    }
    // The batch may have records of it; its next owner begins where this snapshot ends.
    if (found->second.fold->next_offset() != found->second.saved_offset && end_batch()) {
        auto saved = make_outputs_durable();
        if (saved) {
            saved = save(partition, found->second);
        }
        if (!saved) {
            complain("save a partition that is given up", saved.error());
        }
    }
    partitions_.erase(found);
}

// ---------------------------------------------------------------------------------------------------------------------

template <class Step>
bool ProcessorWorker::repeat(std::string_view what, Step&& step) {
    while (true) {
        const Result<void> done = step();
        if (done) {
            return true;
        }
        places_.metrics.retries.Increment();
        complain(what, done.error());
        if (stopping()) {
            return false;
        }
        pause();
    }
}

void ProcessorWorker::complain(std::string_view what, const Error& error) {
    std::uint64_t swallowed = 0;
    if (log_.allow(places_.clock.monotonic(), swallowed)) {
        spdlog::warn("processor: cannot {}: {}; trying again ({} more such failures)", what, error.message(),
                     swallowed);
    }
}

bool ProcessorWorker::stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

void ProcessorWorker::pause() {
    std::unique_lock lock(mutex_);
    wakened_.wait_for(lock, options_.retry, [this] { return stopping_; });
}

void ProcessorWorker::publish_progress() {
    std::uint64_t devices = 0;
    for (const auto& [partition, assigned] : partitions_) {
        devices += assigned.fold->devices();
    }
    devices_.store(devices, std::memory_order_relaxed);
    lag_.store(consumer_->lag(), std::memory_order_relaxed);
    newest_ms_.store(to_epoch_ms(newest()), std::memory_order_relaxed);
}

ProcessorProgress ProcessorWorker::progress() const {
    return {records_.load(std::memory_order_relaxed), bytes_.load(std::memory_order_relaxed),
            lag_.load(std::memory_order_relaxed), devices_.load(std::memory_order_relaxed),
            from_epoch_ms(newest_ms_.load(std::memory_order_relaxed))};
}

}  // namespace muster
