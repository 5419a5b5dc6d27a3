#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/cause_rule.h"
#include "alerts/cohorts.h"
#include "alerts/region_rule.h"
#include "alerts/region_sums.h"
#include "alerts/report_clock.h"
#include "alerts/telemetry_rules.h"

namespace muster {

/// The state of an alert role's judgement: the counts of the regions, what devices have in common, the causes, and
/// every rule on regions; all on the time of the reports. Pure. Owned by the alerts role; one thread.
class RegionRules final {
 public:
    static constexpr std::size_t rules_max = 4096;

    explicit RegionRules(RegionRuleTuning tuning = {}, CauseRuleOptions causes = {});
    RegionRules(const RegionRules&) = delete;  // its parts know each other by address
    RegionRules& operator=(const RegionRules&) = delete;

    /// Adds the rule or replaces the one of its name. False: over rules_max.
    [[nodiscard]] bool put(const AlertRule& rule, std::vector<Incident>& changed);
    void remove(std::string_view name, std::vector<Incident>& changed);

    /// An incident that an earlier run left open goes on; its rule must be there, else it is ended.
    void adopt(const Incident& incident, std::vector<Incident>& changed);
    /// While false reports are only summed and documents only kept: what the bus has from before says nothing about how
    /// long anything lasted.
    void set_judging(bool judging);

    /// Appends to `changed` the incidents that opened, changed or ended. False: the report could not be used.
    bool on_report(const RegionReport& report, std::vector<Incident>& changed);
    /// False: over a bound of the cohorts.
    bool on_status(const StatusDocument& document);
    /// A value that a device reported, of `time`. False: over a bound.
    bool on_value(std::string_view device, std::string_view metric, double value, Timestamp time) {
        return telemetry_.on_value({device, metric, value, time, clock_.elapsed_ms()});
    }
    void on_device_gone(std::string_view device) { cohorts_.forget(device); }
    /// How long no report came, by the caller's clock.
    void on_silence(Millis silence, std::vector<Incident>& changed);

    [[nodiscard]] std::vector<Incident> open_incidents() const;
    [[nodiscard]] const RegionSums& sums() const { return sums_; }
    [[nodiscard]] const Cohorts& cohorts() const { return cohorts_; }
    [[nodiscard]] const CauseRule& causes() const { return causes_; }
    [[nodiscard]] const TelemetryRules& telemetry() const { return telemetry_; }
    [[nodiscard]] std::size_t rules() const { return rules_.size() + telemetry_.rules(); }
    [[nodiscard]] Timestamp time() const { return clock_.time(); }
    [[nodiscard]] std::int64_t elapsed_ms() const { return clock_.elapsed_ms(); }

    /// What the rules on values have learnt: TelemetryRules::encode_part() and decode_part() at the present time.
    bool encode_part(std::uint32_t part, ByteWriter& out) const {
        return telemetry_.encode_part(part, out, clock_.elapsed_ms());
    }
    [[nodiscard]] Result<void> take_back(std::uint32_t part, ByteReader& in, Millis gap) {
        return telemetry_.decode_part(part, in, gap, clock_.elapsed_ms());
    }

 private:
    /// A rule, and for one on a part of the devices the sums of that part.
    struct Entry {
        std::unique_ptr<RegionSums> cohort_sums;
        std::unique_ptr<RegionRule> rule;
    };

    [[nodiscard]] RuleMoment moment(bool all) const {
        return {clock_.elapsed_ms(), std::max(clock_.time(), judged_at_), all};
    }
    void judge(std::vector<Incident>& changed);
    void remove_of_regions(std::string_view name, std::vector<Incident>& changed);
    void sum_cohort(const AlertRule& rule, RegionSums& sums) const;

    const RegionRuleTuning tuning_;
    RegionSums sums_;
    ReportClock clock_;
    Cohorts cohorts_;
    CauseRule causes_;
    TelemetryRules telemetry_;
    std::map<std::string, Entry, std::less<>> rules_;
    bool judging_ = true;
    bool judge_all_ = true;  ///< what causes explain has changed, or a rule is new
    std::int64_t judged_at_ms_ = 0;
    /// Of the last judgement, as shown: each has its own, though a gateway's clock that ran ahead and is gone lets the
    /// time of the reports stand; else two incidents of one place could have one id.
    Timestamp judged_at_{};
};

}  // namespace muster
