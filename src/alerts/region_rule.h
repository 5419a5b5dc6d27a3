#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/cause_rule.h"
#include "alerts/region_ranking.h"
#include "alerts/region_sums.h"
#include "contract/alert_rule.h"
#include "contract/incident.h"

namespace muster {

/// What all rules on regions have in common.
struct RegionRuleTuning {
    double critical_share = 0.50;  ///< from here on a share is critical
    Millis update_interval{5000};  ///< figures of an open incident are written again at most so often
};

/// The time of a judgement, from the reports.
struct RuleMoment {
    std::int64_t elapsed_ms = 0;  ///< for durations
    Timestamp time{};             ///< for what is shown
    bool all = false;             ///< every region is looked at, not only those that were reported since the last time
};

/// One rule on regions, and the incidents that it makes: one cause is one incident. Pure: time is passed in. Owned by
/// RegionRules; one thread.
///
/// A region breaches when its value was above `raise` for `for_s`, until it is under `clear`. What an incident of
/// CauseRule explains is left out. Of the breaching regions on one path only one gives its name: the top one, or, as
/// long as a single child explains it (what is left without it would raise nothing), that child. An incident is widened
/// to a region above it when that becomes the cause, takes in other incidents on its path, and ends when nothing within
/// its region breaches any more. It is never narrowed: its name is how far it got. Before it opens, CauseRule is asked
/// what the lost devices have in common.
class RegionRule final {
 public:
    static constexpr std::size_t incidents_max = 1024;  ///< open at one time

    /// `sums` and `causes` outlive it.
    RegionRule(AlertRule rule, RegionRuleTuning tuning, RegionSums& sums, CauseRule& causes);

    /// An incident that an earlier run left open goes on.
    void adopt(const Incident& incident, const RuleMoment& moment);
    /// Appends to `changed` the incidents that opened, changed or ended. `ranking` is of `sums` and of the moment.
    void judge(const RuleMoment& moment, RegionRanking& ranking, std::vector<Incident>& changed);
    /// The rule as it is from now on: its open incidents go on under it.
    void replace(AlertRule rule) { rule_ = std::move(rule); }
    /// The rule is no more: ends its incidents.
    void end(const RuleMoment& moment, std::vector<Incident>& changed);

    [[nodiscard]] const AlertRule& rule() const { return rule_; }
    [[nodiscard]] const std::vector<Incident>& open_incidents() const { return open_; }

 private:
    struct Breach {
        std::int64_t since_ms = 0;  ///< elapsed time at which the value passed `raise`
        Timestamp crossed{};
        bool lasts = false;  ///< it has lasted for `for_s`
    };
    /// What the rule makes of a region's counts.
    struct Figures {
        double value = 0;
        std::int64_t members = 0;
        std::int64_t population = 0;
    };

    [[nodiscard]] bool is_of_offline() const;
    [[nodiscard]] Figures figures_of(std::string_view region, const RegionCounts& counts) const;
    [[nodiscard]] Figures figures_of(std::string_view region) const;
    [[nodiscard]] double value_of(const Figures& figures) const;
    [[nodiscard]] bool explains(const Figures& part, const Figures& whole) const;
    void judge_regions(const RuleMoment& moment, RegionRanking& ranking);
    void judge_region(const std::string& region, const RegionCounts& counts, const RuleMoment& moment);
    [[nodiscard]] bool anything_breaches_within(std::string_view region) const;
    [[nodiscard]] std::vector<std::string> causes();
    [[nodiscard]] std::string deepest_explanation(std::string_view region);
    void attribute(const std::string& cause, const RuleMoment& moment, std::vector<Incident>& changed);
    void open(std::string region, const RuleMoment& moment, std::vector<Incident>& changed);
    [[nodiscard]] std::string settled(std::string region, const Attribution& found) const;
    void widen(Incident& incident, const std::string& region, const RuleMoment& moment);
    void resolve(Incident& incident, std::string_view text, const RuleMoment& moment, std::vector<Incident>& changed);
    void refresh(Incident& incident, const RuleMoment& moment);
    void refresh_all(const RuleMoment& moment, std::vector<Incident>& changed);
    void rename(Incident& incident, const std::string& region) const;
    void claim(const Incident& incident, std::optional<Timestamp> since);
    void unclaim(const Incident& incident);
    [[nodiscard]] std::vector<Incident::SharedAttribute> shared_by(const Incident& incident) const;
    [[nodiscard]] std::string_view doing() const;

    AlertRule rule_;
    const RegionRuleTuning tuning_;
    RegionSums& sums_;
    CauseRule& causes_;
    std::int64_t refreshed_at_ms_ = 0;
    std::map<std::string, Breach, std::less<>> breaches_;
    std::vector<Incident> open_;                                   ///< by the time of opening
    std::map<std::string, Cohorts::ClaimId, std::less<>> claims_;  ///< by incident
};

}  // namespace muster
