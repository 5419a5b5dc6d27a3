#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/huge_array.h"
#include "base/time.h"
#include "contract/identity.h"
#include "contract/presence.h"
#include "processor/batch_arena.h"
#include "processor/flap_penalty.h"
#include "processor/gateway_clocks.h"

namespace muster {

using DeviceNumber = std::uint32_t;  ///< by order of appearance on the partition, from 0

/// A device's id beside its state, so that finding a device touches no more memory: up to 15 bytes in place, a longer
/// one in the table's arena.
class DeviceId final {
 public:
    static constexpr std::size_t inline_bytes = 15;

    DeviceId() = default;
    /// `arena` keeps a long id.
    DeviceId(std::string_view id, BatchArena& arena);
    [[nodiscard]] std::string_view view() const;

 private:
    std::array<char, inline_bytes> bytes_{};  ///< the id, or the address of a long one
    std::uint8_t size_ = 0;
};

/// What the fold touches at every record of a device; the first half is all that a sign of life needs. Times: `since`,
/// `last_seen` by the records' wall clocks; `evidence_ms` on the observed time of the session's gateway; the rest on
/// the partition's elapsed time.
struct alignas(64) DeviceState {
    DeviceId id;
    SessionEpoch epoch = 0;
    Timestamp last_seen{};
    std::int64_t evidence_ms = 0;             ///< of the session's life; while unknown and closed: when it became so
    DeadlineWheel::Bucket session_check = 0;  ///< the entry in its gateway's wheel that counts, 0 = none
    GatewayClocks::Slot clock = GatewayClocks::none;
    std::uint16_t keep_alive_s = 0;
    PresenceState state = PresenceState::never_seen;
    Cause cause = Cause::none;
    Overlays overlays = 0;
    bool open : 1 = false;       ///< the session of `epoch` has not ended as far as is known
    bool published : 1 = false;  ///< it has said something of its own
    bool farewell : 1 = false;   ///< it has published that it goes
    bool counted : 1 = false;    ///< it is in the region counts
    bool changing : 1 = false;   ///< a document of it is due at the end of this record
    std::uint32_t gateway = 0;   ///< interned name
    std::uint32_t sleep_s = 0;   ///< announced next_contact_s, 0 = none

    std::uint32_t heartbeat_timeout_s = 0;    ///< of its attributes or its model, 0 = the default
    DeadlineWheel::Bucket overlay_check = 0;  ///< the entry in the partition's wheel that counts, 0 = none
    Incarnation incarnation = 0;
    Timestamp since{};
    std::int64_t sleep_until_ms = 0;  ///< offline and sleeping: when its word is broken
    FlapPenalty penalty;
};
static_assert(sizeof(DeviceState) <= 128, "the design's budget for a device");

/// The attributes of one source with their names interned.
struct InternedAttributes {
    std::uint32_t region = 0;
    std::uint32_t model = 0;
    std::uint32_t firmware = 0;
    std::uint32_t carrier = 0;
    double latitude = 0;
    double longitude = 0;
    std::uint32_t heartbeat_timeout_s = 0;

    bool operator==(const InternedAttributes&) const = default;
};

/// Where a device counts.
struct DevicePlace {
    std::uint32_t region = 0;  ///< of the RegionTable
    double latitude = 0;
    double longitude = 0;
};

/// What the fold needs of a device only at a transition.
struct DeviceDetail {
    bool has_operator_attributes = false;
    bool steady_offline = false;  ///< its last stable minute was offline
    std::uint32_t protocol = 0;   ///< interned
    std::uint32_t disconnects = 0;
    std::uint32_t take_overs = 0;
    Timestamp first_seen{};
    Timestamp session_began{};
    Timestamp session_ended{};
    Timestamp will{};
    std::int64_t state_began_ms = 0;  ///< elapsed time
    FlapPenalty contest;              ///< take-overs, scored like disconnects
    InternedAttributes declared;
    DevicePlace place;
    std::string client_address;
};

/// The devices of a partition: found by id in one probe of an open-addressing index, kept by number in blocks that
/// never move. With a million devices a record finds neither in the caches: so both are on huge pages, and who will
/// look for a device says so early. Part of the fold; one thread; bounded by devices_max.
class DeviceStates final {
 public:
    static constexpr DeviceNumber none = UINT32_MAX;
    static constexpr std::size_t devices_max = 1U << 24U;

    /// What a device is looked for by; the view is of the caller.
    struct Key {
        std::string_view id;
        std::uint32_t hash = 0;
    };

    DeviceStates();

    /// The key of the id. Its place in the index is under way from memory when this returns, and its state after
    /// approach(): whoever has other work does it in between.
    [[nodiscard]] Key key_of(std::string_view id) const;
    void approach(const Key& key) const;
    void approach(DeviceNumber number) const { __builtin_prefetch(&state(number), 1); }

    /// `none` when it is not there.
    [[nodiscard]] DeviceNumber find(const Key& key) const;
    /// Adds it when it is new; `none` at devices_max. The id must be valid.
    [[nodiscard]] DeviceNumber find_or_add(const Key& key);
    [[nodiscard]] DeviceState& state(DeviceNumber number) { return states_[number / block][number % block]; }
    [[nodiscard]] const DeviceState& state(DeviceNumber number) const {
        return states_[number / block][number % block];
    }
    [[nodiscard]] DeviceDetail& detail(DeviceNumber number) {
        return details_[number / detail_block][number % detail_block];
    }
    [[nodiscard]] const DeviceDetail& detail(DeviceNumber number) const {
        return details_[number / detail_block][number % detail_block];
    }
    /// Valid as long as the table.
    [[nodiscard]] std::string_view id(DeviceNumber number) const { return state(number).id.view(); }
    [[nodiscard]] DeviceNumber size() const { return size_; }

 private:
    static constexpr std::size_t block = PageMemory::huge_page_bytes / sizeof(DeviceState);
    /// So many devices are worth a huge page; a partition of fewer takes what they need.
    static constexpr std::size_t worth_huge_page = block / 8;
    static constexpr std::size_t detail_block = 256;
    /// All zero: free.
    struct Entry {
        std::uint32_t hash = 0;
        DeviceNumber after = 0;  ///< the number and one
    };

    [[nodiscard]] std::size_t probe(const Key& key) const;
    void add(DeviceNumber number, std::string_view id);
    void grow();

    std::vector<HugeArray<DeviceState>> states_;
    std::vector<std::unique_ptr<DeviceDetail[]>> details_;
    HugeArray<Entry> index_;  ///< a power of two, at most 3/4 full
    DeviceNumber size_ = 0;
    BatchArena ids_;
};

}  // namespace muster
