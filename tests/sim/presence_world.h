#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "contract/event.h"
#include "processor/event_record.h"

namespace muster::sim {

/// A record as a gateway wrote it, with the time at which the bus took it.
struct WrittenRecord {
    EventHeader header;
    int gateway = 0;
    std::string device;
    std::string value;
    std::int64_t appended_ms = 0;

    /// `gateway_name` must live as long as the view.
    [[nodiscard]] EventRecord view(std::string_view gateway_name, std::int64_t offset) const;
    [[nodiscard]] std::string text() const;
};

/// What may happen in a world.
struct WorldRules {
    bool ends = true;    ///< devices disconnect and connections break
    bool losses = true;  ///< gateways are killed, restarted, suspended
    bool skew = true;    ///< of the gateways' wall clocks, up to 60 s
    int devices_max = 2;
    std::int64_t lag_ms_max = 1500;  ///< from writing a record to its place on the bus; order within a gateway is kept
    std::int64_t chaos_ms = 9000;
    std::int64_t settle_ms = 16'000;
};

/// A seeded world of devices and two gateways on virtual time: what the gateways write, and what is true in the end.
/// A device may hop between gateways at any moment; a gateway learns of an end late, by take-over, a broken connection
/// or keep-alive; a killed gateway takes its sessions along and loses what the bus did not have yet.
class PresenceWorld final {
 public:
    static constexpr int gateways = 2;

    PresenceWorld(std::uint64_t seed, WorldRules rules);

    /// All records in the order of the bus.
    [[nodiscard]] const std::vector<WrittenRecord>& records() const { return records_; }
    /// Device id → is it there at the end? Only devices that the bus has heard of.
    [[nodiscard]] const std::map<std::string, bool>& truth() const { return truth_; }

 private:
    struct Gateway {
        bool alive = true;
        bool suspended = false;
        Incarnation incarnation = 1;
        std::uint64_t ticks = 0;
        std::int64_t skew_ms = 0;
        std::int64_t next_tick_ms = 0;
        std::int64_t back_at_ms = 0;
        std::int64_t last_append_ms = 0;
    };
    struct Session {
        SessionEpoch epoch = 0;
        int gateway = 0;
        Incarnation incarnation = 0;
        bool alive = false;  ///< the device is at the other end
    };
    struct Device {
        std::string id;
        SessionEpoch last_epoch = 0;
        Session session;
    };
    /// What a gateway will find out later about a session.
    struct Notice {
        std::int64_t at_ms = 0;
        std::string device;
        Session session;
        Cause cause = Cause::none;
        bool with_will = false;
    };

    void run();
    void step(bool chaos);
    void act();
    void act_on(Device& device);
    void act_on(Gateway& gateway);
    void connect(Device& device);
    void speak(Device& device);
    void lose_connection(Device& device);
    void disconnect(Device& device);
    void kill(Gateway& gateway);
    void revive();
    void tick_gateways();
    void deliver_notices();
    [[nodiscard]] bool holds(const Session& session) const;
    void write(EventKind kind, int gateway, const std::string& device, SessionEpoch epoch, Cause cause,
               std::string value);
    void order_records();

    Random random_;
    WorldRules rules_;
    std::int64_t now_ms_ = 0;
    std::array<Gateway, gateways> gateways_;
    std::vector<Device> devices_;
    std::vector<Notice> notices_;
    std::vector<WrittenRecord> records_;
    std::map<std::string, bool> truth_;
};

/// The names of the gateways of every world.
inline constexpr std::array<std::string_view, PresenceWorld::gateways> gateway_names{"gw-a", "gw-b"};

}  // namespace muster::sim
