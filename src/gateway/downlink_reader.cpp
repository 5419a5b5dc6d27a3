#include "gateway/downlink_reader.h"

#include <algorithm>

#include "base/log.h"
#include "base/murmur2.h"
#include "base/thread.h"
#include "contract/bus_topics.h"
#include "contract/downlink.h"
#include "contract/drain_order.h"
#include "contract/event.h"
#include "contract/share_assignments.h"
#include "gateway/share_settlement.h"
#include "gateway/worker.h"
#include "mqtt/topic.h"

namespace muster {
namespace {

constexpr Millis poll_wait{500};
constexpr Millis load_poll_wait{20};
constexpr Millis retry_wait{500};

/// The same for every gateway that reads the record.
std::uint64_t number_of(const ConsumerRecord& record) {
    return std::uint64_t{murmur2(record.key)} << 32U ^ static_cast<std::uint64_t>(record.offset);
}

}  // namespace

DownlinkReader::DownlinkReader(GatewayContext& context)
    : context_(context),
      downlink_topic_(bus_topics::downlink(context.options.name)),
      courier_(context.subscriptions, context.mailboxes, context.options.limits, tally_) {}

DownlinkReader::~DownlinkReader() {
    stop();
}

// Retained messages and routes are a state: from the beginning. The rest is for whoever is there now.
std::optional<Offset> DownlinkReader::on_assigned(std::string_view topic, Partition) {
    return topic == bus_topics::retained || topic == bus_topics::routes ? std::optional<Offset>(0) : std::nullopt;
}

Result<void> DownlinkReader::load(Bus& bus) {
    std::vector<std::string> topics{downlink_topic_, std::string(bus_topics::messages),
                                    std::string(bus_topics::retained)};
    if (context_.options.relay_messages) {
        topics.emplace_back(bus_topics::routes);
    }
    auto consumer = bus.consumer(
        {.group = {}, .topics = std::move(topics), .start = ConsumerOptions::Start::latest, .listener = this});
    if (!consumer) {
        return tl::unexpected(consumer.error());
    }
    consumer_ = std::move(*consumer);
    do {
        const auto got = consumer_->poll(load_poll_wait, [this](const ConsumerRecord& record) { read(record); });
        if (!got) {
            return tl::unexpected(got.error());
        }
    } while (!consumer_->caught_up());
    is_loading_ = false;
    return {};
}

void DownlinkReader::start() {
    thread_ = start_thread("mqtt-downlink", [this] { run(); });
}

void DownlinkReader::stop() {
    if (!thread_.joinable()) {
        return;
    }
    stopping_.store(true);
    for (Mailbox* mailbox : context_.mailboxes) {
        mailbox->close();
    }
    consumer_->wake();
    thread_.join();
}

void DownlinkReader::run() {
    for (std::size_t worker = 0; worker < context_.workers.size(); ++worker) {
        wake(worker);  // what came while loading
    }
    if (!drain_while_loading_.empty()) {
        drain(drain_while_loading_);
    }
    LogLimit log;
    while (!stopping_.load()) {
        const auto got = consumer_->poll(poll_wait, [this](const ConsumerRecord& record) { read(record); });
        courier_.hand_over([this](std::size_t worker) { wake(worker); });
        context_.routes.forget_silent(clock_.monotonic());
        if (!got) {
            std::uint64_t swallowed = 0;
            if (log.allow(clock_.monotonic(), swallowed)) {
                spdlog::error("gateway: cannot read from the bus: {}", got.error().message());
            }
            std::this_thread::sleep_for(retry_wait);
        }
        for (Mailbox* mailbox : context_.mailboxes) {
            mailbox->wait_for_room();
        }
    }
}

void DownlinkReader::wake(std::size_t worker) {
    context_.workers[worker]->wake_for_mail();
}

bool DownlinkReader::is_own(const EventHeader& header) const {
    return header.gateway == context_.options.name && header.incarnation == context_.incarnation;
}

void DownlinkReader::read(const ConsumerRecord& record) {
    if (record.topic == downlink_topic_) {
        read_downlink(record);
        return;
    }
    if (record.topic == bus_topics::routes) {
        read_routes(record);
        return;
    }
    const Result<EventHeader> header = decode_event_header(record.header(event_header_name));
    if (!header || !mqtt::is_valid_topic_name(record.key)) {
        tally_.drop(Drop::malformed);
    } else if (record.topic == bus_topics::retained) {
        read_retained(record, *header);
    } else if (!is_own(*header)) {
        read_message(record, *header);
    }
}

void DownlinkReader::read_downlink(const ConsumerRecord& record) {
    const Result<DownlinkHeader> header = decode_downlink_header(record.header(downlink_header_name));
    if (header && header->kind == DownlinkKind::drain) {
        if (is_loading_) {
            drain_while_loading_ = record.value;
        } else {
            drain(record.value);
        }
        return;
    }
    const bool is_publish = header && header->kind == DownlinkKind::publish;
    if (!header || header->kind == DownlinkKind::reply || (is_publish && !mqtt::is_valid_topic_name(header->topic))) {
        tally_.drop(Drop::malformed);
        return;
    }
    Mailbox::Order order{
        .kind = header->kind, .epoch = header->epoch, .device = std::string(record.key), .message = {}};
    if (is_publish) {
        mqtt::Publish publish;
        publish.topic = header->topic;
        publish.payload = record.value;
        publish.qos = header->qos;
        order.message = mqtt::keep_message(publish, clock_.monotonic());
    }
    hand_to_worker(std::move(order));
}

void DownlinkReader::hand_to_worker(Mailbox::Order order) {
    const std::size_t worker = context_.worker_for(order.device);
    Mailbox& mailbox = *context_.mailboxes[worker];
    if (is_loading_ && mailbox.is_full()) {
        tally_.drop(Drop::mailbox_full);  // nobody makes room yet
    } else if (mailbox.put(std::move(order)).wake && !is_loading_) {
        wake(worker);
    }
}

/// Null when its properties are not valid. Its age counts against its message expiry.
mqtt::MessagePtr DownlinkReader::message_of(const ConsumerRecord& record, const EventHeader& header) const {
    const auto properties =
        mqtt::Properties::validate(mqtt::PropertyPlace::publish, record.header(properties_header_name));
    if (!properties) {
        return nullptr;
    }
    mqtt::Publish publish;
    publish.topic = record.key;
    publish.payload = record.value;
    publish.properties = *properties;
    publish.qos = header.qos;
    publish.retain = header.retain;
    const Millis age = std::max(Millis(0), std::chrono::duration_cast<Millis>(clock_.now() - header.received));
    return mqtt::keep_message(publish, clock_.monotonic() - age);
}

void DownlinkReader::drain(std::string_view text) {
    const Result<DrainOrder> order = parse_drain_order(text);
    if (!order) {
        tally_.drop(Drop::malformed);
        return;
    }
    context_.draining.store(!order->undo);
    if (order->undo) {
        spdlog::info("gateway {}: draining has ended", context_.options.name);
    } else {
        spdlog::info("gateway {}: draining, {} connections a second", context_.options.name, order->rate_per_s);
    }
    for (Worker* worker : context_.workers) {
        worker->post([worker, order = *order] { worker->drain(order); });
    }
}

void DownlinkReader::read_message(const ConsumerRecord& record, const EventHeader& header) {
    mqtt::MessagePtr kept = message_of(record, header);
    const auto assigned = ShareAssignmentsView::parse(record.header(shares_header_name));
    if (!kept || !assigned) {
        tally_.drop(Drop::malformed);
        return;
    }
    ShareReading shares(context_.options.name, header.gateway, *assigned, number_of(record));
    courier_.find(record.key, [&](const SharedGroup& group) { return shares.is_here(group); });
    tally_.shares_taken.add(shares.taken());
    tally_.drop(Drop::offline, shares.missed());
    mqtt::OutgoingMessage message(std::move(kept));
    (void)courier_.route(message, 0, clock_.monotonic());
}

void DownlinkReader::read_routes(const ConsumerRecord& record) {
    if (record.tombstone) {
        context_.routes.forget(record.key);
    } else if (!context_.routes.read(record.key, record.value, !is_loading_, clock_.monotonic())) {
        tally_.drop(Drop::malformed);
    }
}

void DownlinkReader::read_retained(const ConsumerRecord& record, const EventHeader& header) {
    if (is_own(header)) {
        context_.retained.own_record_returned(record.key);
        return;
    }
    mqtt::MessagePtr kept = message_of(record, header);
    if (!kept) {
        tally_.drop(Drop::malformed);
        return;
    }
    mqtt::OutgoingMessage message(std::move(kept));
    if (!context_.retained.set_from_bus(message, clock_.monotonic())) {
        tally_.drop(Drop::retained_full);
    }
}

}  // namespace muster
