#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "shadow/command_requests.h"
#include "shadow/shadow_requests.h"
#include "shadow/shadow_turn.h"

namespace muster {

/// The shadow role without its bus: records and the time in, the writes of one commit and the downlinks that follow it
/// out. Driven in turns: any number of on_request and on_status, settle when everything there was has been read,
/// finish; the caller commits the writes, then sends the downlinks, then calls end_turn. Owned by the role's thread.
///
/// kill -9: what is applied is stored together with the offset up to which it is, so a record that is handed out again
/// changes nothing; the downlinks of the last commit are sent again when its records are.
/// Time: what records say of themselves (EventHeader::received) for all that a record causes; the caller's clock only
/// in settle, for what happens when nothing happens.
class ShadowService final {
 public:
    ShadowService(const DocumentStore& store, MetricRegistry& registry, const ShadowLimits& limits = {});

    /// Loads what the store knows of a partition of muster.requests. Again after a failure.
    [[nodiscard]] Result<void> assign(Partition partition);
    void revoke(Partition partition);
    /// muster.status of this partition is about to be read from its beginning.
    void restart_status(Partition partition) { turn_.sessions.forget(partition); }

    void on_request(Partition partition, Offset offset, std::string_view packed_header, std::string_view key,
                    std::string_view payload);
    /// `value` empty: the device's record was removed.
    void on_status(Partition partition, std::string_view key, std::string_view value);
    void settle(Timestamp now);

    /// Closes the turn: nothing more is added until end_turn.
    void finish();
    [[nodiscard]] const std::vector<DocumentWrite>& writes() const { return turn_.documents.writes(); }
    [[nodiscard]] const std::vector<Downlink>& downlinks() const { return turn_.downlinks; }
    void end_turn();

    [[nodiscard]] ShadowMetrics& metrics() { return turn_.metrics; }

 private:
    struct Progress {
        Offset next = 0;
        bool moved = false;               ///< in this turn
        std::vector<Downlink> last_sent;  ///< of the last commit before the start; empty once they are sent again
    };

    void dispatch(const DeviceRequest& request);
    void on_publish(const DeviceRequest& request);
    void on_subscribed(const DeviceRequest& request);
    void on_api_request(const DeviceRequest& request);

    ShadowTurn turn_;
    ShadowRequests shadows_;
    CommandRequests commands_;
    std::map<Partition, Progress> progress_;
};

}  // namespace muster
