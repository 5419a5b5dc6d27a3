#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "bus/bus.h"
#include "contract/event.h"
#include "gateway/gateway_options.h"
#include "gateway/tally.h"

namespace muster {

/// The bus topics that a gateway writes.
struct UplinkTopics {
    TopicId events = 0;
    TopicId requests = 0;
    TopicId messages = 0;
    TopicId retained = 0;
    TopicId routes = 0;  ///< of a cluster
};

/// One record on its way to the bus; views.
struct UplinkRecord {
    TopicId topic = 0;
    std::string_view key;
    std::string_view value;
    std::string_view properties{};  ///< of a 5.0 publish, as properties_header_name says
    std::string_view shares{};      ///< of a relayed one, as shares_header_name says; not of control records
    EventHeader header;
    std::uint64_t token = 0;
    Partition partition = any_partition;
    bool tombstone = false;
};

/// One worker's way onto the bus: packs headers, tells how full the way is, and keeps control records (presence, ticks)
/// for which there is no room yet, so that they are late but never lost (G8). While one waits, nothing else overtakes
/// it. One thread.
class Uplink final {
 public:
    /// How full the way to the bus is: below half; over half: QoS 0 is dropped and a QoS 1 publisher is held after its
    /// publish; over three quarters: no client with a session is read. The rest is for control records.
    enum class Pressure : std::uint8_t { none, slow, stop };

    Uplink(std::unique_ptr<Producer> producer, const GatewayLimits& limits, Tally& tally);

    /// False when there was no room: nothing was queued.
    [[nodiscard]] bool send(const UplinkRecord& record);
    /// Queues the record on the bus, or keeps it until there is room.
    void send_control(const UplinkRecord& record);

    /// At the end of a turn: kept control records first, then everything to the bus.
    void flush();
    std::size_t poll(FunctionRef<void(const Delivery&)> on_delivery);
    /// Blocks until everything, kept records included, is durable. timed_out: it is not.
    [[nodiscard]] Result<void> drain(Millis timeout);

    [[nodiscard]] Pressure pressure() const;
    [[nodiscard]] std::size_t kept_records() const { return kept_.size(); }
    /// New connections must wait: the rest of the room for kept records belongs to those that are there.
    [[nodiscard]] bool is_short_of_room() const { return kept_.size() >= limits_.control_records_max / 2; }

 private:
    struct Kept {
        TopicId topic;
        Partition partition;
        Timestamp time;
        bool tombstone;
        std::string key;
        std::string value;
        std::string properties;
        std::string header;
        std::uint64_t token;
    };

    [[nodiscard]] bool send_packed(const UplinkRecord& record, std::string_view header);
    void send_kept();

    std::unique_ptr<Producer> producer_;
    const GatewayLimits& limits_;
    Tally& tally_;
    std::deque<Kept> kept_;         ///< at most control_records_max
    std::string header_;            ///< reused
    std::size_t queued_bytes_ = 0;  ///< the producer's figure at the last flush or poll, and what was sent since
};

}  // namespace muster
