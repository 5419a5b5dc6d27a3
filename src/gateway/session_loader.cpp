#include "gateway/session_loader.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gateway/worker.h"

namespace muster {
namespace {

constexpr std::size_t erasures_per_batch = 10'000;

}  // namespace

SessionLoader::SessionLoader(GatewayContext& context, const TimeBase& time, MetricRegistry& metrics)
    : context_(context), time_(time), metrics_(metrics) {}

Result<void> SessionLoader::load() {
    auto loaded =
        context_.sessions.load(context_.options.name, [this](StoredSession&& stored) { restore(std::move(stored)); });
    if (!loaded) {
        return loaded;
    }
    store_erasures();
    show();
    return {};
}

void SessionLoader::take_over(StoredSession&& stored, SessionEpoch epoch) {
    const std::string key = stored.key;
    Worker& worker = *context_.workers[context_.worker_for(key)];
    if (worker.sessions().find(key) == nullptr) {
        restore(std::move(stored));
    }
    store_erasures();
    if (Session* session = worker.sessions().find(key)) {
        session->epoch = std::max(session->epoch, epoch);
    }
}

bool SessionLoader::has_expired(const SessionDocument& document) const {
    // One that was connected when the gateway died is away from now on. One with a will ends like any other, and
    // publishes it.
    return !document.is_connected && !document.will && document.session_expiry_s != mqtt::session_never_expires &&
           document.away_since + Seconds(document.session_expiry_s) <= time_.now;
}

void SessionLoader::restore(StoredSession&& stored) {
    mqtt::ServerSession subscriptions(context_.options.limits.session);
    auto document = decode_session(stored.document, [&](const mqtt::ServerSession::Subscription& subscription) {
        counts_.lost_rows += subscriptions.subscribe(subscription) == mqtt::ServerSession::Subscribed::full ? 1U : 0U;
    });
    if (!document) {
        const bool is_newer = document.error().code == ErrorCode::unsupported;
        ++(is_newer ? counts_.newer : counts_.damaged);
        if (!is_newer) {
            erase(stored);
        }
        return;
    }
    const bool has_room =
        context_.sessions_kept.load(std::memory_order_relaxed) < context_.options.limits.sessions_kept_max;
    if (has_expired(*document) || !has_room) {
        ++(has_room ? counts_.expired : counts_.over_bound);
        erase(stored);
        return;
    }
    Worker& worker = *context_.workers[context_.worker_for(stored.key)];
    Session& session = worker.restore(stored.key, document->role);
    if (document->is_connected) {
        worker.note_later(session);
    }
    session.epoch = document->epoch;
    session.will = std::move(document->will);
    session.mqtt.set_session_expiry_s(document->session_expiry_s);
    const SessionHandle handle = worker.sessions().handle_of(session);
    subscriptions.for_each_subscription([&](const mqtt::ServerSession::Subscription& subscription) {
        using Outcome = mqtt::SubscriptionTree::Outcome;
        const Outcome outcome =
            context_.subscriptions.subscribe(subscription.filter,
                                             {.handle = handle,
                                              .subscription_identifier = subscription.subscription_identifier,
                                              .options = subscription.options},
                                             false);
        if (outcome == Outcome::added || outcome == Outcome::replaced) {
            (void)session.mqtt.subscribe(subscription);
        } else {
            ++counts_.lost_rows;
        }
    });
    restore_messages(stored, *document, worker, session);
    const auto away = std::chrono::duration_cast<Millis>(time_.now - document->away_since);
    worker.await_return(session, document->away_cause, document->is_connected ? Millis(0) : std::max(Millis(0), away));
    context_.sessions_kept.fetch_add(1, std::memory_order_relaxed);
    ++counts_.restored;
}

void SessionLoader::restore_messages(const StoredSession& stored, const SessionDocument& document, Worker& worker,
                                     Session& session) {
    std::size_t window = document.is_connected ? context_.options.limits.session.in_flight_max : 0;
    std::uint16_t last_packet_id = document.last_packet_id;
    for (const StoredSession::Message& message : stored.messages) {
        auto pending = decode_message(message.value, time_);
        if (!pending) {
            ++counts_.lost_rows;
            if (pending.error().code != ErrorCode::unsupported) {
                erase_message(stored, message.number);
            }
            continue;
        }
        pending->number = message.number;
        worker.count_beyond(message.number);
        // Whatever was in the window of a connection that is no more may have been sent.
        pending->was_sent = message.number <= document.sent_through || window > 0;
        window -= window > 0 ? 1 : 0;
        last_packet_id = pending->packet_id;
        if (session.mqtt.restore(std::move(*pending))) {
            ++counts_.messages;
        } else {
            ++counts_.lost_rows;
            erase_message(stored, message.number);
        }
    }
    session.mqtt.restore_last_packet_id(last_packet_id);
    for (const std::uint16_t packet_id : stored.packet_ids) {
        session.mqtt.restore_incoming_id(packet_id);
    }
}

void SessionLoader::erase_message(const StoredSession& stored, std::uint64_t number) {
    erasures_.push_back(
        {.kind = SessionChange::Kind::erase_message, .session = stored.key, .number = number, .value = {}});
}

void SessionLoader::erase(const StoredSession& stored) {
    for (const StoredSession::Message& message : stored.messages) {
        erase_message(stored, message.number);
    }
    for (const std::uint16_t packet_id : stored.packet_ids) {
        erasures_.push_back(
            {.kind = SessionChange::Kind::erase_packet_id, .session = stored.key, .number = packet_id, .value = {}});
    }
    erasures_.push_back({.kind = SessionChange::Kind::erase_session, .session = stored.key});
}

// What cannot be erased now is found and erased at the next start.
void SessionLoader::store_erasures() {
    for (std::size_t first = 0; first < erasures_.size(); first += erasures_per_batch) {
        const auto begin = erasures_.begin() + static_cast<std::ptrdiff_t>(first);
        const auto count = std::min(erasures_per_batch, erasures_.size() - first);
        std::vector<SessionChange> batch(std::make_move_iterator(begin),
                                         std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(count)));
        context_.sessions.store(context_.options.name, std::move(batch), [](const Result<void>&) {});
    }
    erasures_.clear();
}

