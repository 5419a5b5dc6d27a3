#pragma once

#include <functional>
#include <vector>

#include "api/incident_feed.h"
#include "api/pipeline_health.h"
#include "api/policy_book.h"
#include "api/router.h"
#include "contract/detection_accuracy.h"
#include "history/history_store.h"
#include "status/status_store.h"

namespace muster {

/// What explanations and the accuracy report read; all of it outlives them.
struct ExplainSources {
    const StatusStore& status;
    const HistoryStore& history;
    const IncidentTable& incidents;
    const PolicyBook& policy;
    std::function<PipelineHealth()> pipeline;
    std::function<DetectionAccuracy()> accuracy;
    const Clock& clock;
    std::int32_t partitions = 1;
};

/// Why a device is what it is, and how far such verdicts can be trusted. Any thread.
class ExplainQueries final {
 public:
    explicit ExplainQueries(ExplainSources sources) : sources_(std::move(sources)) {}

    void add_routes(std::vector<Route>& routes) const;

 private:
    [[nodiscard]] HttpResponse get_explanation(const ApiRequest& request) const;
    [[nodiscard]] HttpResponse get_accuracy(const ApiRequest& request) const;

    ExplainSources sources_;
};

}  // namespace muster
