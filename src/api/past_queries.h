#pragma once

#include <vector>

#include "api/router.h"
#include "api/slow_lane.h"
#include "history/history_store.h"

namespace muster {

/// The fleet as it was: `at` on GET /fleet and GET /devices, read from the presence history in the slow lane. Any
/// thread; what it is given outlives it.
class PastQueries final {
 public:
    PastQueries(const HistoryStore& history, SlowLane& lane) : history_(history), lane_(lane) {}

    /// Puts itself before the routes that answer for now: they go on with what has no `at`.
    void extend_routes(std::vector<Route>& routes) const;

 private:
    [[nodiscard]] HttpResponse get_fleet(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_devices(const ApiRequest& request) const;

    const HistoryStore& history_;
    SlowLane& lane_;
};

}  // namespace muster
