#include "bus/kafka_producer.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "bus/kafka_topic.h"
#include "bus/kafka_topics.h"
#include "bus/record_check.h"

namespace muster {
namespace {

/// What librdkafka and this producer keep for a record beside its bytes, about: so that the bound holds for memory.
constexpr std::size_t record_overhead_bytes = 256;
/// How long a producer that ends waits for its last records.
constexpr Millis last_words{10'000};
/// The same for one whose client has failed for good: its records have failed too.
constexpr Millis failed_client_wait{1'000};

/// Null is Kafka's tombstone, and no key: an empty text is neither.
void* bytes_of(std::string_view text) {
    return const_cast<char*>(text.data() == nullptr ? "" : text.data());
}

rd_kafka_vu_t field(rd_kafka_vtype_t type) {
    rd_kafka_vu_t one;
    one.vtype = type;
    return one;
}

KafkaOwned<rd_kafka_headers_t> headers_of(const ProducerRecord& record) {
    KafkaOwned<rd_kafka_headers_t> headers;
    if (!record.headers.empty()) {
        headers.reset(rd_kafka_headers_new(record.headers.size()));
        for (const RecordHeader& one : record.headers) {
            (void)rd_kafka_header_add(headers.get(), one.name.data(), static_cast<ssize_t>(one.name.size()),
                                      bytes_of(one.value), static_cast<ssize_t>(one.value.size()));
        }
    }
    return headers;
}

}  // namespace

KafkaProducer::KafkaProducer(ProducerOptions options, const KafkaBusOptions& bus, FindTopic find_topic,
                             MetricRegistry& metrics)
    : options_(std::move(options)),
      bus_(bus),
      find_topic_(std::move(find_topic)),
      queue_full_(metrics.counter("muster_bus_producer_queue_full_total", "Records refused because the queue was full",
                                  {{"producer", options_.name}})),
      lost_records_(metrics.counter("muster_bus_failed_records_total", "Records that could not be made durable")),
      queued_gauge_(
          metrics.gauge("muster_bus_producer_queued_bytes", "Sent and not yet durable", {{"producer", options_.name}})),
      log_(options_.name, metrics, this),
      refresh_(metrics.on_render([this] { queued_gauge_.Set(static_cast<double>(queued_bytes())); })) {
    if (auto started = start(); !started) {
        log_.take(3, "START", started.error().message());
    }
}

KafkaProducer::~KafkaProducer() {
    refresh_.reset();
    stop(last_words);
}

Result<void> KafkaProducer::start() {
    KafkaSettings settings(bus_, options_.name, log_);
    settings
        .set("enable.idempotence", "true")  // and with it acks=all, and order over retries
        .set("message.timeout.ms", 0)       // never given up
        .set("linger.ms", bus_.linger)
        .set("message.max.bytes", static_cast<std::int64_t>(kafka_message_bytes_max))
        .set("queue.buffering.max.messages", 0)  // queue_bytes_max is the bound
        .set("queue.buffering.max.kbytes", INT32_MAX);
    rd_kafka_conf_set_dr_msg_cb(settings.get(), [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
        KafkaLog::owner<KafkaProducer>(opaque).on_report(*message);
    });
    auto client = settings.make(RD_KAFKA_PRODUCER);
    if (!client) {
        return tl::unexpected(client.error());
    }
    client_ = std::move(*client);
    reports_.reset(rd_kafka_queue_get_main(client_.get()));
    if (options_.on_deliveries_ready) {
        rd_kafka_queue_cb_event_enable(
            reports_.get(),
            [](rd_kafka_t*, void* self) { static_cast<KafkaProducer*>(self)->options_.on_deliveries_ready(); }, this);
    }
    return {};
}

void KafkaProducer::stop(Millis patience) {
    if (client_ == nullptr) {
        return;
    }
    (void)rd_kafka_flush(client_.get(), static_cast<int>(patience.count()));
    if (rd_kafka_outq_len(client_.get()) > 0) {
        (void)rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(client_.get(), static_cast<int>(failed_client_wait.count()));
    }
    tell_metrics();
    // From here on nobody is woken: the call takes the lock under which it happens.
    rd_kafka_queue_cb_event_enable(reports_.get(), nullptr, nullptr);
    reports_.reset();
    targets_.clear();
    client_.reset();
}

KafkaProducer::Target* KafkaProducer::target(TopicId id) {
    if (id >= targets_.size()) {
        targets_.resize(std::size_t{id} + 1);
    }
    Target& found = targets_[id];
    if (found.handle == nullptr) {
        found.topic = find_topic_(id);
        if (found.topic == nullptr) {
            return nullptr;
        }
        found.handle.reset(rd_kafka_topic_new(client_.get(), found.topic->full_name.c_str(), nullptr));
    }
    return found.handle == nullptr ? nullptr : &found;
}

bool KafkaProducer::has_room(std::size_t bytes, std::uint64_t token) const {
    const std::size_t queued = queued_bytes();
    // One record may pass an empty queue whatever its bound.
    return (queued == 0 || queued + bytes <= options_.queue_bytes_max) &&
           (token == 0 || reports_due_ < delivery_reports_max);
}

Result<void> KafkaProducer::send(TopicId topic_id, const ProducerRecord& record, std::uint64_t token) {
    if (client_ == nullptr) {
        if (auto started = start(); !started) {
            return started;
        }
    }
    Target* const to = target(topic_id);
    if (to == nullptr) {
        return fail(ErrorCode::not_found, "no such topic");
    }
    if (auto checked = check_record(record, bus_.partitions); !checked) {
        return checked;
    }
    const std::size_t bytes = payload_bytes(record) + record_overhead_bytes;
    if (!has_room(bytes, token)) {
        serve();
        if (!has_room(bytes, token)) {
            queue_full_.Increment();
            return fail(ErrorCode::queue_full, "the producer's queue is full");
        }
    }
    const std::size_t index = keep({token, static_cast<std::uint32_t>(bytes), topic_id});
    if (auto produced = produce(*to, record, index); !produced) {
        free_.push_back(index);
        return produced;
    }
    queued_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    reports_due_ += token != 0 ? 1 : 0;
    return {};
}

std::size_t KafkaProducer::keep(const Sent& sent) {
    if (free_.empty()) {
        sent_.push_back(sent);
        return sent_.size() - 1;
    }
    const std::size_t index = free_.back();
    free_.pop_back();
    sent_[index] = sent;
    return index;
}

Result<void> KafkaProducer::produce(Target& target, const ProducerRecord& record, std::size_t index) {
    std::array<rd_kafka_vu_t, 8> fields;
    std::size_t count = 0;
    const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& { return fields[count++] = field(type); };
    add(RD_KAFKA_VTYPE_RKT).u.rkt = target.handle.get();
    add(RD_KAFKA_VTYPE_PARTITION).u.i32 =
        record.partition == any_partition ? partition_of(record.key, bus_.partitions) : record.partition;
    add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
    add(RD_KAFKA_VTYPE_KEY).u.mem = {bytes_of(record.key), record.key.size()};
    add(RD_KAFKA_VTYPE_VALUE).u.mem = {record.tombstone ? nullptr : bytes_of(record.value), record.value.size()};
    add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = to_epoch_ms(record.time);
    add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = reinterpret_cast<void*>(index);  // NOLINT(performance-no-int-to-ptr): a number
    auto headers = headers_of(record);
    if (headers != nullptr) {
        add(RD_KAFKA_VTYPE_HEADERS).u.headers = headers.get();
    }
    const KafkaOwned<rd_kafka_error_t> error(rd_kafka_produceva(client_.get(), fields.data(), count));
    if (error == nullptr) {
        (void)headers.release();  // NOLINT(bugprone-unused-return-value): the record's now
        return {};
    }
    const auto code = rd_kafka_error_code(error.get());
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        // The client is of no use any more, and has failed what was on its way; the next record gets a new one.
        stop(failed_client_wait);
        return fail(ErrorCode::unavailable, "Kafka's client has failed and is started again");
    }
    return fail(code_of(code), "Kafka's client does not take the record");
}

void KafkaProducer::on_report(const rd_kafka_message_t& message) {
    const auto index = reinterpret_cast<std::size_t>(message._private);
    const Sent sent = sent_[index];
    free_.push_back(index);
    queued_bytes_.fetch_sub(sent.bytes, std::memory_order_relaxed);
    const bool durable = message.err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (durable) {
        Target& to = targets_[sent.topic];
        ++to.records;
        to.bytes += sent.bytes - record_overhead_bytes;
    } else {
        lost_records_.Increment();
    }
    if (sent.token != 0) {
        ready_.push_back({sent.token, durable, durable ? ErrorCode::unavailable : code_of(message.err)});
    }
}

void KafkaProducer::tell_metrics() {
    for (Target& one : targets_) {
        if (one.records != 0) {
            one.topic->records.Increment(static_cast<double>(std::exchange(one.records, 0)));
            one.topic->bytes.Increment(static_cast<double>(std::exchange(one.bytes, 0)));
        }
    }
}

void KafkaProducer::serve() {
    if (client_ != nullptr && rd_kafka_poll(client_.get(), 0) != 0) {
        tell_metrics();
    }
}

void KafkaProducer::flush() {
    serve();
}

std::size_t KafkaProducer::poll(FunctionRef<void(const Delivery&)> on_delivery) {
    serve();
    handing_out_.swap(ready_);
    for (const Delivery& delivery : handing_out_) {
        on_delivery(delivery);
    }
    const std::size_t count = handing_out_.size();
    handing_out_.clear();
    reports_due_ -= count;
    return count;
}

Result<void> KafkaProducer::drain(Millis timeout) {
    if (client_ == nullptr) {
        return {};
    }
    const auto flushed = rd_kafka_flush(client_.get(), static_cast<int>(timeout.count()));
    tell_metrics();
    if (flushed != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return fail(ErrorCode::timed_out, "records are still on their way to the bus");
    }
    return {};
}

}  // namespace muster
