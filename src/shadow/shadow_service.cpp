#include "shadow/shadow_service.h"

#include <iterator>

#include "contract/identity.h"
#include "contract/mqtt_topics.h"
#include "mqtt/topic.h"
#include "shadow/document_keys.h"
#include "shadow/documents.h"

namespace muster {
namespace {

/// Whether a filter covers the requests of this device's commands; any execution id will do to tell.
bool covers_commands(std::string_view filter, std::string_view device) {
    return mqtt::topic_matches(filter, command_topic(device, "0", "request/json"));
}

}  // namespace

ShadowService::ShadowService(const DocumentStore& store, MetricRegistry& registry, const ShadowLimits& limits)
    : turn_(store, registry, limits), shadows_(turn_), commands_(turn_) {}

Result<void> ShadowService::assign(Partition partition) {
    const auto stored = turn_.documents.store().get(document_keys::cursor, document_keys::cursor_key(partition));
    if (!stored) {
        return tl::unexpected(stored.error());
    }
    Progress progress;
    if (*stored) {
        auto cursor = parse_shadow_cursor(**stored, partition);
        if (!cursor) {
            return tl::unexpected(cursor.error());
        }
        progress.next = cursor->next;
        progress.last_sent = std::move(cursor->downlinks);
    }
    progress_[partition] = std::move(progress);
    return commands_.load(partition);
}

void ShadowService::revoke(Partition partition) {
    progress_.erase(partition);
    commands_.forget(partition);
    shadows_.forget(partition);
}

void ShadowService::on_request(Partition partition, Offset offset, std::string_view packed_header, std::string_view key,
                               std::string_view payload) {
    Progress& progress = progress_[partition];
    if (offset < progress.next) {
        turn_.metrics.replayed.Increment();
        std::move(progress.last_sent.begin(), progress.last_sent.end(), std::back_inserter(turn_.downlinks));
        progress.last_sent.clear();
        return;
    }
    progress.next = offset + 1;
    progress.moved = true;
    const auto header = decode_event_header(packed_header);
    if (!header || !is_valid_device_id(key)) {
        turn_.metrics.dropped_malformed.Increment();
        return;
    }
    dispatch({partition, offset, *header, key, payload});
}

void ShadowService::dispatch(const DeviceRequest& request) {
    switch (request.header.kind) {
        case EventKind::publish:
            return on_publish(request);
        case EventKind::subscribed:
            return on_subscribed(request);
        case EventKind::api_request:
            return on_api_request(request);
        default:
            turn_.metrics.dropped_malformed.Increment();
    }
}

void ShadowService::on_publish(const DeviceRequest& request) {
    const auto shadow = parse_shadow_topic(request.header.topic);
    const auto answer = parse_command_answer_topic(request.header.topic);
    if (!shadow && !answer) {
        turn_.metrics.dropped_topic.Increment();
    } else if ((shadow ? shadow->device : answer->device) != request.device) {
        turn_.metrics.dropped_foreign.Increment();
    } else if (shadow) {
        shadows_.on_publish(request, *shadow);
    } else {
        commands_.on_answer(request, answer->execution);
    }
}

void ShadowService::on_subscribed(const DeviceRequest& request) {
    if (!mqtt::is_valid_topic_filter(request.header.topic)) {
        turn_.metrics.dropped_topic.Increment();
        return;
    }
    const bool takes_commands = covers_commands(request.header.topic, request.device);
    if (!turn_.sessions.learn(request.partition, request.device, request.header.epoch, request.header.gateway,
                              takes_commands)) {
        return;  // the device has a later session
    }
    shadows_.on_subscribed(request);
    if (takes_commands) {
        commands_.on_subscribed(request);
    }
}

void ShadowService::on_api_request(const DeviceRequest& request) {
    if (request.header.topic == create_command_topic) {
        commands_.on_create(request);
        return;
    }
    const auto shadow = parse_shadow_topic(request.header.topic);
    if (!shadow || shadow->device != request.device) {
        turn_.metrics.dropped_topic.Increment();
        turn_.reply(request, 404, R"({"code":404,"message":"There is no such operation"})");
        return;
    }
    shadows_.on_api_request(request, *shadow);
}

void ShadowService::on_status(Partition partition, std::string_view key, std::string_view value) {
    if (value.empty()) {
        turn_.sessions.forget(partition, key);
        return;
    }
    const auto document = parse_status_document(value);
    if (!document || document->id != key) {
        turn_.metrics.dropped_status.Increment();
        return;
    }
    if (turn_.sessions.apply(partition, *document)) {
        commands_.on_session(partition, key);
    }
}

void ShadowService::settle(Timestamp now) {
    shadows_.settle(now);
    commands_.settle(now);
}

void ShadowService::finish() {
    std::map<Partition, std::vector<const Downlink*>> by_partition;
    for (const Downlink& downlink : turn_.downlinks) {
        by_partition[downlink.partition].push_back(&downlink);
    }
    for (auto& [partition, progress] : progress_) {
        if (progress.moved) {
            turn_.documents.put(document_keys::cursor, document_keys::cursor_key(partition),
                                to_json(progress.next, by_partition[partition]));
        }
    }
}

void ShadowService::end_turn() {
    turn_.metrics.downlinks.Increment(static_cast<double>(turn_.downlinks.size()));
    turn_.metrics.pending_commands.Set(static_cast<double>(commands_.pending()));
    turn_.metrics.sessions.Set(static_cast<double>(turn_.sessions.size()));
    turn_.metrics.sessions_refused.Set(static_cast<double>(turn_.sessions.refused()));
    turn_.documents.clear();
    turn_.downlinks.clear();
    shadows_.end_turn();
    for (auto& [partition, progress] : progress_) {
        progress.moved = false;
    }
}

}  // namespace muster
