#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "status/status_store.h"

namespace muster {

// The packed form in which a status store keeps a device (docs/data-formats.md, "Status snapshot"). The device id is
// the key it is stored under. Little-endian; text is u8 length, bytes:
//
//   0 u8 version = 2 (1 had nothing of what 2 has at its end) | 1 u8 state | 2 u8 previous | 3 u8 cause | 4 u8 overlays
//   | 5 u8 number of metrics | 6 u16 keep_alive_s 8 i64 since | 16 i64 last_seen of the document | 24 i64 last_seen |
//   32 i64 telemetry_time | 40 i64 first_seen, all epoch ms
//  48 u64 epoch | 56 u64 incarnation | 64 i64 detected_in_ms | 72 f64 flap_penalty | 80 i64 offset
//  88 u32 disconnects | 92 u32 heartbeat_timeout_s | 96 f64 latitude | 104 f64 longitude
// 112 text gateway, client_address, protocol, region, model, firmware, carrier
//   … for each metric: text name, f64 value
//   … i64 last_ping | i64 last_published | evidence: i64 session_began, session_ended, will | u32 timeout_s, sleep_s,
//     take_overs | f64 contest | u8 timeout rule | u8 flags (1 farewell, 2 steady offline) | text maintenance
//   … u32 CRC-32C of all before

/// Appends the packed form. Texts over 255 bytes are cut.
void encode_device(const DeviceStatus& device, std::string& out);
/// corrupt: fails its checksum; malformed: an unknown version or word, short or surplus bytes.
[[nodiscard]] Result<DeviceStatus> decode_device(std::string_view id, std::string_view bytes);

}  // namespace muster
