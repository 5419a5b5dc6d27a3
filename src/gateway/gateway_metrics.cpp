#include "gateway/gateway_metrics.h"

#include "contract/presence.h"

namespace muster {
namespace {

constexpr const char* topic_class_names[topic_classes] = {"telemetry", "status", "request", "reserved", "ordinary"};

double as_double(std::size_t value) {
    return static_cast<double>(value);
}

}  // namespace

std::string_view name_of(Drop reason) {
    switch (reason) {
        case Drop::bus_full:
            return "bus_full";
        case Drop::bus_failed:
            return "bus_failed";
        case Drop::mailbox_full:
            return "mailbox_full";
        case Drop::slow_reader:
            return "slow_reader";
        case Drop::queue_full:
            return "queue_full";
        case Drop::offline:
            return "offline";
        case Drop::oversize:
            return "oversize";
        case Drop::expired:
            return "expired";
        case Drop::not_subscribed:
            return "not_subscribed";
        case Drop::forbidden:
            return "forbidden";
        case Drop::retained_full:
            return "retained_full";
        case Drop::malformed:
            return "malformed";
    }
    return "unknown";
}

GatewayMetrics::GatewayMetrics(MetricRegistry& registry, const GatewayContext& context) : registry_(registry) {
    gauge("muster_gateway_retained_messages", "Retained messages known", {},
          [&context] { return as_double(context.retained.topics()); });
    gauge("muster_gateway_retained_bytes", "Topics and payloads of the retained messages", {},
          [&context] { return as_double(context.retained.bytes()); });
    gauge("muster_gateway_subscriptions", "Subscriptions of all sessions", {},
          [&context] { return as_double(context.subscriptions.subscriptions()); });
    gauge("muster_gateway_connections", "Network connections open", {},
          [&context] { return as_double(context.connections.load()); });
    gauge("muster_gateway_sessions_kept", "Sessions kept for clients that are away", {},
          [&context] { return as_double(context.sessions_kept.load()); });
    for (std::size_t i = 0; i < context.mailboxes.size(); ++i) {
        gauge("muster_gateway_mailbox_messages", "Messages handed to a thread by others, not yet taken",
              {{"thread", std::to_string(i)}}, [box = context.mailboxes[i]] { return as_double(box->size()); });
    }
}

void GatewayMetrics::counter(const char* name, const char* help, Labels labels, const Count& count) {
    counters_.push_back({&count, &registry_.counter(name, help, labels)});
}

void GatewayMetrics::gauge(const char* name, const char* help, const Labels& labels, std::function<double()> value) {
    gauges_.push_back({&registry_.gauge(name, help, labels), std::move(value)});
}

void GatewayMetrics::add_publishes(const std::string& thread, const Tally& tally) {
    for (std::size_t qos = 0; qos < tally.publishes.size(); ++qos) {
        for (std::size_t i = 0; i < topic_classes; ++i) {
            counter("muster_gateway_publishes_total", "Publishes taken from clients",
                    {{"thread", thread}, {"qos", std::to_string(qos)}, {"class", topic_class_names[i]}},
                    tally.publishes[qos][i]);
        }
    }
}

void GatewayMetrics::add(const std::string& thread, const Tally& tally) {
    const Labels only_thread{{"thread", thread}};
    add_publishes(thread, tally);
    for (std::size_t i = 0; i < causes; ++i) {
        counter("muster_gateway_disconnects_total", "Sessions' connections that ended, by cause",
                {{"thread", thread}, {"cause", std::string(name_of(static_cast<Cause>(i)))}}, tally.closed[i]);
    }
    for (std::size_t i = 0; i < drop_reasons; ++i) {
        counter("muster_gateway_drops_total", "Messages that did not reach where they were going",
                {{"thread", thread}, {"reason", std::string(name_of(static_cast<Drop>(i)))}}, tally.drops[i]);
    }
    counter("muster_gateway_accepts_total", "Connections accepted", only_thread, tally.accepts);
    counter("muster_gateway_accepts_refused_total", "Connections refused for want of room", only_thread,
            tally.accepts_refused);
    counter("muster_gateway_connects_total", "CONNECTs answered with success", only_thread, tally.connects);
    counter("muster_gateway_connects_refused_total", "CONNECTs answered with a refusal", only_thread,
            tally.connects_refused);
    counter("muster_gateway_connect_timeouts_total", "Connections without a complete CONNECT in time", only_thread,
            tally.connect_timeouts);
    counter("muster_gateway_strangers_closed_total", "Connections that ended before they had a session", only_thread,
            tally.closed_unknown);
    counter("muster_gateway_handed_over_total", "Connections passed to the thread of their client id", only_thread,
            tally.handed_over);
    counter("muster_gateway_subscriptions_refused_total", "Filters refused in SUBACK", only_thread,
            tally.subscriptions_refused);
    counter("muster_gateway_delivered_total", "Messages sent to or queued for clients", only_thread, tally.delivered);
    counter("muster_gateway_acknowledged_total", "QoS 1 and 2 publishes durable and answered", only_thread,
            tally.acknowledged);
    counter("muster_gateway_received_bytes_total", "Bytes read from clients", only_thread, tally.bytes_in);
    counter("muster_gateway_sent_bytes_total", "Bytes written to clients", only_thread, tally.bytes_out);
    counter("muster_gateway_reads_total", "System calls that read", only_thread, tally.reads);
    counter("muster_gateway_writes_total", "System calls that wrote", only_thread, tally.writes);
    counter("muster_gateway_held_milliseconds_total", "Time in which some connection was not read, for back-pressure",
            only_thread, tally.held_ms);
    counter("muster_gateway_ticks_total", "Ticks put on every partition", only_thread, tally.ticks);
    counter("muster_gateway_turns_total", "Turns of the event loop", only_thread, tally.turns);
    const auto level = [&](const char* name, const char* help, const Count& count) {
        gauge(name, help, only_thread, [&count] { return as_double(count.get()); });
    };
    level("muster_gateway_sessions", "Sessions, connected or kept", tally.sessions);
    level("muster_gateway_bus_queue_bytes", "Bytes handed to the bus and not yet durable", tally.bus_queue_bytes);
    level("muster_gateway_control_records", "Presence records that wait for room on the bus", tally.control_records);
}

void GatewayMetrics::show() {
    refresh_ = registry_.on_render([this] {
        for (Shown& shown : counters_) {
            const std::uint64_t now = shown.count->get();
            shown.counter->Increment(static_cast<double>(now - shown.shown));
            shown.shown = now;
        }
        for (const Level& level : gauges_) {
            level.gauge->Set(level.value());
        }
    });
}

}  // namespace muster
