#pragma once

#include <atomic>
#include <vector>

#include "api/history_export.h"
#include "api/router.h"
#include "api/slow_lane.h"
#include "base/time.h"
#include "history/history_store.h"
#include "status/status_store.h"

namespace muster {

/// Questions to the history of many devices: a region's average, the devices that changed most, export and check. Any
/// thread; what it is given outlives it.
class HistoryQueries final {
 public:
    /// More are refused: their history would be read for minutes.
    static constexpr std::size_t region_devices_max = 100'000;
    static constexpr std::size_t exports_max = 8;  ///< at once

    HistoryQueries(const HistoryStore& history, const StatusStore& status, SlowLane& lane, const Clock& clock)
        : history_(history), status_(status), lane_(lane), clock_(clock) {}

    void add_routes(std::vector<Route>& routes);

 private:
    [[nodiscard]] HttpResponse get_fleet_history(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_fleet_top(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_export(const ApiRequest& request);
    [[nodiscard]] HttpResponse get_check(const ApiRequest& request);
    /// The ids of a region's devices, ascending. too_large: more than region_devices_max.
    [[nodiscard]] Result<std::vector<std::string>> devices_of(const std::string& region) const;

    const HistoryStore& history_;
    const StatusStore& status_;
    SlowLane& lane_;
    const Clock& clock_;
    std::atomic<std::size_t> exports_{0};
    std::atomic<bool> checking_{false};
};

}  // namespace muster
