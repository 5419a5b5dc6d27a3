#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "base/result.h"
#include "bus/bus.h"
#include "gateway/courier.h"
#include "gateway/gateway_context.h"
#include "gateway/tally.h"
#include "net/system_clock.h"

namespace muster {

/// One thread that reads what the bus has for a gateway: muster.downlink.{name} (to its devices), muster.messages
/// (publishes of other gateways, lifecycle events), muster.retained (from the beginning) and, in a cluster,
/// muster.routes (likewise). Owned by the Gateway. It waits when a worker's mailbox is full; the bus keeps the rest.
class DownlinkReader final : private RebalanceListener {
 public:
    explicit DownlinkReader(GatewayContext& context);
    ~DownlinkReader() override;

    /// Loads every retained message; returns when the table is complete. The mailboxes are there by then, the workers
    /// need not be: what comes for devices meanwhile waits for start().
    [[nodiscard]] Result<void> load(Bus& bus);
    void start();
    void stop();
    [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
    std::optional<Offset> on_assigned(std::string_view topic, Partition partition) override;
    void on_revoked(std::string_view, Partition) override {}

    void run();
    void read(const ConsumerRecord& record);
    void read_downlink(const ConsumerRecord& record);
    void hand_to_worker(Mailbox::Order order);
    void drain(std::string_view text);
    void read_message(const ConsumerRecord& record, const EventHeader& header);
    void read_routes(const ConsumerRecord& record);
    void read_retained(const ConsumerRecord& record, const EventHeader& header);
    [[nodiscard]] mqtt::MessagePtr message_of(const ConsumerRecord& record, const EventHeader& header) const;
    [[nodiscard]] bool is_own(const EventHeader& header) const;
    void wake(std::size_t worker);

    GatewayContext& context_;
    const std::string downlink_topic_;
    Tally tally_;
    Courier courier_;
    net::SystemClock clock_;
    std::unique_ptr<Consumer> consumer_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
    bool is_loading_ = true;
    std::string drain_while_loading_;  ///< the last drain order that came meanwhile; empty: none
};

}  // namespace muster
