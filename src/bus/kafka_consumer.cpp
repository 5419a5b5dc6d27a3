#include "bus/kafka_consumer.h"

#include <algorithm>

#include <fmt/format.h>

#include "bus/kafka_topic.h"
#include "bus/kafka_topics.h"
#include "bus/record_check.h"

namespace muster {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// A longer wait is the same to a caller, and no sum with a clock overflows.
constexpr Millis poll_wait_max = std::chrono::hours(24);
constexpr int heartbeats_a_session = 10;
/// A member whose thread does not poll for so long loses its partitions; restoring one takes its time.
constexpr Millis silent_thread_max = std::chrono::minutes(5);

}  // namespace

Result<std::unique_ptr<Consumer>> KafkaConsumer::make(ConsumerOptions options, std::vector<const KafkaTopic*> topics,
                                                      const KafkaBusOptions& bus, MetricRegistry& metrics) {
    if (auto checked = check_partitions(options, bus.partitions); !checked) {
        return tl::unexpected(checked.error());
    }
    // Every member of a group must take the same one for the leading one.
    std::ranges::sort(topics, {}, [](const KafkaTopic* topic) -> const std::string& { return topic->spec.name; });
    std::unique_ptr<KafkaConsumer> consumer(new KafkaConsumer(std::move(options), std::move(topics), bus, metrics));
    if (auto started = consumer->start(); !started) {
        return tl::unexpected(started.error());
    }
    return consumer;
}

KafkaConsumer::KafkaConsumer(ConsumerOptions options, std::vector<const KafkaTopic*> topics, const KafkaBusOptions& bus,
                             MetricRegistry& metrics)
    : options_(std::move(options)),
      topics_(std::move(topics)),
      bus_(bus),
      skipped_(metrics.counter("muster_bus_skipped_offsets_total", "Offsets that were gone before their reader came",
                               {{"group", options_.group}})),
      lag_gauge_(metrics.gauge("muster_bus_consumer_lag", "Durable records that a reader has not had yet",
                               {{"group", options_.group}})),
      log_(options_.group.empty() ? "reader" : options_.group, metrics, this),
      refresh_(metrics.on_render([this] { export_lag(); })) {}

Result<void> KafkaConsumer::start() {
    KafkaSettings settings(bus_, options_.group.empty() ? "reader" : options_.group, log_);
    // Without a group nothing is ever committed and nobody joined, but librdkafka wants a name.
    settings.set("group.id", options_.group.empty() ? "muster.reader" : bus_.prefix + options_.group)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", bus_.session_timeout)
        .set("heartbeat.interval.ms", bus_.session_timeout / heartbeats_a_session)
        .set("max.poll.interval.ms", std::max(silent_thread_max, bus_.session_timeout))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")  // an offset that retention has removed
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_uncommitted")
        .set("allow.auto.create.topics", "false")
        .set("queued.max.messages.kbytes", static_cast<std::int64_t>(bus_.read_ahead_bytes >> 10U))
        .set("fetch.message.max.bytes", static_cast<std::int64_t>(kafka_message_bytes_max));
    rd_kafka_conf_set_rebalance_cb(settings.get(), &KafkaConsumer::on_rebalance);
    auto client = settings.make(RD_KAFKA_CONSUMER);
    if (!client) {
        return tl::unexpected(client.error());
    }
    client_ = std::move(*client);
    (void)rd_kafka_poll_set_consumer(client_.get());
    queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
    if (!options_.group.empty()) {
        return join_group();
    }
    for (Partition partition = 0; partition < bus_.partitions; ++partition) {
        if (reads(options_, partition)) {
            take(partition);
        }
    }
    assigned_ = true;
    return {};
}