void SessionLoader::show() {
    const std::pair<const char*, std::size_t> outcomes[] = {{"restored", counts_.restored},
                                                            {"expired", counts_.expired},
                                                            {"over_bound", counts_.over_bound},
                                                            {"damaged", counts_.damaged},
                                                            {"newer_version", counts_.newer}};
    for (const auto& [outcome, count] : outcomes) {
        metrics_
            .counter("muster_gateway_sessions_loaded_total", "Kept sessions found in their store at the start",
                     {{"outcome", outcome}})
            .Increment(static_cast<double>(count));
    }
    metrics_
        .counter("muster_gateway_messages_loaded_total", "Messages for kept sessions found in their store at the start")
        .Increment(static_cast<double>(counts_.messages));
    metrics_
        .counter("muster_gateway_session_rows_lost_total",
                 "Messages and subscriptions of kept sessions that were damaged or had no room at the start")
        .Increment(static_cast<double>(counts_.lost_rows));
    if (counts_.damaged + counts_.newer + counts_.over_bound + counts_.lost_rows > 0) {
        spdlog::warn(
            "gateway: kept sessions: {} damaged, {} of a later version, {} over the bound; {} of their rows lost",
            counts_.damaged, counts_.newer, counts_.over_bound, counts_.lost_rows);
    }
    if (counts_.restored > 0) {
        spdlog::info("gateway: {} kept sessions with {} messages, {} have expired", counts_.restored, counts_.messages,
                     counts_.expired);
    }
}

}  // namespace muster
