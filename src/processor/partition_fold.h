#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "bus/bus.h"
#include "contract/fleet_policy.h"
#include "contract/region_counts.h"
#include "contract/status_document.h"
#include "contract/telemetry_json.h"
#include "processor/device_states.h"
#include "processor/event_record.h"
#include "processor/fold_output.h"
#include "processor/gateway_clocks.h"
#include "processor/region_table.h"
#include "processor/string_table.h"

namespace muster {

/// What the verdicts depend on besides the records: the same for every partition and across restarts.
struct FoldOptions {
    Partition partition = 0;
    Millis heartbeat_timeout{60'000};  ///< of devices whose attributes set none
    GatewayClocks::Options gateways{};
};

/// The heart: folds one partition of muster.events into presence, flapping, region counts and history. A pure function
/// of its records: it reads no clock, takes no chance, does no I/O (G4, G9); what it cannot read it counts and goes on.
/// Owned by a processor thread; at most DeviceStates::devices_max devices.
///
/// A device's session is its current epoch. The session is open until a will, a disconnect or a new process of its
/// gateway ends it. State follows:
///   online   the session is open and speaks; or it was taken over and the new session is not yet known
///   offline  the session ended, or was silent for its timeout on its gateway's observed time
///   unknown  the gateway was lost (session still open), restarted or shut down (closed); until the grace time is over
class PartitionFold final {
 public:
    explicit PartitionFold(FoldOptions options);

    /// Folds a record; what follows from it is appended to `out`. Offsets must ascend: one that was folded before is
    /// counted and ignored, which makes a replay from anywhere harmless.
    void apply(const EventRecord& record, FoldOutput& out);
    /// The same for a record whose header is still packed.
    void apply(std::string_view packed_header, std::string_view key, std::string_view value, Offset offset,
               FoldOutput& out);

    /// The state as bytes, with version and checksum; the same state gives the same bytes.
    [[nodiscard]] std::string snapshot() const;
    /// corrupt: not a snapshot of this version and partition, or damaged.
    [[nodiscard]] static Result<std::unique_ptr<PartitionFold>> restore(FoldOptions options, std::string_view bytes);

    /// The offset after the last record folded.
    [[nodiscard]] Offset next_offset() const { return next_offset_; }
    [[nodiscard]] Timestamp partition_time() const { return clocks_.partition_time(); }
    [[nodiscard]] std::size_t devices() const { return devices_.size(); }
    /// The id of the first device that the partition had; there must be one.
    [[nodiscard]] std::string_view first_device() const { return devices_.id(0); }
    /// The device's status as it stands, nullopt when the partition has never heard of it.
    [[nodiscard]] std::optional<StatusDocument> document(std::string_view id) const;

 private:
    using Slot = GatewayClocks::Slot;

    /// One record on its way through the fold.
    struct Turn {
        const EventRecord& record;
        FoldOutput& out;
        DeviceStates::Key key;
        DeviceNumber device = DeviceStates::none;  ///< of a session's record
        std::uint32_t gateway = 0;                 ///< interned name
        Slot slot = GatewayClocks::none;
        bool other_host = false;  ///< a connect from another address than the session before
    };
    /// A device of which a document is due at the end of the record, as it was before.
    struct Change {
        DeviceNumber device = 0;
        PresenceState state = PresenceState::never_seen;
        Overlays overlays = 0;
        DevicePlace place;
        std::int64_t detected_in_ms = 0;
        bool steady_offline = false;
    };

    // partition_fold.cpp: records in, ticks, documents out
    void fold(const EventRecord& record, const DeviceStates::Key& key, FoldOutput& out);
    void dispatch(Turn& turn);
    [[nodiscard]] bool find_gateway(Turn& turn);
    void on_session_record(Turn& turn);
    void on_telemetry(Turn& turn, const Result<TelemetryJson::Reading>& reading);
    void append_sample(Turn& turn, const TelemetrySample& sample, StatusTouch& touch);
    void on_attributes(Turn& turn);
    void on_tick(Turn& turn);
    void judge_silence(Turn& turn);
    void touch(Turn& turn);
    Change& mark_changed(DeviceNumber number);
    void finish_changes(Turn& turn);
    void finish_change(Turn& turn, const Change& change);
    [[nodiscard]] StatusDocument document_of(DeviceNumber number) const;
    [[nodiscard]] PresenceEvidence evidence_of(DeviceNumber number) const;
    void count_in(DeviceNumber number);