Result<void> KafkaConsumer::join_group() {
    if (topics_.empty()) {
        assigned_ = true;
        return {};
    }
    const auto leading = make_partition_list(1);
    (void)rd_kafka_topic_partition_list_add(leading.get(), topics_.front()->full_name.c_str(), RD_KAFKA_PARTITION_UA);
    if (const auto error = rd_kafka_subscribe(client_.get(), leading.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failure("cannot join a group of Kafka's", error, options_.group);
    }
    return {};
}

KafkaConsumer::~KafkaConsumer() {
    refresh_.reset();
    lag_gauge_.Decrement(lag_exported_);
    if (client_ == nullptr) {
        return;
    }
    if (!options_.group.empty()) {
        if (to_start_) {
            // The group still waits to hear that its partitions are taken.
            const KafkaOwned<rd_kafka_error_t> ignored(
                rd_kafka_incremental_assign(client_.get(), make_partition_list(0).get()));
        }
        (void)rd_kafka_consumer_close(client_.get());  // gives up all of them through on_rebalance()
    }
    while (!readings_.empty()) {
        revoke(*readings_.back()->topic, readings_.back()->partition);
    }
    queue_.reset();
    // What rd_kafka_destroy() would do beside has been done, or is not wanted.
    rd_kafka_destroy_flags(client_.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

// Partitions that come and go ---------------------------------------------------------------------------------------

/// In the owner's thread, from inside rd_kafka_consumer_poll() or rd_kafka_consumer_close().
void KafkaConsumer::on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t what,
                                 rd_kafka_topic_partition_list_t* partitions, void* opaque) {
    auto& self = KafkaLog::owner<KafkaConsumer>(opaque);
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        for (int i = 0; i < partitions->cnt; ++i) {
            self.take(partitions->elems[i].partition);
        }
        self.assigned_ = true;
        self.to_start_ = true;  // the group waits for an answer also when it gives nothing
    } else if (what == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        self.give_up(*partitions);
    } else {
        self.log_.take(3, "REBALANCE", rd_kafka_err2str(what));
        (void)rd_kafka_assign(client, nullptr);
    }
    rd_kafka_yield(client);  // back to poll(), which does the rest
}

void KafkaConsumer::take(Partition partition) {
    const std::lock_guard lock(readings_mutex_);
    for (const KafkaTopic* topic : topics_) {
        auto reading = std::make_unique<Reading>();
        reading->topic = topic;
        reading->partition = partition;
        readings_.push_back(std::move(reading));
    }
    to_start_ = true;
    caught_up_ = false;
}

void KafkaConsumer::give_up(const rd_kafka_topic_partition_list_t& leading) {
    const auto started = make_partition_list(static_cast<std::size_t>(leading.cnt) * topics_.size());
    for (int i = 0; i < leading.cnt; ++i) {
        const Partition partition = leading.elems[i].partition;
        for (const KafkaTopic* topic : topics_) {
            const Reading* reading = reading_of(topic->full_name, partition);
            if (reading != nullptr && reading->started) {
                (void)rd_kafka_topic_partition_list_add(started.get(), topic->full_name.c_str(), partition);
            }
            revoke(*topic, partition);
        }
    }
    const KafkaOwned<rd_kafka_error_t> error(rd_kafka_incremental_unassign(client_.get(), started.get()));
    if (error != nullptr) {
        log_.take(3, "REVOKE", rd_kafka_error_string(error.get()));
    }
}

void KafkaConsumer::revoke(const KafkaTopic& topic, Partition partition) {
    const auto is_it = [&](const auto& one) { return one->topic == &topic && one->partition == partition; };
    const auto found = std::ranges::find_if(readings_, is_it);
    // Told first: the listener may still commit how far it came.
    if (found != readings_.end() && (*found)->told && options_.listener != nullptr) {
        options_.listener->on_revoked(topic.spec.name, partition);
    }
    const std::lock_guard lock(readings_mutex_);
    std::erase_if(readings_, is_it);
}

/// Asks the listener, then Kafka, where to begin, and begins. What failed is tried again at the next poll().
Result<void> KafkaConsumer::start_readings() {
    Readings coming;
    for (const auto& reading : readings_) {
        if (!reading->started) {
            coming.push_back(reading.get());
        }
    }
    for (Reading* reading : coming) {
        if (!reading->told && options_.listener != nullptr) {
            reading->told = true;
            reading->chosen = options_.listener->on_assigned(reading->topic->spec.name, reading->partition);
        }
    }
    if (auto known = find_committed(coming).and_then([&] { return find_ends(coming); }); !known) {
        return known;
    }
    const auto list = make_partition_list(coming.size());
    for (Reading* reading : coming) {
        const Offset without_commit = options_.start == ConsumerOptions::Start::earliest ? 0 : reading->end.load();
        const Offset start = reading->chosen.value_or(reading->committed >= 0 ? reading->committed : without_commit);
        reading->position = std::clamp<Offset>(start, 0, reading->end);
        rd_kafka_topic_partition_list_add(list.get(), reading->topic->full_name.c_str(), reading->partition)->offset =
            reading->position;
    }
    const KafkaOwned<rd_kafka_error_t> error(rd_kafka_incremental_assign(client_.get(), list.get()));
    if (error != nullptr) {
        return fail(ErrorCode::unavailable, "Kafka's client does not take its partitions",
                    rd_kafka_error_string(error.get()));
    }
    for (Reading* reading : coming) {
        reading->started = true;
    }
    to_start_ = false;
    return {};
}

Result<void> KafkaConsumer::find_committed(const Readings& readings) {
    if (options_.group.empty() || readings.empty()) {
        return {};
    }
    const auto list = make_partition_list(readings.size());
    for (const Reading* reading : readings) {
        (void)rd_kafka_topic_partition_list_add(list.get(), reading->topic->full_name.c_str(), reading->partition);
    }
    const auto error = rd_kafka_committed(client_.get(), list.get(), static_cast<int>(bus_.request_timeout.count()));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failure("Kafka does not say where a group has come to", error, options_.group);
    }
    for (std::size_t i = 0; i < readings.size(); ++i) {
        const rd_kafka_topic_partition_t& one = list->elems[i];
        if (one.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return kafka_failure("Kafka does not say where a group has come to", one.err, options_.group);
        }
        readings[i]->committed = std::max<Offset>(-1, one.offset);
    }
    return {};
}

