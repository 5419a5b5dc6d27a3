#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bus/bus.h"
#include "shadow/shadow_metrics.h"
#include "shadow/shadow_outbox.h"

namespace muster {

inline constexpr std::size_t downlink_gateways_max =
    4096;  ///< topics that one role opens; a gateway name over that is dropped

/// Puts downlinks on muster.downlink.{gateway}, whose topics it opens as gateways appear. Owned by the role's thread.
class DownlinkSender final {
 public:
    DownlinkSender(Bus& bus, const std::string& name, ShadowMetrics& metrics)
        : bus_(bus), producer_(bus.producer({name, producer_queue_bytes, {}})), metrics_(metrics) {}

    /// Sends those of `downlinks` that `unsent` names (indexes) and waits until they are durable; what is not stays in
    /// `unsent`. What can never be sent is counted and leaves it.
    void send(const std::vector<Downlink>& downlinks, std::vector<std::size_t>& unsent);

 private:
    static constexpr std::size_t producer_queue_bytes = 32U << 20U;

    [[nodiscard]] Result<TopicId> topic_of(const std::string& gateway);
    [[nodiscard]] Result<void> send_one(const Downlink& downlink, std::uint64_t token);

    Bus& bus_;
    std::unique_ptr<Producer> producer_;
    ShadowMetrics& metrics_;
    std::map<std::string, TopicId> topics_;
};

}  // namespace muster
