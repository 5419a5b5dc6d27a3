#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/function_ref.h"
#include "contract/region_counts.h"
#include "contract/status_document.h"

namespace muster {

/// What befell a device, as far as its status tells. Each kind of trouble has causes of its own.
enum class Trouble : std::uint8_t {
    none,
    lost,          ///< offline, for any reason not below
    gateway_lost,  ///< its gateway went away: unknown, or offline after the grace time
    refused,       ///< offline because its credentials were not accepted
    planned,       ///< in a maintenance window
};
inline constexpr std::size_t trouble_count = 5;

/// By what devices can have something in common.
enum class Attribute : std::uint8_t { region, gateway, carrier, model, firmware };
inline constexpr std::size_t attribute_count = 5;
[[nodiscard]] std::string_view name_of(Attribute attribute);
[[nodiscard]] std::optional<Attribute> attribute_from(std::string_view name);

/// Devices, and how many of them are in trouble that no incident explains yet.
struct Tally {
    std::int64_t population = 0;
    std::int64_t troubled = 0;
    bool operator==(const Tally&) const = default;
};

/// What is true of an attribute; a region stands for all below it.
struct Condition {
    Attribute attribute = Attribute::region;
    std::uint32_t value = 0;
    bool operator==(const Condition&) const = default;
};
/// All of them hold; none means every device.
using Scope = std::vector<Condition>;

/// Who is in trouble, counted by what devices have in common: each value of each attribute, and each combination that
/// occurs (a cell). Exact and incremental: O(depth of the region) a status document. Trouble is "fresh" for `window`
/// after it began and until an incident claims it; only fresh trouble asks for an explanation.
///
/// An open incident holds a claim: its scope and kind of trouble. A device that gets into such trouble within the
/// scope belongs to the claim until it recovers.
///
/// Pure: times are passed in. One thread. Bounded by devices_max, values_max, cells_max; over them the device is
/// refused and the caller counts.
class Cohorts final {
 public:
    static constexpr std::size_t devices_max = 1U << 22U;
    static constexpr std::size_t values_max = 1U << 17U;  ///< of one attribute
    static constexpr std::size_t cells_max = 1U << 17U;
    static constexpr std::int64_t window_ms = 120'000;  ///< the slowest verdict: keep-alive or heartbeat of a minute
    static constexpr std::int64_t closed_claim_ms = 3'600'000;
    static constexpr std::size_t closed_claims_max = 1024;  ///< over it the oldest is dropped
    using ClaimId = std::uint32_t;
    static constexpr ClaimId no_claim = 0;

    /// One combination of values that occurs.
    struct Cell {
        std::array<std::uint32_t, attribute_count> values{};
        std::int64_t population = 0;
        std::int64_t countable = 0;  ///< as in RegionCounts
        std::int64_t offline = 0;    ///< of the countable
        std::int64_t flapping = 0;
        std::array<std::int64_t, trouble_count> fresh{};
    };
    /// A value of an attribute and what is below it.
    struct Value {
        std::string text;
        std::uint32_t parent = 0;  ///< regions: the one above; the root is its own
        std::int64_t population = 0;
        std::array<std::int64_t, trouble_count> fresh{};
        std::int64_t explained_offline = 0;  ///< regions: devices that count as offline and that a claim explains
    };
    struct Claim {
        Trouble trouble = Trouble::lost;
        Scope scope;
        bool explains = true;  ///< takes its members out of the offline shares of regions
        std::int64_t members = 0;
        std::unordered_map<std::uint32_t, std::int64_t> by_cell;
    };

    Cohorts();

    /// Takes in a status document. False: over a bound, not used. One that is older than what is known changes nothing.
    bool on_status(const StatusDocument& document, std::int64_t now_ms);
    /// The device is no more.
    void forget(std::string_view device);
    /// Trouble older than the window is no longer fresh.
    void expire(std::int64_t now_ms);
    /// While true, trouble is taken in as old: what the bus kept from before.
    void set_reading_back(bool reading) { reading_back_ = reading; }
    /// After reading back: what began at `since` or later is fresh.
    void refresh_since(Timestamp since, std::int64_t now_ms);

