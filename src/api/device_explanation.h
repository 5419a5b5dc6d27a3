#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/pipeline_health.h"
#include "base/time.h"
#include "contract/fleet_policy.h"
#include "contract/incident.h"
#include "history/history_store.h"
#include "status/status_store.h"

namespace muster {

/// What an explanation is made of; all that Muster knows of one device at one time.
struct ExplanationSources {
    DeviceStatus device;
    std::vector<Transition> transitions;  ///< the newest, newest first
    std::vector<Incident> incidents;      ///< open ones whose region the device is in
    FleetPolicy policy;
    PipelineHealth pipeline;
    std::int32_t partition = 0;
    Timestamp now{};
};

/// Why the device has the state that it has: the body of GET /devices/{id}/explain. A verdict in one sentence, then the
/// evidence in the order in which Muster weighs it, each a sentence for a human and fields for a program.
[[nodiscard]] std::string explanation_json(const ExplanationSources& sources);

/// "2 min 5 s", for sentences.
[[nodiscard]] std::string span_text(Millis span);

}  // namespace muster
