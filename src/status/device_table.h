#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "status/region_tree.h"
#include "status/status_store.h"
#include "status/text_pool.h"

namespace muster {

/// Every device's status in memory, about 420 B each: found by id, listed in id order, counted by region. Devices are
/// only ever added. Owned by the embedded status store, which also does the locking.
class DeviceTable final {
 public:
    using Index = std::uint32_t;

    DeviceTable();
    DeviceTable(const DeviceTable&) = delete;
    DeviceTable& operator=(const DeviceTable&) = delete;

    enum class Applied : std::uint8_t { yes, redelivered, refused };
    /// refused: a new device that would be one more than `devices_max`, or whose id is not valid.
    [[nodiscard]] Applied apply(const StatusDocument& document, std::size_t devices_max);
    /// False for a device that no document has told of.
    [[nodiscard]] bool touch(const StatusTouch& touch);
    /// Puts a device back as it was when it was stored.
    void restore(const DeviceStatus& device);

    [[nodiscard]] std::optional<DeviceStatus> get(std::string_view id) const;
    [[nodiscard]] DeviceStatus status(Index index) const;
    [[nodiscard]] std::size_t size() const { return devices_.size(); }
    [[nodiscard]] const RegionTree& regions() const { return regions_; }

    /// New devices wait here until somebody lists: then they are merged into the order. Both need a writer's lock.
    [[nodiscard]] bool is_ordered() const { return unordered_.empty(); }
    void order();
    /// Appends to `page` the matching devices after `after`, up to `limit` in all, looking at no more than
    /// `looked_at_max`. Needs is_ordered(); else what is not ordered yet is missed. True when it came to the end of the
    /// table or of the prefix.
    [[nodiscard]] bool list(const DeviceFilter& filter, std::string& after, std::size_t limit,
                            std::size_t looked_at_max, std::vector<DeviceStatus>& page) const;

    /// The devices that changed since the last call.
    [[nodiscard]] std::vector<Index> take_changed();
    /// They are to be in the next take_changed() again.
    void put_back_changed(const std::vector<Index>& devices);

 private:
    struct Metric {
        TextPool::Number name = 0;
        double value = 0;
    };
    /// A DeviceStatus with its shared texts pooled and its own two, id and client address, in one.
    struct Device {
        std::string id_and_address;
        std::vector<Metric> metrics;
        Timestamp since{};
        Timestamp document_last_seen{};
        Timestamp last_seen{};
        Timestamp telemetry_time{};
        Timestamp first_seen{};
        Timestamp last_ping{};
        Timestamp last_published{};
        Timestamp session_began{};
        Timestamp session_ended{};
        Timestamp will{};
        SessionEpoch epoch = 0;
        Incarnation incarnation = 0;
        std::int64_t detected_in_ms = 0;
        std::int64_t offset = 0;
        double flap_penalty = 0;
        double latitude = 0;
        double longitude = 0;
        std::uint32_t disconnects = 0;
        std::uint32_t heartbeat_timeout_s = 0;
        std::uint32_t timeout_s = 0;
        std::uint32_t sleep_s = 0;
        std::uint32_t take_overs = 0;
        float contest = 0;
        RegionTree::Number region = RegionTree::fleet;
        TextPool::Number gateway = 0;
        TextPool::Number protocol = 0;
        TextPool::Number model = 0;
        TextPool::Number firmware = 0;
        TextPool::Number carrier = 0;
        TextPool::Number maintenance = 0;
        std::uint16_t keep_alive_s = 0;
        std::uint8_t id_bytes = 0;
        PresenceState state = PresenceState::never_seen;
        PresenceState previous = PresenceState::never_seen;
        Cause cause = Cause::none;
        Overlays overlays = 0;
        TimeoutRule timeout_rule = TimeoutRule::fleet;
        bool farewell : 1 = false;
        bool steady_offline : 1 = false;
        bool changed : 1 = false;

        [[nodiscard]] std::string_view id() const { return std::string_view(id_and_address).substr(0, id_bytes); }
        [[nodiscard]] std::string_view address() const { return std::string_view(id_and_address).substr(id_bytes); }
    };
    struct HashOfId {
        using is_transparent = void;
        const DeviceTable* table;
        std::size_t operator()(std::string_view id) const { return std::hash<std::string_view>()(id); }
        std::size_t operator()(Index index) const { return (*this)(table->devices_[index].id()); }
    };
    struct SameId {
        using is_transparent = void;
        const DeviceTable* table;
        bool operator()(Index left, Index right) const { return left == right; }
        bool operator()(std::string_view id, Index index) const { return table->devices_[index].id() == id; }
        bool operator()(Index index, std::string_view id) const { return table->devices_[index].id() == id; }
    };
    /// A DeviceFilter with its texts looked up once.
    struct Matcher {
        const DeviceFilter& filter;
        RegionTree::Number region;
        TextPool::Number model;
    };

    [[nodiscard]] Device* find(std::string_view id);
    Device& add(std::string_view id);
    void fill(Device& device, const StatusDocument& document);
    void fill_evidence(Device& device, const PresenceEvidence& evidence);
    [[nodiscard]] PresenceEvidence evidence_of(const Device& device) const;
    [[nodiscard]] RegionCounts contribution(const Device& device) const;
    void merge_metrics(Device& device, const StatusTouch& touch);
    void note_changed(Device& device, Index index);
    [[nodiscard]] Index index_of(std::string_view id) const;
    [[nodiscard]] bool matches(const Device& device, const Matcher& matcher) const;

    std::deque<Device> devices_;
    std::unordered_set<Index, HashOfId, SameId> by_id_;
    std::vector<Index> ordered_;    ///< ascending by id
    std::vector<Index> unordered_;  ///< came since
    std::vector<Index> changed_;
    TextPool texts_;
    RegionTree regions_;
};

}  // namespace muster
