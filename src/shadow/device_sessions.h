#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bus/bus.h"
#include "contract/identity.h"
#include "contract/status_document.h"

namespace muster {

/// Where a device is now.
struct DeviceSession {
    SessionEpoch epoch = 0;
    const std::string* gateway = nullptr;  ///< lives as long as the DeviceSessions
    bool takes_commands = false;           ///< it has subscribed to its command requests in this session
    bool silent = false;                   ///< counts as away, but its connection may still be there
};

/// The sessions of the devices that are online, as muster.status and the devices' subscriptions tell; nothing is kept
/// of those that have gone. Owned by the shadow role's thread. At most `sessions_max`; a device over that counts as
/// away until it subscribes or reconnects.
class DeviceSessions final {
 public:
    explicit DeviceSessions(std::size_t sessions_max) : sessions_max_(sessions_max) {}

    /// A transition. True when the device is there and was not before, or is in another session.
    bool apply(Partition partition, const StatusDocument& document);
    /// A device spoke in this session: it is there even if its status has not come through yet. False for an older
    /// session than the one known.
    bool learn(Partition partition, std::string_view device, SessionEpoch epoch, std::string_view gateway,
               bool takes_commands);
    /// The status record of the device was removed.
    void forget(Partition partition, std::string_view device);
    void forget(Partition partition);

    /// Nullptr when the device is away.
    [[nodiscard]] const DeviceSession* find(Partition partition, std::string_view device) const;
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t refused() const { return refused_; }

 private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    using Table = std::unordered_map<std::string, DeviceSession, Hash, std::equal_to<>>;

    bool place(Table& table, std::string_view device, DeviceSession session);
    [[nodiscard]] const std::string* interned(std::string_view gateway);
    Table& table_of(Partition partition);

    const std::size_t sessions_max_;
    std::size_t size_ = 0;
    std::size_t refused_ = 0;
    std::vector<Table> tables_;                    ///< by partition
    std::set<std::string, std::less<>> gateways_;  ///< as many as there are gateways
};

}  // namespace muster