    // partition_fold_sessions.cpp: sessions begin, live, end and time out
    void on_connect(Turn& turn);
    void on_status(Turn& turn);
    void on_end(Turn& turn);
    [[nodiscard]] bool note_life(Turn& turn);
    void begin_session(Turn& turn, Cause cause);
    void note_take_over(Turn& turn);
    void change_state(DeviceNumber number, PresenceState state, Cause cause, Timestamp time);
    void set_online(Turn& turn, Cause cause);
    void lose_session(DeviceNumber number, Cause cause, Timestamp time, std::int64_t detected_in_ms);
    void go_offline(DeviceNumber number, Cause cause, Timestamp time, std::int64_t detected_in_ms);
    void read_connect_detail(Turn& turn);
    void announce_sleep(DeviceNumber number, std::uint32_t next_contact_s);
    void end_sleep(DeviceNumber number);
    void lose_older_sessions(Turn& turn);
    void lose_sessions(Turn& turn, Slot lost, std::int64_t silent_ms);
    void give_up_sessions(Turn& turn, Slot lost, std::int64_t silent_ms);
    void expire_sessions(Turn& turn);
    void expire_overlays();
    void expire_overlay(DeviceNumber number);
    [[nodiscard]] std::int64_t timeout_ms(const DeviceState& device) const;
    [[nodiscard]] std::int64_t session_deadline_ms(const DeviceState& device) const;
    void schedule_session(DeviceNumber number);
    void schedule_overlay(DeviceNumber number);

    // partition_fold_policy.cpp: what operators laid down for many devices at once
    void on_policy(Turn& turn);
    void settle_windows();
    void settle_maintenance(DeviceNumber number);
    void settle_timeout(DeviceNumber number, std::uint32_t own_timeout_s);
    [[nodiscard]] const MaintenanceWindow* window_of(DeviceNumber number) const;
    [[nodiscard]] std::string_view region_name_of(DeviceNumber number) const;
    [[nodiscard]] std::string_view model_name_of(DeviceNumber number) const;

    // partition_fold_attributes.cpp
    void set_attributes(Turn& turn, DeviceNumber number, const DeviceAttributes& given, bool by_operator);
    void settle_attributes(DeviceNumber number, FoldOutput& out);
    [[nodiscard]] InternedAttributes interned(const DeviceAttributes& attributes, FoldOutput& out);
    [[nodiscard]] std::uint32_t interned_name(std::string_view name, FoldOutput& out);
    [[nodiscard]] DeviceAttributes attributes_from(const InternedAttributes& interned) const;
    [[nodiscard]] DeviceAttributes attributes_of(DeviceNumber number) const;

    // partition_fold_snapshot.cpp
    void encode_device(ByteWriter& out, DeviceNumber number) const;
    [[nodiscard]] Result<void> decode(std::string_view bytes);
    [[nodiscard]] Result<void> decode_names(ByteReader& in);
    [[nodiscard]] Result<void> decode_policy(ByteReader& in);
    [[nodiscard]] Result<void> decode_device(ByteReader& in);
    [[nodiscard]] bool is_sound(const DeviceState& device) const;

    FoldOptions options_;
    Offset next_offset_ = 0;
    std::int64_t reported_at_ms_ = 0;  ///< elapsed time of the last region reports
    StringTable names_;
    DeviceStates devices_;
    std::unordered_map<DeviceNumber, InternedAttributes> operator_attributes_;
    FleetPolicy policy_;
    std::vector<std::size_t> open_windows_;  ///< of policy_.maintenance, at the present partition time
    Timestamp next_window_change_ = Timestamp::max();
    GatewayClocks clocks_;
    RegionTable regions_;
    DeadlineWheel overlay_wheel_{0};  ///< end of sleep, of flapping and of its steady minute, on elapsed time
    TelemetryJson telemetry_;
    // Kept for their memory; empty between records.
    std::vector<Change> changes_;
    std::vector<std::pair<DeviceNumber, DeadlineWheel::Bucket>> taken_;
    std::vector<DeviceNumber> due_;
};

}  // namespace muster
