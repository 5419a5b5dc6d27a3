#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "alerts/cohorts.h"
#include "alerts/metric_cohort.h"
#include "alerts/region_rule.h"
#include "alerts/value_scores.h"
#include "contract/alert_rule.h"
#include "contract/incident.h"

namespace muster {

/// The rules on values that devices report. Each value gives a score: itself, or what ValueScores and the MetricCohort
/// of its model make of it (RuleMetric). A device is in breach after `samples` scores in a row beyond `raise`, and out
/// of it after as many in a row on the good side of `clear`; what lies between the two changes nothing. A rule has one
/// incident, for all its devices: one cause, one incident. It opens when devices have been in breach for `for_s`, and
/// ends when none is. A device that reports nothing for silent_max leaves it. An incident that an earlier run left open
/// goes on with the devices that it lists.
///
/// Pure: times are passed in. Owned by the alerts role; one thread. Devices that are in breach or on their way are
/// kept, at most states_max over all rules; what is kept of the others for their scores has the bounds of ValueScores
/// and cohorts_max.
class TelemetryRules final {
 public:
    static constexpr std::size_t states_max = 1U << 20U;
    static constexpr std::size_t cohorts_max = 2048;  ///< models, over all rules that ask for them
    static constexpr Millis silent_max{3'600'000};
    static constexpr Millis adopted_patience{300'000};  ///< an adopted incident waits so long for its devices

    explicit TelemetryRules(const Cohorts& cohorts) : cohorts_(cohorts) {}

    void put(const AlertRule& rule, const RuleMoment& moment, std::vector<Incident>& changed);
    void remove(std::string_view name, const RuleMoment& moment, std::vector<Incident>& changed);
    /// False: of no rule here.
    [[nodiscard]] bool adopt(const Incident& incident, const RuleMoment& moment);

    /// A value of a device. False: over a bound, not used by every rule.
    bool on_value(const DeviceValue& value);
    void judge(const RuleMoment& moment, std::vector<Incident>& changed);

    /// Appends one of ValueScores::parts of what was learnt: its states, and the cohorts that belong to it. False:
    /// nothing.
    bool encode_part(std::uint32_t part, ByteWriter& out, std::int64_t elapsed_ms) const;
    /// Takes it back, `gap` later; cohorts only of rules that are as they were. corrupt: not of encode_part().
    [[nodiscard]] Result<void> decode_part(std::uint32_t part, ByteReader& in, Millis gap, std::int64_t elapsed_ms);

    /// Nothing to look at: samples need not be read.
    [[nodiscard]] bool empty() const { return rules_.empty(); }
    [[nodiscard]] std::size_t rules() const { return rules_.size(); }
    [[nodiscard]] std::size_t states() const { return states_; }
    [[nodiscard]] std::size_t cohorts() const { return cohort_count_; }
    [[nodiscard]] const ValueScores& scores() const { return scores_; }
    [[nodiscard]] bool is_in_breach(std::string_view rule, std::string_view device) const;
    [[nodiscard]] std::vector<Incident> open_incidents() const;

 private:
    struct State {
        std::int64_t heard_ms = 0;
        double value = 0;  ///< these two: of the sample that raised
        double score = 0;
        std::uint32_t streak = 0;  ///< samples in a row that ask for the other side
        bool raised = false;
    };
    struct Entry {
        AlertRule rule;
        std::unordered_map<std::string, State> devices;
        std::uint32_t fingerprint = 0;                         ///< of `rule`
        std::unordered_map<std::string, MetricCohort> models;  ///< of rules that compare a device with others
        std::int64_t members = 0;
        std::int64_t since_ms = 0;  ///< when the first of them was in breach
        Timestamp crossed{};
        std::optional<std::int64_t> adopted_ms;  ///< its incident was adopted then, and no device is known yet
        std::optional<Incident> incident;
    };

    class Scoring;
    [[nodiscard]] const std::string* text_of(std::string_view device, Attribute attribute) const;
    [[nodiscard]] bool is_of_rule(const Entry& entry, std::string_view device) const;
    [[nodiscard]] bool judge_value(Entry& entry, const DeviceValue& value, double score);
    [[nodiscard]] MetricCohort* cohort_of(Entry& entry, std::string_view device);
    void judge_rule(Entry& entry, const RuleMoment& moment, std::vector<Incident>& changed);
    void forget_silent(Entry& entry, const RuleMoment& moment);
    void open(Entry& entry, const RuleMoment& moment, std::vector<Incident>& changed) const;
    void refresh(Entry& entry, const RuleMoment& moment) const;
    void end(Entry& entry, std::string_view text, const RuleMoment& moment, std::vector<Incident>& changed) const;

    const Cohorts& cohorts_;
    std::map<std::string, Entry, std::less<>> rules_;
    std::multimap<std::string, Entry*, std::less<>> by_metric_;
    ValueScores scores_;
    std::size_t states_ = 0;
    std::size_t cohort_count_ = 0;
    std::int64_t refreshed_ms_ = 0;
    std::int64_t swept_ms_ = 0;
};

}  // namespace muster
