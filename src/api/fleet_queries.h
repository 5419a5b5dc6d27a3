#pragma once

#include <functional>
#include <string>

#include "api/fleet_rates.h"
#include "api/incident_feed.h"
#include "api/json_writer.h"
#include "api/pipeline_health.h"
#include "api/recent_series.h"
#include "api/router.h"
#include "base/time.h"
#include "status/status_store.h"

namespace muster {

/// What the fleet's queries read; all of it outlives them.
struct FleetSources {
    const StatusStore& status;
    const IncidentTable& incidents;
    FleetRates& rates;
    std::function<PipelineHealth()> pipeline;
    const Clock& clock;
    std::string version;
    /// Given the regions' counts once a minute, while the pipeline is not stale.
    std::function<void(Timestamp now, const std::vector<std::pair<std::string, RegionCounts>>&)> keep_regions = {};
};

/// The fleet, its regions and its incidents as JSON: for REST and, the same bytes, for the live stream. Any thread.
class FleetQueries final {
 public:
    /// Older than this the newest partition time means that the pipeline has stalled.
    static constexpr Millis stale_after{5000};

    explicit FleetQueries(FleetSources sources);

    [[nodiscard]] Result<std::string> fleet();
    /// The "regions" array alone: what changes when a region does.
    [[nodiscard]] Result<std::string> regions_array() const;
    /// The body of GET /regions around that array.
    [[nodiscard]] std::string regions_body(std::string_view array) const;

    /// Takes the samples of the series that are due at `now`. One thread.
    void sample(Timestamp now);

    void add_routes(std::vector<Route>& routes);

 private:
    [[nodiscard]] PipelineHealth pipeline() const;
    [[nodiscard]] HttpResponse get_fleet(const ApiRequest& request);
    [[nodiscard]] HttpResponse get_regions(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_fleet_series(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_regions_series(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_alerts(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_alert(const ApiRequest& request) const;

    FleetSources sources_;
    const Timestamp started_;
    RecentSeries series_;
    Timestamp fleet_due_{};
    Timestamp regions_due_{};
};

/// Counts as every answer shows them.
void write_counts(JsonWriter& writer, const RegionCounts& counts);

}  // namespace muster