    /// The devices in such trouble within the scope that no claim has yet; `since`: only those whose trouble began then
    /// or later (of an adopted incident), else the fresh ones.
    ClaimId claim(Trouble trouble, Scope scope, bool explains, std::optional<Timestamp> since = std::nullopt);
    /// Members go with it; they are not fresh again.
    void drop(ClaimId id);
    /// The incident is over: the claim takes nobody in any more, but explains those that have not come back for another
    /// closed_claim_ms, so that the last ones are nobody's news.
    void close(ClaimId id, std::int64_t now_ms);
    [[nodiscard]] const Claim& claim_at(ClaimId id) const { return claims_.at(id); }
    /// Devices of the scope, in trouble or not.
    [[nodiscard]] std::int64_t population(const Scope& scope) const;

    [[nodiscard]] const std::vector<Value>& values(Attribute attribute) const {
        return values_[static_cast<std::size_t>(attribute)];
    }
    [[nodiscard]] const std::vector<Cell>& cells() const { return cells_; }
    [[nodiscard]] Tally whole(Trouble trouble) const;
    /// Interned; nullopt when no device ever had it.
    [[nodiscard]] std::optional<std::uint32_t> find(Attribute attribute, std::string_view text) const;
    [[nodiscard]] bool is_within(const Cell& cell, const Scope& scope) const;
    [[nodiscard]] std::int64_t explained_offline(std::string_view region) const;
    [[nodiscard]] std::optional<std::uint32_t> cell_of_device(std::string_view id) const;
    [[nodiscard]] std::size_t devices() const { return devices_.size(); }

 private:
    using DeviceKey = std::uint64_t;  ///< hash of its id: 64 bits tell 4 million apart

    struct Device {
        std::int64_t offset = 0;
        std::int64_t since_ms = 0;  ///< of the trouble, as shown
        std::int64_t fresh_ms = 0;  ///< when it became fresh, on the caller's clock
        std::uint32_t cell = 0;
        ClaimId claim = no_claim;
        Trouble trouble = Trouble::none;
        bool counted = false;  ///< in the population
        bool countable = false;
        bool flapping = false;
        bool offline = false;  ///< counts as offline in its regions
        bool fresh = false;
    };
    struct CellHash {
        std::size_t operator()(const std::array<std::uint32_t, attribute_count>& values) const;
    };

    [[nodiscard]] std::optional<std::uint32_t> intern(Attribute attribute, std::string_view text);
    [[nodiscard]] std::optional<std::uint32_t> cell_of(const StatusDocument& document);
    void for_each_value(const Cell& cell, FunctionRef<void(Value&)> change);
    void count(Device& device, bool in);
    void set_fresh(DeviceKey key, Device& device, std::int64_t now_ms);
    void clear_fresh(Device& device);
    void join(Device& device, ClaimId id);
    void leave(Device& device);
    void get_into(DeviceKey key, Device& device, const StatusDocument& document, std::int64_t now_ms);

    std::unordered_map<DeviceKey, Device> devices_;
    std::array<std::vector<Value>, attribute_count> values_;
    std::array<std::unordered_map<std::string, std::uint32_t>, attribute_count> value_of_;
    std::vector<Cell> cells_;
    std::unordered_map<std::array<std::uint32_t, attribute_count>, std::uint32_t, CellHash> cell_of_;
    std::unordered_map<ClaimId, Claim> claims_;
    std::vector<ClaimId> claim_order_;                              ///< oldest first: it has the first word
    std::deque<std::pair<std::int64_t, ClaimId>> closed_claims_;    ///< by time
    std::deque<std::pair<std::int64_t, DeviceKey>> fresh_devices_;  ///< by time; entries that are no longer true stay
    ClaimId next_claim_ = 1;
    bool reading_back_ = false;
};

}  // namespace muster
