#pragma once

#include <string>
#include <vector>

#include "alerts/cohorts.h"
#include "contract/incident.h"

namespace muster {

/// What explains the fresh trouble of one kind best.
struct Attribution {
    CauseKind cause = CauseKind::unexplained;
    Scope scope;            ///< one or two conditions; empty: nothing stands out
    double confidence = 0;  ///< 0..1
    Tally inside;           ///< of the scope
    Tally whole;            ///< of the fleet
};

/// The scope whose devices differ most from all others: of every value of every attribute (regions at each level), and
/// of each region with each other attribute, the one that splits the fleet into two groups, each with a share of
/// troubled devices of its own, so that what is seen is most likely (log-likelihood ratio of two binomials against
/// one). A wider scope than the true one is diluted by devices that are well, a narrower one leaves troubled ones
/// outside: both lose. A second condition must pay for itself.
///
/// Confidence: the share of the troubled devices that the scope covers, less up to half when another attribute explains
/// nearly as much (devices of one region that all hang on one gateway: either may be the cause).
///
/// Costs one pass over the values and, for pairs, one over the cells. Pure.
[[nodiscard]] Attribution attribute_trouble(const Cohorts& cohorts, Trouble trouble);

/// The values that at least a tenth of the claim's members share, with their share in the whole fleet; those that stand
/// out most first, at most eight. An attribute that is the same everywhere says nothing and is left out.
[[nodiscard]] std::vector<Incident::SharedAttribute> shared_by(const Cohorts& cohorts, const Cohorts::Claim& claim);

/// "carrier airtel in in/karnataka"; "the fleet" for an empty scope.
[[nodiscard]] std::string describe(const Cohorts& cohorts, const Scope& scope);
[[nodiscard]] std::vector<Incident::Condition> conditions_of(const Cohorts& cohorts, const Scope& scope);
/// nullopt: a condition names an attribute that is not known, or a value that no device has.
[[nodiscard]] std::optional<Scope> scope_of(const Cohorts& cohorts, const std::vector<Incident::Condition>& conditions);

}  // namespace muster