Result<void> KafkaConsumer::find_ends(const Readings& readings) {
    if (readings.empty()) {
        return {};
    }
    const auto list = make_partition_list(readings.size());
    for (const Reading* reading : readings) {
        (void)rd_kafka_topic_partition_list_add(list.get(), reading->topic->full_name.c_str(), reading->partition);
    }
    if (auto found = muster::find_ends(client_.get(), *list, SteadyClock::now() + bus_.request_timeout); !found) {
        return found;
    }
    for (std::size_t i = 0; i < readings.size(); ++i) {
        readings[i]->end = list->elems[i].offset;
        readings[i]->at_end = false;
    }
    return {};
}

KafkaConsumer::Reading* KafkaConsumer::reading_of(std::string_view full_name, Partition partition) const {
    for (const auto& reading : readings_) {
        if (reading->partition == partition && reading->topic->full_name == full_name) {
            return reading.get();
        }
    }
    return nullptr;
}

KafkaConsumer::Reading* KafkaConsumer::reading_by_name(std::string_view topic, Partition partition) const {
    for (const auto& reading : readings_) {
        if (reading->partition == partition && reading->topic->spec.name == topic) {
            return reading.get();
        }
    }
    return nullptr;
}

// Records -----------------------------------------------------------------------------------------------------------

Result<std::size_t> KafkaConsumer::poll(Millis timeout, OnRecord on_record) {
    const auto until = SteadyClock::now() + std::clamp(timeout, Millis(0), poll_wait_max);
    const bool was_caught_up = caught_up_;
    std::size_t count = 0;
    while (count < options_.poll_records_max) {
        if (to_start_) {
            if (auto started = start_readings(); !started) {
                return count != 0 ? Result<std::size_t>(count) : tl::unexpected(started.error());
            }
        }
        look_whether_caught_up();
        if (count == 0 && ((caught_up_ && !was_caught_up) || woken_.exchange(false))) {
            return 0;
        }
        const KafkaOwned<rd_kafka_message_t> message(
            rd_kafka_consumer_poll(client_.get(), count == 0 ? kafka_wait(until) : 0));
        if (message != nullptr) {
            const auto taken = take_message(*message, on_record);
            if (!taken && count == 0) {
                return tl::unexpected(taken.error());
            }
            count += taken && *taken ? 1U : 0U;
        } else if (count != 0 || (!to_start_ && !woken_ && SteadyClock::now() >= until)) {
            break;
        }
    }
    look_whether_caught_up();
    woken_ = false;
    return count;
}

/// True when it was a record for the owner.
Result<bool> KafkaConsumer::take_message(const rd_kafka_message_t& message, OnRecord on_record) {
    Reading* const reading =
        message.rkt == nullptr ? nullptr : reading_of(rd_kafka_topic_name(message.rkt), message.partition);
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        // Of a partition that has just been given up, or from before a seek: not for us.
        if (reading == nullptr || message.offset < reading->position.load(std::memory_order_relaxed)) {
            return false;
        }
        hand_out(*reading, message, on_record);
        return true;
    }
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (reading != nullptr && message.offset >= reading->position) {
            // The last records may have been compacted away.
            reading->position = message.offset;
            reading->at_end = true;
        }
        return false;
    }
    if (message.err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
        log_.take(3, "MAXPOLL", "this member did not poll for too long and has lost its partitions");
        return false;
    }
    return kafka_failure("cannot read from Kafka", message.err, rd_kafka_message_errstr(&message));
}

