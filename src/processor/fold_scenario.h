#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/connect_detail.h"
#include "contract/fleet_policy.h"
#include "processor/partition_fold.h"

namespace muster {

/// For tests: writes records as gateways would, feeds them to a fold and keeps what came out. Each gateway has its own
/// wall clock; one call of tick() moves it by a second.
class FoldScenario final {
 public:
    struct Gateway {
        std::string name;
        Timestamp now = from_epoch_ms(1'700'000'000'000);
        Incarnation incarnation = 1;
        std::uint64_t ticks = 0;
    };
    struct StoredRecord {
        EventHeader header;
        std::string gateway;
        std::string key;
        std::string value;
        Offset offset = 0;

        [[nodiscard]] EventRecord view() const {
            EventRecord record{header, key, value, offset};
            record.header.gateway = gateway;
            return record;
        }
    };

    explicit FoldScenario(FoldOptions options = {}) : options_(options), fold(options) {}

    void connect(Gateway& gateway, std::string_view device, SessionEpoch epoch, std::uint16_t keep_alive_s = 60,
                 std::string_view address = "192.0.2.7:4242") {
        EventHeader header = header_of(gateway, EventKind::connect, epoch);
        header.keep_alive_s = keep_alive_s;
        feed(header, gateway, device, to_json(ConnectDetail{std::string(address), "3.1.1"}));
    }
    void telemetry(Gateway& gateway, std::string_view device, SessionEpoch epoch,
                   std::string_view json = R"({"battery":80})") {
        feed(header_of(gateway, EventKind::telemetry, epoch), gateway, device, json);
    }
    void ping(Gateway& gateway, std::string_view device, SessionEpoch epoch) {
        feed(header_of(gateway, EventKind::ping, epoch), gateway, device, {});
    }
    void status(Gateway& gateway, std::string_view device, SessionEpoch epoch, std::string_view payload) {
        feed(header_of(gateway, EventKind::status, epoch), gateway, device, payload);
    }
    void disconnect(Gateway& gateway, std::string_view device, SessionEpoch epoch, Cause cause) {
        EventHeader header = header_of(gateway, EventKind::disconnect, epoch);
        header.cause = cause;
        feed(header, gateway, device, {});
    }
    void will(Gateway& gateway, std::string_view device, SessionEpoch epoch, Cause cause = Cause::none) {
        EventHeader header = header_of(gateway, EventKind::will, epoch);
        header.cause = cause;
        feed(header, gateway, device, "OFFLINE");
    }
    void attributes(Gateway& gateway, std::string_view device, std::string_view json) {
        feed(header_of(gateway, EventKind::attributes, 0), gateway, device, json);
    }
    void policy(Gateway& gateway, const FleetPolicy& policy) {
        feed(header_of(gateway, EventKind::policy, 0), gateway, {}, to_json(policy));
    }
    /// Moves the gateway's wall clock by `step` and ticks.
    void tick(Gateway& gateway, Millis step = Millis(1000)) {
        gateway.now += step;
        EventHeader header = header_of(gateway, EventKind::tick, 0);
        header.sequence = ++gateway.ticks;
        feed(header, gateway, {}, {});
    }
    void tick_seconds(Gateway& gateway, int seconds) {
        for (int i = 0; i < seconds; ++i) {
            tick(gateway);
        }
    }
    void feed(const EventHeader& header, const Gateway& gateway, std::string_view key, std::string_view value) {
        StoredRecord& record =
            records.emplace_back(StoredRecord{header, gateway.name, std::string(key), std::string(value), next_});
        ++next_;
        fold.apply(record.view(), out);
    }
    /// Goes on with what a snapshot restores.
    void restart_from_snapshot() {
        auto restored = PartitionFold::restore(options_, fold.snapshot());
        fold = std::move(**restored);
    }

    [[nodiscard]] StatusDocument document(std::string_view device) const {
        return fold.document(device).value_or(StatusDocument{});
    }
    [[nodiscard]] PresenceState state(std::string_view device) const { return document(device).state; }
    [[nodiscard]] Cause cause(std::string_view device) const { return document(device).cause; }
    /// How often a document said that the device went into this state.
    [[nodiscard]] int times(std::string_view device, PresenceState state) const {
        int times = 0;
        for (const StatusDocument& document : out.documents) {
            times += document.id == device && document.state == state && document.previous != state ? 1 : 0;
        }
        return times;
    }

 private:
    [[nodiscard]] static EventHeader header_of(const Gateway& gateway, EventKind kind, SessionEpoch epoch) {
        EventHeader header;
        header.kind = kind;
        header.epoch = epoch;
        header.received = gateway.now;
        header.incarnation = gateway.incarnation;
        return header;
    }

    FoldOptions options_;
    Offset next_ = 0;

 public:
    PartitionFold fold;
    FoldOutput out;
    std::deque<StoredRecord> records;
};

}  // namespace muster
