#include "api/request_channel.h"

#include <array>

#include "base/log.h"
#include "base/thread.h"
#include "bus/standard_topics.h"
#include "contract/bus_topics.h"
#include "contract/downlink.h"

namespace muster {
namespace {

constexpr std::string_view late_text = "no answer in time; the change may still happen";

}  // namespace

RequestChannel::RequestChannel(RequestChannelOptions options, MetricRegistry& metrics, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      // Above everything that an earlier start of this instance can have used: late answers to it find nobody.
      next_correlation_(static_cast<std::uint64_t>(to_epoch_ms(clock.now())) << 20U),
      pending_gauge_(metrics.gauge("muster_api_pending_replies", "Changes sent to the bus and not yet answered.")),
      refused_(metrics.counter("muster_api_changes_refused_total",
                               "Changes refused because pending_replies_max were under way.")),
      timed_out_(metrics.counter("muster_api_replies_timed_out_total", "Changes that nobody answered in time.")),
      failed_(metrics.counter("muster_api_change_failures_total", "Changes that the bus did not take.")),
      unexpected_(metrics.counter("muster_api_unexpected_replies_total", "Replies that came late or for nobody.")) {}

Result<std::unique_ptr<RequestChannel>> RequestChannel::start(RequestChannelOptions options, Bus& bus,
                                                              MetricRegistry& metrics, const Clock& clock) {
    if (options.name.empty() || options.name.size() > gateway_name_bytes_max) {
        return fail(ErrorCode::invalid_argument, "api: the instance's name must have 1 to 64 bytes", options.name);
    }
    std::unique_ptr<RequestChannel> channel(new RequestChannel(std::move(options), metrics, clock));
    if (auto opened = channel->open(bus); !opened) {
        return tl::unexpected(opened.error());
    }
    channel->thread_ = start_thread("api-requests", [raw = channel.get()] { raw->run(); });
    return channel;
}

RequestChannel::~RequestChannel() {
    stop();
}

Result<void> RequestChannel::open(Bus& bus) {
    const auto requests = bus.open_topic(standard_topic(bus_topics::requests));
    const auto events = bus.open_topic(standard_topic(bus_topics::events));
    const auto replies = bus.open_topic(standard_topic(bus_topics::downlink(options_.name)));
    const auto policy = bus.open_topic(standard_topic(bus_topics::policy));
    for (const auto* topic : {&requests, &events, &replies, &policy}) {
        if (!*topic) {
            return tl::unexpected(topic->error());
        }
    }
    requests_ = *requests;
    events_ = *events;
    policy_ = *policy;
    partitions_ = bus.partitions();
    bus_ = &bus;
    ConsumerOptions consumer_options;
    consumer_options.topics = {bus_topics::downlink(options_.name)};
    consumer_options.start = ConsumerOptions::Start::latest;
    auto consumer = bus.consumer(std::move(consumer_options));
    if (!consumer) {
        return tl::unexpected(consumer.error());
    }
    replies_ = std::move(*consumer);
    ProducerOptions producer_options;
    producer_options.name = options_.name;
    producer_options.on_deliveries_ready = [wakes = replies_.get()] { wakes->wake(); };
    producer_ = bus.producer(std::move(producer_options));
    return {};
}

void RequestChannel::ask(std::string device, std::string topic, std::string body, OnReply done) {
    submit({true, EventKind::api_request, std::move(device), std::move(topic), std::move(body), {}, std::move(done)});
}

void RequestChannel::send_event(std::string device, EventKind kind, std::string body, OnDurable done) {
    submit({false,
            kind,
            std::move(device),
            {},
            std::move(body),
            {},
            [done = std::move(done)](Result<ChannelReply> result) {
                done(result ? Result<void>{} : tl::unexpected(result.error()));
            }});
}

void RequestChannel::send_drain(std::string gateway, const DrainOrder& order, OnDurable done) {
    Request request;
    request.device = std::move(gateway);
    request.body = to_json(order);
    request.done = [done = std::move(done)](Result<ChannelReply> result) {
        done(result ? Result<void>{} : tl::unexpected(result.error()));
    };
    request.is_drain = true;
    submit(std::move(request));
}

void RequestChannel::send_policy(std::string json, OnDurable done) {
    send_event({}, EventKind::policy, std::move(json), std::move(done));
}

void RequestChannel::submit(Request request) {
    if (request.body.size() > options_.request_bytes_max) {
        return request.done(fail(ErrorCode::too_large, "the request is larger than the bus takes"));
    }
    request.deadline = clock_.monotonic() + options_.timeout;
    if (const auto queued = enqueue(request); !queued) {
        refused_.Increment();
        return request.done(tl::unexpected(queued.error()));
    }
    replies_->wake();
}

Result<void> RequestChannel::enqueue(Request& request) {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
        return fail(ErrorCode::closed, "the API is stopping");
    }
    if (under_way_ >= options_.pending_max) {
        return fail(ErrorCode::queue_full, "too many changes are under way; try again in a moment");
    }
    ++under_way_;
    waiting_.push_back(std::move(request));
    pending_gauge_.Set(static_cast<double>(under_way_));
    return {};
}

void RequestChannel::run() {
    LogLimit limit;
    while (!is_stopping()) {
        const auto polled = replies_->poll(options_.poll, [this](const ConsumerRecord& record) { on_reply(record); });
        std::uint64_t swallowed = 0;
        if (!polled) {
            if (limit.allow(clock_.monotonic(), swallowed)) {
                spdlog::warn("api: replies cannot be read: {}", polled.error().message());
            }
            std::this_thread::sleep_for(options_.poll);
        }
        // A request sent before the reading position is fixed could miss its answer.
        ready_ = ready_ || replies_->caught_up();
        if (ready_) {
            send_waiting();
        }
        (void)producer_->poll([this](const Delivery& delivery) { on_delivery(delivery); });
        expire();
    }
    fail_all();
}

void RequestChannel::send_waiting() {
    std::deque<Request> requests;
    {
        const std::lock_guard lock(mutex_);
        requests.swap(waiting_);
    }
    for (Request& request : requests) {
        send(std::move(request));
    }
    if (!requests.empty()) {
        producer_->flush();
    }
}

void RequestChannel::send(Request request) {
    const std::uint64_t correlation = next_correlation_++;
    EventHeader header;
    header.kind = request.kind;
    header.qos = 1;
    header.sequence = correlation;
    header.received = clock_.now();
    header.gateway = options_.name;
    header.topic = request.topic;
    std::string packed;
    encode(header, packed);
    const std::array headers{RecordHeader{event_header_name, packed}};
    ProducerRecord record;
    record.key = request.device;
    record.value = request.body;
    record.headers = headers;
    record.time = header.received;
    const bool is_policy = request.kind == EventKind::policy;
    const std::size_t records = is_policy ? 1 + static_cast<std::size_t>(partitions_) : 1;
    pending_.emplace(correlation, Pending{request.deadline, request.wants_reply, records, std::move(request.done)});
    const auto sent = is_policy ? send_to_partitions(record, correlation)
                      : request.is_drain
                          ? send_to_gateway(record, correlation)
                          : producer_->send(request.wants_reply ? requests_ : events_, record, correlation);
    if (!sent) {
        failed_.Increment();
        finish(correlation, tl::unexpected(sent.error()));
    }
}

/// First where it is kept: what the processors have heard of is never lost.
Result<void> RequestChannel::send_to_partitions(ProducerRecord record, std::uint64_t correlation) {
    record.key = bus_topics::policy_key;
    auto sent = producer_->send(policy_, record, correlation);
    record.key = {};
    for (record.partition = 0; sent && record.partition < partitions_; ++record.partition) {
        sent = producer_->send(events_, record, correlation);
    }
    return sent;
}

Result<void> RequestChannel::send_to_gateway(ProducerRecord record, std::uint64_t correlation) {
    const auto topic = bus_->open_topic(standard_topic(bus_topics::downlink(std::string(record.key))));
    if (!topic) {
        return tl::unexpected(topic.error());
    }
    std::string packed;
    encode(DownlinkHeader{.kind = DownlinkKind::drain, .topic = {}}, packed);
    const std::array headers{RecordHeader{downlink_header_name, packed}};
    record.headers = headers;
    return producer_->send(*topic, record, correlation);
}

void RequestChannel::on_delivery(const Delivery& delivery) {
    const auto found = pending_.find(delivery.token);
    if (found == pending_.end()) {
        return;
    }
    if (!delivery.durable) {
        failed_.Increment();
        finish(delivery.token, fail(delivery.error, "the bus did not take the change"));
    } else if (!found->second.wants_reply && --found->second.undelivered == 0) {
        finish(delivery.token, ChannelReply{});
    }
}

void RequestChannel::on_reply(const ConsumerRecord& record) {
    const auto header = decode_downlink_header(record.header(downlink_header_name));
    if (!header || header->kind != DownlinkKind::reply || !pending_.contains(header->correlation)) {
        unexpected_.Increment();
        return;
    }
    finish(header->correlation, ChannelReply{header->status, std::string(record.value)});
}

void RequestChannel::expire() {
    const Millis now = clock_.monotonic();
    std::vector<std::uint64_t> late;
    for (const auto& [correlation, pending] : pending_) {
        if (pending.deadline <= now) {
            late.push_back(correlation);
        }
    }
    for (const std::uint64_t correlation : late) {
        timed_out_.Increment();
        finish(correlation, fail(ErrorCode::timed_out, late_text));
    }
    expire_waiting(now);
}

/// Those that could not even be sent; the oldest is in front.
void RequestChannel::expire_waiting(Millis now) {
    std::vector<Request> late;
    {
        const std::lock_guard lock(mutex_);
        while (!waiting_.empty() && waiting_.front().deadline <= now) {
            late.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
            --under_way_;
        }
    }
    for (Request& request : late) {
        timed_out_.Increment();
        request.done(fail(ErrorCode::timed_out, late_text));
    }
}

bool RequestChannel::is_stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

void RequestChannel::finish(std::uint64_t correlation, Result<ChannelReply> result) {
    auto node = pending_.extract(correlation);
    {
        const std::lock_guard lock(mutex_);
        --under_way_;
        pending_gauge_.Set(static_cast<double>(under_way_));
    }
    node.mapped().done(std::move(result));
}

void RequestChannel::fail_all() {
    std::deque<Request> waiting;
    {
        const std::lock_guard lock(mutex_);
        waiting.swap(waiting_);
        under_way_ = 0;
    }
    const auto closed = fail(ErrorCode::closed, "the API is stopping");
    for (Request& request : waiting) {
        request.done(closed);
    }
    for (auto& [correlation, pending] : std::exchange(pending_, {})) {
        pending.done(closed);
    }
}

void RequestChannel::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    if (thread_.joinable()) {
        replies_->wake();
        thread_.join();
    }
}

}  // namespace muster
