#include "shadow/shadow_requests.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "mqtt/topic.h"
#include "shadow/document_keys.h"

namespace muster {
namespace {

constexpr std::array<std::string_view, 3> operation_labels{"get", "update", "delete"};

std::int64_t seconds_of(Timestamp time) {
    return std::chrono::duration_cast<Seconds>(time.time_since_epoch()).count();
}

std::string_view label_of(const ShadowTopic& topic) {
    return operation_labels.at(static_cast<std::size_t>(topic.operation));
}

tl::unexpected<ShadowRejection> reject(std::uint16_t code, std::string message, std::string_view client_token = {}) {
    return tl::unexpected(ShadowRejection{code, std::move(message), std::string(client_token)});
}

}  // namespace

void ShadowRequests::on_publish(const DeviceRequest& request, const ShadowTopic& topic) {
    Outcome outcome;
    if (++in_flight_[std::string(request.device)] > turn_.limits.in_flight_per_device_max) {
        outcome = {
            429, to_json(ShadowRejection{429, "Too many requests", {}}, seconds_of(request.header.received)), {}};
    } else {
        outcome = run(topic, request.payload, request.header.received);
    }
    turn_.metrics.count_request(label_of(topic), outcome.code);
    turn_.answer(request, shadow_answer_topic(topic, outcome.code == 200), std::move(outcome.body));
    if (outcome.update) {
        const std::string gateway(request.header.gateway);
        tell(request.partition, topic, {request.header.epoch, &gateway, false}, *outcome.update);
    }
}

void ShadowRequests::on_api_request(const DeviceRequest& request, const ShadowTopic& topic) {
    const Outcome outcome = run(topic, request.payload, request.header.received);
    turn_.metrics.count_request(label_of(topic), outcome.code);
    turn_.reply(request, outcome.code, outcome.body);
    if (outcome.code != 200 || topic.operation == ShadowOperation::get) {
        return;
    }
    if (const DeviceSession* session = turn_.sessions.find(request.partition, request.device); session != nullptr) {
        turn_.publish(request.partition, request.device, *session, shadow_answer_topic(topic, true), outcome.body);
        if (outcome.update) {
            tell(request.partition, topic, *session, *outcome.update);
        }
    } else if (outcome.update && outcome.update->delta) {
        if (owed_.size() >= turn_.limits.owed_deltas_max) {
            turn_.metrics.dropped_owed.Increment();
            return;
        }
        owed_.push_back({request.partition, std::string(request.device), std::string(topic.name)});
    }
}

void ShadowRequests::on_subscribed(const DeviceRequest& request) {
    for (const std::string& name : names_covered(request.device, request.header.topic)) {
        send_delta(request.partition, request.device, name, request.header.gateway, request.header.epoch,
                   request.header.received);
    }
}

void ShadowRequests::settle(Timestamp now) {
    for (const Owed& owed : owed_) {
        if (const DeviceSession* session = turn_.sessions.find(owed.partition, owed.device); session != nullptr) {
            send_delta(owed.partition, owed.device, owed.name, *session->gateway, session->epoch, now);
        }
    }
    owed_.clear();
}

void ShadowRequests::forget(Partition partition) {
    std::erase_if(owed_, [&](const Owed& owed) { return owed.partition == partition; });
}

ShadowRequests::Outcome ShadowRequests::run(const ShadowTopic& topic, std::string_view payload, Timestamp now) {
    const std::int64_t now_s = seconds_of(now);
    auto outcome = topic.operation == ShadowOperation::get      ? get(topic, payload, now_s)
                   : topic.operation == ShadowOperation::update ? update(topic, payload, now_s)
                                                                : remove(topic, payload, now_s);
    if (!outcome) {
        return {outcome.error().code, to_json(outcome.error(), now_s), {}};
    }
    return std::move(*outcome);
}

ShadowResult<ShadowRequests::Outcome> ShadowRequests::get(const ShadowTopic& topic, std::string_view payload,
                                                          std::int64_t now_s) {
    const auto request = parse_shadow_request(payload);
    if (!request) {
        return tl::unexpected(request.error());
    }
    return load(topic.device, topic.name)
        .and_then(
            [&](const ShadowDocument& document) { return get_shadow(document, *request, topic.full_name(), now_s); })
        .map([](std::string body) { return Outcome{200, std::move(body), {}}; });
}

ShadowResult<ShadowRequests::Outcome> ShadowRequests::update(const ShadowTopic& topic, std::string_view payload,
                                                             std::int64_t now_s) {
    const auto request = parse_shadow_update(payload);
    if (!request) {
        return tl::unexpected(request.error());
    }
    auto document = load(topic.device, topic.name);
    if (!document) {
        return tl::unexpected(document.error());
    }
    if (!topic.name.empty() && document->version == 0 && one_name_too_many(topic.device)) {
        return reject(429, fmt::format("Too many named shadows; maximum is {}", turn_.limits.named_shadows_max),
                      request->client_token);
    }
    auto updated = update_shadow(*document, *request, now_s);
    if (!updated) {
        return tl::unexpected(updated.error());
    }
    store(topic, *document);
    Outcome outcome{200, updated->accepted, {}};
    outcome.update = std::move(*updated);
    return outcome;
}

ShadowResult<ShadowRequests::Outcome> ShadowRequests::remove(const ShadowTopic& topic, std::string_view payload,
                                                             std::int64_t now_s) {
    const auto request = parse_shadow_request(payload);
    if (!request) {
        return tl::unexpected(request.error());
    }
    auto document = load(topic.device, topic.name);
    if (!document) {
        return tl::unexpected(document.error());
    }
    auto removed = delete_shadow(*document, *request, topic.full_name(), now_s);
    if (!removed) {
        return tl::unexpected(removed.error());
    }
    store(topic, *document);
    return Outcome{200, std::move(*removed), {}};
}

ShadowResult<ShadowDocument> ShadowRequests::load(std::string_view device, std::string_view name) {
    const auto stored = turn_.documents.get(document_keys::shadow, document_keys::shadow_key(device, name));
    if (stored && !*stored) {
        return ShadowDocument{};
    }
    if (stored) {
        if (auto document = parse_stored_shadow(**stored); document) {
            return std::move(*document);
        }
    }
    turn_.metrics.store_errors.Increment();
    return reject(500, "Internal service failure");
}

void ShadowRequests::store(const ShadowTopic& topic, const ShadowDocument& document) {
    turn_.documents.put(document_keys::shadow, document_keys::shadow_key(topic.device, topic.name),
                        to_stored(document));
}

bool ShadowRequests::one_name_too_many(std::string_view device) {
    // The classic shadow may be among them and is not counted.
    const std::size_t limit = turn_.limits.named_shadows_max + 1;
    const auto shadows =
        turn_.documents.store().list(document_keys::shadow, document_keys::shadow_key(device, {}), {}, limit);
    return !shadows || static_cast<std::size_t>(std::count_if(shadows->begin(), shadows->end(), [](const auto& shadow) {
                           return !shadow.first.ends_with('/');
                       })) >= turn_.limits.named_shadows_max;
}

void ShadowRequests::tell(Partition partition, const ShadowTopic& topic, const DeviceSession& session,
                          const ShadowUpdate& update) {
    if (update.delta) {
        turn_.publish(partition, topic.device, session, shadow_topic_of(topic.device, topic.name, "update/delta"),
                      *update.delta);
    }
    turn_.publish(partition, topic.device, session, shadow_topic_of(topic.device, topic.name, "update/documents"),
                  update.documents);
}

void ShadowRequests::send_delta(Partition partition, std::string_view device, std::string_view name,
                                std::string_view gateway, SessionEpoch epoch, Timestamp now) {
    const auto document = load(device, name);
    if (!document || !document->exists) {
        return;
    }
    if (auto delta = shadow_delta_message(*document, seconds_of(now)); delta) {
        turn_.publish(partition, device, gateway, epoch, shadow_topic_of(device, name, "update/delta"),
                      std::move(*delta));
    }
}

std::vector<std::string> ShadowRequests::names_covered(std::string_view device, std::string_view filter) {
    const auto covers = [&](std::string_view name) {
        return mqtt::topic_matches(filter, shadow_topic_of(device, name, "update/delta"));
    };
    std::vector<std::string> names;
    if (covers({})) {
        names.emplace_back();
    }
    if (!filter.ends_with('#') && filter.find("/shadow/name/") == std::string_view::npos &&
        filter.find('+') == std::string_view::npos) {
        return names;  // names one topic, and not of a named shadow: spares the list
    }
    const std::string prefix = document_keys::shadow_key(device, {});
    const auto shadows =
        turn_.documents.store().list(document_keys::shadow, prefix, prefix, turn_.limits.named_shadows_max + 1);
    if (!shadows) {
        turn_.metrics.store_errors.Increment();
        return names;
    }
    for (const auto& [key, unused] : *shadows) {
        const std::string_view name = std::string_view(key).substr(prefix.size());
        if (!name.empty() && covers(name)) {
            names.emplace_back(name);
        }
    }
    return names;
}

}  // namespace muster
