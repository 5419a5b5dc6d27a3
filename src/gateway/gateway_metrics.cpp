#include "gateway/gateway_metrics.h"

#include "contract/mqtt_topics.h"
#include "contract/presence.h"
#include "gateway/listener.h"

namespace muster {
namespace {

constexpr std::pair<TopicClass, const char*> publish_classes[] = {{TopicClass::telemetry, "telemetry"},
                                                                  {TopicClass::status, "status"},
                                                                  {TopicClass::request, "request"},
                                                                  {TopicClass::ordinary, "ordinary"}};

/// Those that a gateway finds; the others are the processor's verdicts.
constexpr Cause disconnect_causes[] = {Cause::client_disconnect,   Cause::connection_lost, Cause::keepalive_timeout,
                                       Cause::duplicate_client_id, Cause::auth_error,      Cause::protocol_error,
                                       Cause::throttled,           Cause::server_shutdown, Cause::admin};

template <class Member>
struct Named {
    Member member;
    const char* name;
    const char* help;
};

constexpr Named<Count Tally::*> worker_counters[] = {
    {&Tally::accepts, "muster_gateway_accepts_total", "Connections accepted"},
    {&Tally::accepts_refused, "muster_gateway_accepts_refused_total", "Connections refused for want of room"},
    {&Tally::address_refusals, "muster_gateway_address_refusals_total",
     "Connections closed because their address had too many or made them too fast"},
    {&Tally::connects_deferred, "muster_gateway_connects_deferred_total",
     "CONNECTs refused because there were too many, and told when to come back"},
    {&Tally::drained, "muster_gateway_drained_total", "Connections closed to send their clients elsewhere"},
    {&Tally::rate_holds, "muster_gateway_rate_holds_total",
     "Publishes after which their client was read more slowly, for its rate"},
    {&Tally::connects, "muster_gateway_connects_total", "CONNECTs answered with success"},
    {&Tally::connects_refused, "muster_gateway_connects_refused_total", "CONNECTs answered with a refusal"},
    {&Tally::connect_timeouts, "muster_gateway_connect_timeouts_total", "Connections without a CONNECT in time"},
    {&Tally::sessions_expired, "muster_gateway_sessions_expired_total",
     "Kept sessions whose client stayed away too long"},
    {&Tally::sessions_taken_over, "muster_gateway_sessions_taken_over_total",
     "Kept sessions taken over from other gateways"},
    {&Tally::sessions_handed_over, "muster_gateway_sessions_handed_over_total",
     "Kept sessions handed over to other gateways"},
    {&Tally::wills_cancelled, "muster_gateway_wills_cancelled_total", "Delayed wills whose client came back in time"},
    {&Tally::handshakes, "muster_gateway_tls_handshakes_begun_total", "TLS handshakes begun"},
    {&Tally::handshakes_full, "muster_gateway_tls_handshakes_full_total", "TLS handshakes ended, with certificates"},
    {&Tally::handshakes_resumed, "muster_gateway_tls_handshakes_resumed_total",
     "TLS handshakes ended, resuming an earlier session"},
    {&Tally::handshakes_deferred, "muster_gateway_tls_handshakes_deferred_total",
     "TLS handshakes that waited for their turn"},
    {&Tally::revoked_closed, "muster_gateway_revoked_closed_total",
     "Live connections closed because their certificate was revoked"},
    {&Tally::closed_unknown, "muster_gateway_strangers_closed_total", "Connections that ended without a session"},
    {&Tally::handed_over, "muster_gateway_handed_over_total", "Connections passed to the thread of their client id"},
    {&Tally::subscriptions_refused, "muster_gateway_subscriptions_refused_total", "Filters refused in SUBACK"},
    {&Tally::shares_left, "muster_gateway_shares_left_total",
     "Messages of shared subscriptions left to a session of another gateway"},
    {&Tally::delivered, "muster_gateway_delivered_total", "Messages sent to or queued for clients"},
    {&Tally::acknowledged, "muster_gateway_acknowledged_total", "QoS 1 and 2 publishes durable and answered"},
    {&Tally::bytes_in, "muster_gateway_received_bytes_total", "Bytes read from clients"},
    {&Tally::bytes_out, "muster_gateway_sent_bytes_total", "Bytes written to clients"},
    {&Tally::reads, "muster_gateway_reads_total", "System calls that read from clients"},
    {&Tally::writes, "muster_gateway_writes_total", "System calls that wrote to clients"},
    {&Tally::held_ms, "muster_gateway_held_milliseconds_total",
     "Time in which some client was not read: back-pressure"},
    {&Tally::ticks, "muster_gateway_ticks_total", "Ticks put on every partition"},
    {&Tally::turns, "muster_gateway_turns_total", "Turns of the event loop"},
    {&Tally::session_changes, "muster_gateway_session_changes_total", "Changes of kept sessions handed to their store"},
    {&Tally::session_store_failures, "muster_gateway_session_store_failures_total",
     "Batches of changes that the session store did not take"},
};

constexpr Named<Count Tally::*> worker_levels[] = {
    {&Tally::handshakes_waiting, "muster_gateway_tls_handshakes_waiting",
     "Connections that wait for their TLS handshake"},
    {&Tally::sessions, "muster_gateway_sessions", "Sessions, connected or kept"},
    {&Tally::bus_queue_bytes, "muster_gateway_bus_queue_bytes", "Bytes handed to the bus and not yet durable"},
    {&Tally::session_store_bytes, "muster_gateway_session_store_bytes",
     "Changes of kept sessions that are not yet durable"},
    {&Tally::output_bytes, "muster_gateway_output_bytes", "Memory of what clients have not yet read"},
    {&Tally::control_records, "muster_gateway_control_records", "Presence records that wait for room on the bus"},
};

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
        case Drop::shares_full:
            return "shares_full";
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
    gauge("muster_gateway_draining", "1 while clients are sent elsewhere", {},
          [&context] { return context.draining.load() ? 1.0 : 0.0; });
    gauge("muster_gateway_addresses", "Network addresses that are remembered for their limits", {},
          [&context] { return as_double(context.addresses.addresses()); });
    gauge("muster_gateway_addresses_overlooked", "Connections that went unlimited for want of room in that table", {},
          [&context] { return as_double(context.addresses.overlooked()); });
    gauge("muster_gateway_routes_gateways", "Other gateways whose subscribers are known", {},
          [&context] { return as_double(context.routes.gateways()); });
    for (const TopicClass topic_class : {TopicClass::telemetry, TopicClass::status}) {
        gauge("muster_gateway_routes_wanted", "1 while another gateway has subscribers for what devices publish",
              {{"class", topic_class == TopicClass::telemetry ? "telemetry" : "status"}},
              [&context, topic_class] { return context.routes.is_wanted(topic_class) ? 1.0 : 0.0; });
    }
    gauge("muster_gateway_routes_groups", "Shared subscriptions of other gateways, each by gateway", {},
          [&context] { return as_double(context.routes.groups()); });
    gauge("muster_gateway_routes_overlooked", "Gateways and groups announced by others for which there was no room", {},
          [&context] { return as_double(context.routes.overlooked()); });
    for (std::size_t i = 0; i < context.mailboxes.size(); ++i) {
        gauge("muster_gateway_mailbox_messages", "Messages handed to a thread by others, not yet taken",
              {{"thread", std::to_string(i)}}, [box = context.mailboxes[i]] { return as_double(box->size()); });
    }
}

void GatewayMetrics::counter(const char* name, const char* help, const Labels& labels, const Count& count) {
    counters_.push_back({&count, &registry_.counter(name, help, labels)});
}

void GatewayMetrics::gauge(const char* name, const char* help, const Labels& labels, std::function<double()> value) {
    gauges_.push_back({&registry_.gauge(name, help, labels), std::move(value)});
}

void GatewayMetrics::add_drops(const std::string& thread, const Tally& tally) {
    for (std::size_t i = 0; i < drop_reasons; ++i) {
        counter("muster_gateway_drops_total", "Messages that did not reach where they were going",
                {{"thread", thread}, {"reason", std::string(name_of(static_cast<Drop>(i)))}}, tally.drops[i]);
    }
}

void GatewayMetrics::add_publishes(const std::string& thread, const Tally& tally) {
    for (std::size_t qos = 0; qos < tally.publishes.size(); ++qos) {
        for (const auto& [topic_class, name] : publish_classes) {
            counter("muster_gateway_publishes_total", "Publishes taken from clients",
                    {{"thread", thread}, {"qos", std::to_string(qos)}, {"class", name}},
                    tally.publishes[qos][static_cast<std::size_t>(topic_class)]);
        }
    }
}

void GatewayMetrics::add_relayed(const std::string& thread, const Tally& tally) {
    for (const auto& [topic_class, name] : publish_classes) {
        if (topic_class != TopicClass::request) {
            counter("muster_gateway_relayed_total", "Publishes put on the bus for subscribers of other gateways",
                    {{"thread", thread}, {"class", name}}, tally.relayed[static_cast<std::size_t>(topic_class)]);
        }
    }
}

void GatewayMetrics::add_announcer(const RoutesAnnouncer& announcer) {
    gauge("muster_gateway_routes_announced", "Announcements of this gateway's subscribers to others, since the start",
          {}, [&announcer] { return static_cast<double>(announcer.announced()); });
    gauge("muster_gateway_routes_groups_omitted",
          "Shared subscriptions for which the last announcement had no room: shared by this gateway's sessions alone",
          {}, [&announcer] { return as_double(announcer.groups_omitted()); });
}

void GatewayMetrics::add_transport_failures(const std::string& thread, const Tally& tally) {
    for (std::size_t i = 1; i < transport_failures; ++i) {
        counter("muster_gateway_transport_failures_total", "Connections that failed below MQTT",
                {{"thread", thread}, {"reason", std::string(name_of(static_cast<TransportFailure>(i)))}},
                tally.transport_failed[i]);
    }
}

void GatewayMetrics::add_listener(const Listener& listener) {
    gauge("muster_gateway_listener_connections", "Network connections open, by listener",
          {{"listener", listener.url()}}, [&listener] { return as_double(listener.connections.load()); });
}

void GatewayMetrics::add_downlink(const Tally& tally) {
    add_drops("downlink", tally);
    counter("muster_gateway_shares_taken_total",
            "Messages of shared subscriptions that came from another gateway for a session of this one", {},
            tally.shares_taken);
}

void GatewayMetrics::add_worker(std::size_t number, const Tally& tally) {
    const std::string thread = std::to_string(number);
    const Labels only_thread{{"thread", thread}};
    add_publishes(thread, tally);
    add_relayed(thread, tally);
    add_drops(thread, tally);
    add_transport_failures(thread, tally);
    for (const Cause cause : disconnect_causes) {
        counter("muster_gateway_disconnects_total", "Sessions' connections that ended, by cause",
                {{"thread", thread}, {"cause", std::string(name_of(cause))}},
                tally.closed[static_cast<std::size_t>(cause)]);
    }
    for (const Named<Count Tally::*>& named : worker_counters) {
        counter(named.name, named.help, only_thread, tally.*named.member);
    }
    for (const Named<Count Tally::*>& named : worker_levels) {
        const Count& count = tally.*named.member;
        gauge(named.name, named.help, only_thread, [&count] { return as_double(count.get()); });
    }
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
