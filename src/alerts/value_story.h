#pragma once

#include <string>

#include "contract/alert_rule.h"

namespace muster {

// What an incident of a rule on values says in words.

/// "temperature far from its usual": the beginning of a title.
[[nodiscard]] std::string subject_of(const AlertRule& rule);
/// What made a device a member: "temperature was 41.2, 9.3 deviations from its usual".
[[nodiscard]] std::string evidence_of(const AlertRule& rule, double value, double score);

}  // namespace muster
