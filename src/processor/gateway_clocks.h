#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "contract/identity.h"
#include "processor/deadline_wheel.h"

namespace muster {

/// Bounds of GatewayClocks.
inline constexpr std::size_t gateways_max = 256;  ///< of a partition at one time; those that have gone are forgotten
/// The longest step from tick to tick that counts as observed: what is longer was not seen (a suspended gateway, a
/// blocked bus), and time that nobody saw ends no deadline (G4).
inline constexpr std::int64_t observed_step_ms_max = 2000;

/// One gateway as the fold sees it: a clock that advances by the steps between its ticks.
struct GatewayClock {
    std::uint32_t name = 0;  ///< interned
    Incarnation incarnation = 0;
    std::uint64_t sequence = 0;     ///< of the last tick
    std::int64_t observed_ms = 0;   ///< sum of the steps
    std::int64_t base_ms = 0;       ///< base + observed: this gateway's opinion of the partition's elapsed time
    std::int64_t ticked_at_ms = 0;  ///< received time of the last tick, by the gateway's wall clock
    bool ticked = false;            ///< in this incarnation
    bool lost = false;
    bool given_up = false;               ///< lost, and the grace time is over
    std::vector<std::int64_t> heard_at;  ///< by slot: the others' observed time when this one was last heard
    DeadlineWheel sessions{0};           ///< deadlines of its sessions, on observed_ms

    /// Observed time of a record between two ticks.
    [[nodiscard]] std::int64_t observed_at(Timestamp received, Incarnation of) const;
};

/// The clocks of a partition's gateways. Each has its own, so that skew between their wall clocks decides nothing; a
/// gateway is lost when another one's observed time has gone on by `lost_after` without it. Part of the fold: pure.
class GatewayClocks final {
 public:
    using Slot = std::uint16_t;
    static constexpr Slot none = UINT16_MAX;

    struct Options {
        Millis lost_after{5000};
        Millis grace{60'000};    ///< after the loss, until its sessions count as offline
        Millis forget{600'000};  ///< after the loss, until the clock itself is dropped
    };
    enum class Tick : std::uint8_t { repeated, stale, accepted, restarted };
    enum class Silence : std::uint8_t { none, lost, given_up };

    explicit GatewayClocks(Options options) : options_(options) {}

    /// The clock of the gateway with this interned name, made at its first record; `none` over gateways_max.
    [[nodiscard]] Slot find_or_add(std::uint32_t name, Incarnation incarnation);
    [[nodiscard]] GatewayClock& at(Slot slot) { return *clocks_[slot]; }

    /// Advances the gateway's clock and the partition's.
    Tick on_tick(Slot slot, Incarnation incarnation, std::uint64_t sequence, Timestamp received);
    /// A sign of life of a gateway that was lost.
    void on_heard(Slot slot);
    /// After a tick of `slot`: what its time says of the other gateway `other`; marks it so. `silent_ms`: for how long.
    Silence judge(Slot other, Slot slot, std::int64_t& silent_ms);
    /// Slots in use are below this.
    [[nodiscard]] Slot slots() const { return static_cast<Slot>(clocks_.size()); }
    [[nodiscard]] bool is_used(Slot slot) const { return slot < clocks_.size() && clocks_[slot] != nullptr; }

    /// Time elapsed on the partition: the furthest of its gateways' observed times. Only grows; goes on at the pace of
    /// time while at least one gateway ticks; time that none saw is not in it.
    [[nodiscard]] std::int64_t elapsed_ms() const { return elapsed_ms_; }
    /// For what is shown: the wall clock of the furthest gateway, moved on by elapsed time; never goes back.
    [[nodiscard]] Timestamp partition_time() const { return partition_time_; }

    void encode(ByteWriter& out) const;
    [[nodiscard]] Result<void> decode(ByteReader& in);

 private:
    void hear(Slot slot);
    void advance_elapsed(GatewayClock& clock, Timestamp received);
    void forget(Slot slot);
    [[nodiscard]] Result<void> decode_clock(ByteReader& in, Slot slot);

    Options options_;
    std::vector<std::unique_ptr<GatewayClock>> clocks_;  ///< by slot; null: free
    std::unordered_map<std::uint32_t, Slot> slot_of_name_;
    std::int64_t elapsed_ms_ = 0;
    Timestamp partition_time_{};
};

}  // namespace muster
