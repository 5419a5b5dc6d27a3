#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "contract/identity.h"

namespace muster {

/// What a record of muster.downlink.{gateway} asks of its gateway. Values are stored: never renumber.
enum class DownlinkKind : std::uint8_t {
    publish = 1,  ///< send `topic` and the value to the device (record key), if it subscribes to it
    close = 2,    ///< end the device's session
    drain = 4,    ///< (key: the gateway's name) send your clients elsewhere, or end that; value: DrainOrder
    reply = 3,    ///< (to an API instance) the answer to the api_request with this correlation; value: its JSON body
};

/// The packed header of a downlink record, bus header name `downlink_header_name`; key: device id; value: payload.
struct DownlinkHeader {
    DownlinkKind kind = DownlinkKind::publish;
    std::uint8_t qos = 0;
    std::uint16_t status = 0;       ///< reply: HTTP status
    SessionEpoch epoch = 0;         ///< only to this session; 0 = to whichever is there
    std::uint64_t correlation = 0;  ///< reply: EventHeader::sequence of the request
    std::string_view topic;         ///< publish: MQTT topic
};

inline constexpr std::string_view downlink_header_name = "muster";

// Layout, little-endian: 0 u8 version = 1 | 1 u8 kind | 2 u8 QoS | 3 u8 zero | 4 u16 status | 6 u16 topic bytes
//   8 u64 epoch | 16 u64 correlation | 24 topic
void encode(const DownlinkHeader& header, std::string& out);
[[nodiscard]] Result<DownlinkHeader> decode_downlink_header(std::string_view bytes);

}  // namespace muster
