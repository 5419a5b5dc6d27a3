#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "contract/identity.h"
#include "contract/presence.h"

namespace muster {

/// What is known of a device apart from its presence: set by an operator (attributes record) or declared by the device
/// in its birth message; the operator's word wins, field by field.
struct DeviceAttributes {
    std::string region;  ///< is_valid_region, or empty
    std::string model;
    std::string firmware;
    std::string carrier;
    double latitude = 0;  ///< degrees; both 0 = not known
    double longitude = 0;
    std::uint32_t heartbeat_timeout_s = 0;  ///< 0 = the default

    [[nodiscard]] bool has_position() const { return latitude != 0 || longitude != 0; }
    bool operator==(const DeviceAttributes&) const = default;
};

/// Which rule says how long a device may be silent.
enum class TimeoutRule : std::uint8_t {
    fleet,   ///< the processor's default
    model,   ///< the fleet's policy for its model
    device,  ///< its own attributes
};

/// What a verdict rests on beyond the other members of its document: for the explanation. Times by the records' clocks,
/// epoch 0 = never.
struct PresenceEvidence {
    Timestamp session_began{};  ///< the first record of the last session
    Timestamp
        session_ended{};  ///< its disconnect or will, or the loss of its gateway; epoch 0 = open as far as is known
    Timestamp will{};     ///< the last will of any session
    std::uint32_t timeout_s = 0;  ///< the silence allowed to one that publishes, sleep not included
    TimeoutRule timeout_rule = TimeoutRule::fleet;
    std::uint32_t sleep_s = 0;     ///< announced, 0 = none
    std::uint32_t take_overs = 0;  ///< sessions that displaced one that was online, since first seen
    double contest = 0;            ///< the take-over score at the document's time: over 3000 the id is contested
    bool farewell = false;         ///< the session has published that it goes
    bool steady_offline = false;   ///< its last stable minute was offline: what a flapping device counts as
    std::string maintenance;       ///< id of the window it is in

    bool operator==(const PresenceEvidence&) const = default;
};

/// The value of a muster.status record: the whole presence of one device after a transition. Documented, stable JSON:
/// consumers in any language read it. A record is older than another of the same device when its `offset` is smaller
/// (both are of the same partition of muster.events), which makes redelivery harmless.
struct StatusDocument {
    std::string id;
    PresenceState state = PresenceState::never_seen;
    PresenceState previous = PresenceState::never_seen;
    Cause cause = Cause::none;
    Overlays overlays = 0;
    Timestamp since{};                ///< when the state began, by the records' time
    Timestamp last_seen{};            ///< last record of a session of the device; epoch 0 = never
    SessionEpoch epoch = 0;           ///< of the last session
    Incarnation incarnation = 0;      ///< of the gateway that held it
    std::string gateway;              ///< that held the last session
    std::uint16_t keep_alive_s = 0;   ///< of the last session
    std::int64_t detected_in_ms = 0;  ///< time of the verdict less time of the last evidence to the contrary
    double flap_penalty = 0;          ///< at `since`
    std::uint32_t disconnects = 0;    ///< since first seen
    Timestamp first_seen{};
    std::string client_address;  ///< of the last session, "address:port"
    std::string protocol;        ///< "3.1.1" or "5.0"
    DeviceAttributes attributes;
    PresenceEvidence evidence;
    std::int64_t offset = 0;  ///< of the muster.events record that caused it
};

/// One line of JSON, fields in a fixed order: the same document always gives the same bytes (G9).
[[nodiscard]] std::string to_json(const StatusDocument& document);
/// Unknown fields are ignored; malformed when a known one has the wrong type or an unknown word.
[[nodiscard]] Result<StatusDocument> parse_status_document(std::string_view json);

[[nodiscard]] std::string_view name_of(TimeoutRule rule);
[[nodiscard]] std::optional<TimeoutRule> timeout_rule_from(std::string_view name);

/// Parses {"region":…,"model":…,"firmware":…,"carrier":…,"lat":…,"lon":…,"heartbeat_timeout_s":…}, any subset; other
/// fields are ignored. malformed: a field of the wrong type, an invalid region, or a position off the globe.
[[nodiscard]] Result<DeviceAttributes> parse_device_attributes(std::string_view json);
[[nodiscard]] std::string to_json(const DeviceAttributes& attributes);

}  // namespace muster
