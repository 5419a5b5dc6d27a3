#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "alerts/region_rules.h"
#include "contract/alert_rule.h"
#include "contract/incident.h"
#include "contract/region_counts.h"
#include "contract/status_document.h"

namespace muster {

/// What rules would have raised on recorded presence: the alerts role's own judgement, on the times of the record.
/// Pure; one thread; bounded by changes_max.
class RuleReplay final {
 public:
    static constexpr std::size_t changes_max = 8'000'000;

    /// invalid_argument: a rule that the record cannot judge (telemetry, or a model, firmware or carrier).
    [[nodiscard]] static Result<RuleReplay> of(const std::vector<AlertRule>& rules);

    /// How a device was at the beginning, or from `document.since` on; in any order. too_large: over changes_max.
    [[nodiscard]] Result<void> add(StatusDocument document);

    /// Every incident from `from` to `to`, as it was in the end, by the time of opening. Once.
    [[nodiscard]] std::vector<Incident> run(Timestamp from, Timestamp to);

 private:
    RuleReplay() : rules_(std::make_unique<RegionRules>()) {}
    void apply(const StatusDocument& document);
    void report(Timestamp time, std::vector<Incident>& changed);

    std::unique_ptr<RegionRules> rules_;
    std::vector<StatusDocument> changes_;
    std::unordered_map<std::string, StatusDocument> devices_;
    std::map<std::string, RegionCounts, std::less<>> counts_;
    std::set<std::string, std::less<>> due_;  ///< regions to report
    std::int64_t offset_ = 0;
};

}  // namespace muster
