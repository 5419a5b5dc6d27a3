#include "processor/fold_output.h"

namespace muster {

std::string_view name_of(Refusal refusal) {
    static constexpr std::array<std::string_view, refusals> names{
        "bad_header",        "bad_key",          "bad_kind",       "bad_epoch",         "bad_telemetry",
        "bad_status",        "bad_attributes",   "bad_detail",     "metric_ignored",    "metrics_over_limit",
        "time_clamped",      "repeated",         "stale_epoch",    "stale_incarnation", "too_many_devices",
        "too_many_gateways", "too_many_regions", "too_many_names", "bad_policy"};
    return names.at(static_cast<std::size_t>(refusal));
}

void FoldOutput::clear() {
    documents.clear();
    touches.clear();
    samples.clear();
    transitions.clear();
    moves.clear();
    lifecycle.clear();
    regions.clear();
    counts = {};
    arena.clear();
}

}  // namespace muster