void KafkaConsumer::hand_out(Reading& reading, const rd_kafka_message_t& message, OnRecord on_record) {
    const Offset expected = reading.position.load(std::memory_order_relaxed);
    // A compacted topic is made of gaps.
    if (message.offset > expected && reading.topic->spec.cleanup != TopicSpec::Cleanup::compacted) {
        skipped_.Increment(static_cast<double>(message.offset - expected));
    }
    reading.position.store(message.offset + 1, std::memory_order_relaxed);
    read_headers(message);
    ConsumerRecord record;
    record.topic = reading.topic->spec.name;
    record.partition = reading.partition;
    record.offset = message.offset;
    record.time = from_epoch_ms(std::max<std::int64_t>(0, rd_kafka_message_timestamp(&message, nullptr)));
    record.key = {static_cast<const char*>(message.key), message.key_len};
    record.value = {static_cast<const char*>(message.payload), message.len};
    record.headers = headers_;
    record.tombstone = message.payload == nullptr;
    on_record(record);
}

void KafkaConsumer::read_headers(const rd_kafka_message_t& message) {
    headers_.clear();
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
        headers_.push_back({name, {static_cast<const char*>(value), value == nullptr ? 0 : size}});
    }
}

void KafkaConsumer::look_whether_caught_up() {
    if (caught_up_ || !assigned_ || to_start_) {
        return;
    }
    for (const auto& reading : readings_) {
        if (!reading->at_end && reading->position.load(std::memory_order_relaxed) < reading->end) {
            return;
        }
    }
    caught_up_ = true;
}

Result<void> KafkaConsumer::commit(std::string_view topic, Partition partition, Offset next) {
    if (options_.group.empty()) {
        return fail(ErrorCode::unsupported, "a consumer without a group commits nothing");
    }
    Reading* const reading = reading_by_name(topic, partition);
    if (reading == nullptr) {
        return fail(ErrorCode::conflict, "the partition is not this consumer's");
    }
    if (next <= reading->committed) {
        return {};
    }
    const auto list = make_partition_list(1);
    rd_kafka_topic_partition_list_add(list.get(), reading->topic->full_name.c_str(), partition)->offset = next;
    // A queue of its own: an answer that comes too late is nobody's.
    const KafkaOwned<rd_kafka_queue_t> queue(rd_kafka_queue_new(client_.get()));
    auto error = rd_kafka_commit_queue(client_.get(), list.get(), queue.get(), nullptr, nullptr);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const KafkaOwned<rd_kafka_event_t> answer(
            rd_kafka_queue_poll(queue.get(), static_cast<int>(bus_.request_timeout.count())));
        error = answer == nullptr ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(answer.get());
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
            error = rd_kafka_event_topic_partition_list(answer.get())->elems[0].err;
        }
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_failure("cannot commit an offset to Kafka", error);
    }
    reading->committed = next;
    return {};
}

void KafkaConsumer::seek(std::string_view topic, Partition partition, Offset offset) {
    Reading* const reading = reading_by_name(topic, partition);
    if (reading == nullptr) {
        return;
    }
    caught_up_ = false;
    if (!reading->started) {
        reading->chosen = offset;
        return;
    }
    // Given up and taken again by the client alone: the next poll() starts it where it is to be.
    const auto list = make_partition_list(1);
    (void)rd_kafka_topic_partition_list_add(list.get(), reading->topic->full_name.c_str(), partition);
    const KafkaOwned<rd_kafka_error_t> error(rd_kafka_incremental_unassign(client_.get(), list.get()));
    if (error != nullptr) {
        log_.take(3, "SEEK", rd_kafka_error_string(error.get()));
        return;
    }
    reading->chosen = offset;
    reading->started = false;
    to_start_ = true;
}

/// What Kafka said with its last answers; a partition that was just started has its end from then.
std::uint64_t KafkaConsumer::lag() const {
    std::uint64_t behind = 0;
    for (const auto& reading : readings_) {
        if (!reading->started) {
            continue;
        }
        Offset low = 0;
        Offset high = 0;
        Offset end = reading->end;
        if (rd_kafka_get_watermark_offsets(client_.get(), reading->topic->full_name.c_str(), reading->partition, &low,
                                           &high) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            end = std::max(end, high);
        }
        behind += static_cast<std::uint64_t>(std::max<Offset>(0, end - reading->position.load()));
    }
    return behind;
}

/// Any thread: a stalled reader's lag must be seen too.
void KafkaConsumer::export_lag() {
    const std::lock_guard lock(readings_mutex_);
    const auto behind = static_cast<double>(lag());
    lag_gauge_.Increment(behind - lag_exported_);
    lag_exported_ = behind;
}

void KafkaConsumer::wake() {
    woken_ = true;
    rd_kafka_queue_yield(queue_.get());
}

}  // namespace muster
