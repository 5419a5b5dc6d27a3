#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "contract/event.h"
#include "shadow/device_sessions.h"
#include "shadow/document_batch.h"
#include "shadow/shadow_metrics.h"
#include "shadow/shadow_outbox.h"

namespace muster {

/// Bounds of the shadow role; each has a metric or an answer of its own when it is reached.
struct ShadowLimits {
    std::size_t in_flight_per_device_max = 10;   ///< DESIGN 3.5, rule 12: requests not yet answered; over it 429
    std::size_t named_shadows_max = 25;          ///< a device; over it 429
    std::size_t pending_commands_max = 200'000;  ///< all devices together; over it 429
    std::size_t pending_per_device_max = 100;    ///< over it 429
    std::size_t commands_kept_max = 200;         ///< a device's history of commands; the oldest final ones go
    std::size_t sessions_max = 2'000'000;        ///< devices known to be online
    std::size_t owed_deltas_max = 100'000;       ///< changes waiting to learn where their device is
};

/// One record of muster.requests, views valid while it is handled.
struct DeviceRequest {
    Partition partition = 0;
    Offset offset = 0;
    const EventHeader& header;
    std::string_view device;
    std::string_view payload;
};

/// What one turn of the role (the records of one poll) reads and makes: the writes of its commit and the downlinks that
/// leave after it. Shared by the parts of ShadowService; owned by it, one thread.
struct ShadowTurn {
    ShadowTurn(const DocumentStore& store, MetricRegistry& registry, const ShadowLimits& bounds)
        : limits(bounds), documents(store), sessions(bounds.sessions_max), metrics(registry) {}

    const ShadowLimits limits;
    DocumentBatch documents;
    DeviceSessions sessions;
    ShadowMetrics metrics;
    std::vector<Downlink> downlinks;

    /// A message to the session from which the request came.
    void answer(const DeviceRequest& request, std::string topic, std::string payload) {
        publish(request.partition, request.device, request.header.gateway, request.header.epoch, std::move(topic),
                std::move(payload));
    }
    void publish(Partition partition, std::string_view device, std::string_view gateway, SessionEpoch epoch,
                 std::string topic, std::string payload) {
        downlinks.push_back({partition, std::string(gateway), std::string(device), DownlinkKind::publish, 0, epoch, 0,
                             std::move(topic), std::move(payload)});
    }
    void publish(Partition partition, std::string_view device, const DeviceSession& session, std::string topic,
                 std::string payload) {
        publish(partition, device, *session.gateway, session.epoch, std::move(topic), std::move(payload));
    }
    /// The answer to an API request.
    void reply(const DeviceRequest& request, std::uint16_t status, std::string body) {
        downlinks.push_back({request.partition,
                             std::string(request.header.gateway),
                             std::string(request.device),
                             DownlinkKind::reply,
                             status,
                             0,
                             request.header.sequence,
                             {},
                             std::move(body)});
    }
};

}  // namespace muster
