#include "alerts/value_story.h"

#include <cmath>

#include <fmt/format.h>

namespace muster {

std::string subject_of(const AlertRule& rule) {
    const std::string& name = rule.telemetry;
    switch (rule.metric) {
        case RuleMetric::anomaly:
            return fmt::format("{} far from what is usual for the device", name);
        case RuleMetric::cohort_anomaly:
            return fmt::format("{} far from that of others of the model", name);
        case RuleMetric::noise:
            return fmt::format("{} scatters over {:.3g} times as much as usual", name, rule.raise);
        case RuleMetric::days_to_empty:
            return fmt::format("{} empty in under {:.3g} days", name, rule.raise);
        case RuleMetric::stuck:
            return fmt::format("{} stuck at a value", name);
        case RuleMetric::telemetry:
        default:
            return fmt::format("{} {} {}", name, rule.below ? "under" : "over", rule.raise);
    }
}

std::string evidence_of(const AlertRule& rule, double value, double score) {
    const std::string& name = rule.telemetry;
    switch (rule.metric) {
        case RuleMetric::anomaly:
            return fmt::format("{} was {:.6g}, {:.1f} deviations from its usual", name, value, score);
        case RuleMetric::cohort_anomaly:
            return fmt::format("{} was {:.6g}, {:.1f} deviations from the others of the model", name, value, score);
        case RuleMetric::noise:
            return fmt::format("{} scattered {:.1f} times as much as usual", name, score);
        case RuleMetric::days_to_empty:
            return fmt::format("{} was {:.6g}, empty in {:.1f} days at its pace", name, value, score);
        case RuleMetric::stuck:
            return fmt::format("{} was exactly {:.6g} in {:.0f} samples in a row", name, value, score);
        case RuleMetric::telemetry:
        default:
            return fmt::format("{} was {:.6g}", name, value);
    }
}

}  // namespace muster
