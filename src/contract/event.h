#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "contract/identity.h"
#include "contract/presence.h"

namespace muster {

/// What a record of muster.events or muster.requests is. Values are stored: never renumber.
enum class EventKind : std::uint8_t {
    telemetry = 1,   ///< value: the payload published to telemetry/{id}
    connect = 2,     ///< session `epoch` began; value: ConnectDetail as JSON (connect_detail.h), may be empty
    disconnect = 3,  ///< session `epoch` ended with `cause`; value: empty
    will = 4,        ///< the will on status/{id} was triggered; value: its payload. The disconnect record follows it
    tick = 5,    ///< once a second from every gateway to every partition, at most one of them not yet durable: time in
                 ///< which the bus takes nothing is not seen; key and value empty; `sequence` counts ticks
    status = 6,  ///< value: the payload that the device itself published to status/{id}
    ping = 7,    ///< the session is alive and said nothing else for a while; value: empty
    attributes = 8,  ///< an operator set registry attributes; value: DeviceAttributes as JSON
    policy = 9,  ///< an operator changed the fleet's policy; on every partition, key empty; value: FleetPolicy as JSON

    publish = 16,     ///< (muster.requests) the device published to a $aws topic; topic and payload as they came
    subscribed = 17,  ///< (muster.requests) the device subscribed; `topic` is the filter; value: empty
    api_request =
        18,  ///< (muster.requests) the api role asks; answer goes to muster.downlink.{gateway} with `sequence`
};

inline constexpr std::size_t fleet_event_kinds = static_cast<std::size_t>(EventKind::policy) + 1;  ///< of muster.events

/// The wire name of a kind: the enumerator's.
[[nodiscard]] std::string_view name_of(EventKind kind);

/// The header of every record of muster.events and muster.requests, packed into one bus record header named
/// `event_header_name`: what a record is about apart from its key (device id) and value (raw MQTT payload).
struct EventHeader {
    EventKind kind = EventKind::telemetry;
    std::uint8_t qos = 0;
    bool retain = false;
    bool duplicate = false;
    Cause cause = Cause::none;       ///< disconnect and will: why
    std::uint16_t keep_alive_s = 0;  ///< connect: the session's keep-alive, seconds, 0 = none
    SessionEpoch epoch = 0;          ///< the session that the record belongs to; 0 for ticks and API requests
    std::uint64_t sequence =
        0;  ///< grows by one a record within a session; ticks: within an incarnation; api_request: correlation
    Timestamp received{};         ///< gateway's clock when the bytes were read
    Incarnation incarnation = 0;  ///< of the gateway
    std::string_view gateway;     ///< name of the gateway (or API instance) that wrote the record, 1 to 64 bytes
    std::string_view topic;       ///< MQTT topic or filter; empty where the kind implies it (telemetry, status, will)
};

inline constexpr std::string_view event_header_name = "muster";
/// A second header, present when an MQTT 5.0 publish had any: its properties that concern the receiver (payload format,
/// message expiry in seconds from `received` on, content type, response topic, correlation data, user properties in
/// order), encoded as MQTT 5.0 section 2.2.2 says, without their length.
inline constexpr std::string_view properties_header_name = "mqtt5";
inline constexpr std::size_t gateway_name_bytes_max = 64;

// Layout, little-endian:
//   0 u8 version = 1 | 1 u8 kind | 2 u8 flags (bits 0-1 QoS, 2 retain, 3 duplicate) | 3 u8 cause | 4 u16 keep_alive_s
//   6 u16 topic bytes | 8 i64 received, epoch ms | 16 u64 epoch | 24 u64 sequence | 32 u64 incarnation
//   40 u8 gateway bytes | 41 gateway | ... topic
/// Appends the packed header to `out`.
void encode(const EventHeader& header, std::string& out);
/// Views of the result point into `bytes`. malformed: wrong version, unknown kind or cause, short or surplus bytes.
[[nodiscard]] Result<EventHeader> decode_event_header(std::string_view bytes);

}  // namespace muster
