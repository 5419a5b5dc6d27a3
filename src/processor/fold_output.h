#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "contract/event.h"
#include "contract/region_counts.h"
#include "contract/status_document.h"
#include "history/history_store.h"
#include "processor/batch_arena.h"
#include "status/status_store.h"

namespace muster {

/// Why a record, or a part of one, was not used. None of these stops the fold: the next record is another device's.
enum class Refusal : std::uint8_t {
    bad_header,
    bad_key,        ///< not a device id
    bad_kind,       ///< a kind that does not belong on muster.events
    bad_epoch,      ///< a session's record without an epoch
    bad_telemetry,  ///< not a JSON object of numbers or an array of such
    bad_status,     ///< neither a word nor a JSON object that can be read
    bad_attributes,
    bad_detail,          ///< of a connect; the session begins all the same
    metric_ignored,      ///< a member that is not a number, or has too long a name
    metrics_over_limit,  ///< more members than a sample may have
    time_clamped,        ///< a sample's own time was absurd: the time of receipt was taken
    repeated,            ///< an offset that was folded before
    stale_epoch,         ///< of a session older than the current one
    stale_incarnation,   ///< of a gateway process that has been replaced
    too_many_devices,
    too_many_gateways,
    too_many_regions,
    too_many_names,  ///< the table of interned names is full: the name is left out
    bad_policy,
};
inline constexpr std::size_t refusals = 19;

/// The reason's label in metrics.
[[nodiscard]] std::string_view name_of(Refusal refusal);

/// What a batch consisted of, for the metrics.
struct FoldCounts {
    std::array<std::uint64_t, fleet_event_kinds> records{};  ///< by EventKind
    std::array<std::uint64_t, refusals> refused{};           ///< by Refusal
};

/// A presence transition for the history. The view is of the fold's table: valid as long as the fold.
struct DeviceTransition {
    std::string_view device;
    Transition transition;
};

/// An AWS IoT lifecycle event, to be published to `topic`.
struct LifecycleEvent {
    std::string topic;
    std::string json;
    Timestamp time{};
};

/// What folding a batch of records gave, in the order of the records. Reused from batch to batch: telemetry allocates
/// nothing once the buffers have their size. Views point into `arena` or the fold's own tables.
/// Owned by the one who feeds the fold; one thread; bounded by the batch.
struct FoldOutput {
    std::vector<StatusDocument> documents;
    std::vector<StatusTouch> touches;
    std::vector<Sample> samples;
    std::vector<DeviceTransition> transitions;
    std::vector<DeviceTransition> moves;  ///< into another region, with no transition at the same time
    std::vector<LifecycleEvent> lifecycle;
    std::vector<RegionReport> regions;
    FoldCounts counts;
    BatchArena arena;

    void refuse(Refusal why) { ++counts.refused[static_cast<std::size_t>(why)]; }
    [[nodiscard]] std::uint64_t refused(Refusal why) const { return counts.refused[static_cast<std::size_t>(why)]; }
    void clear();
};

}  // namespace muster
