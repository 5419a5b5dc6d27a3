#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/attribution.h"
#include "alerts/cohorts.h"
#include "contract/incident.h"

namespace muster {

struct CauseRuleOptions {
    double raise_share = 0.10;      ///< of the devices with a value in fresh trouble …
    std::int64_t members_min = 20;  ///< … and at least so many: the region rule's figures (DESIGN 3.4) …
    Millis hold{10'000};            ///< … for so long
    std::int64_t gateway_min = 5;   ///< sessions of a lost gateway; at once, because the processor has waited
    double clear_share = 0.08;      ///< ends under this share of the scope, or of the most members it had
    double critical_share = 0.50;   ///< of the scope; from here on it is critical
    Millis update_interval{5000};   ///< figures of an open incident are written again at most so often
    Millis silence_max{10'000};     ///< without any report: the pipeline has stalled
};

/// The incidents that are no region's: a lost gateway, a carrier, a model or firmware, refused credentials, planned
/// work, the pipeline itself. It looks at fresh trouble in the cohorts; what an incident claims is explained, and the
/// rules on regions leave it out of their shares, so that one cause stays one incident.
/// Pure: times are passed in. Owned by the alerts role; one thread; bounded by incidents_max.
class CauseRule final {
 public:
    static constexpr std::string_view name = "cause";
    static constexpr std::size_t incidents_max = 256;  ///< open at one time

    CauseRule(CauseRuleOptions options, Cohorts& cohorts) : options_(options), cohorts_(cohorts) {}

    /// An incident that an earlier run left open goes on; the cohorts know the devices already.
    void adopt(const Incident& incident);
    /// Appends to `changed` what opened, changed or ended. Called once a second of `elapsed_ms`.
    void judge(std::int64_t elapsed_ms, Timestamp time, std::vector<Incident>& changed);
    /// A rule on regions asks before it opens: when what was lost has something else in common, the incident of that is
    /// opened. The answer is what explains it best in any case.
    [[nodiscard]] Attribution explain_lost(Timestamp crossed, Timestamp time, std::vector<Incident>& changed);
    /// No report came for so long, or reports come again (0). `time`: of the last report, moved on.
    void on_silence(Millis silence, Timestamp time, std::vector<Incident>& changed);

    [[nodiscard]] const std::vector<Incident>& open_incidents() const { return open_; }
    [[nodiscard]] Cohorts& cohorts() { return cohorts_; }
    [[nodiscard]] const Cohorts& cohorts() const { return cohorts_; }
    /// Opened but for the bound.
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
    void look_for_lost_gateways(Timestamp time, std::vector<Incident>& changed);
    void look_for(Trouble trouble, std::int64_t elapsed_ms, Timestamp time, std::vector<Incident>& changed);
    [[nodiscard]] bool is_breached(Trouble trouble) const;
    [[nodiscard]] bool is_worth_opening(const Attribution& found) const;
    void open(const Attribution& found, Trouble trouble, Timestamp crossed, Timestamp time,
              std::vector<Incident>& changed);
    void refresh(Incident& incident, Cohorts::ClaimId claim, Timestamp time) const;
    void refresh_all(std::int64_t elapsed_ms, Timestamp time, bool all, std::vector<Incident>& changed);
    [[nodiscard]] double clear_members(const Incident& incident) const;

    CauseRuleOptions options_;
    Cohorts& cohorts_;
    std::vector<Incident> open_;            ///< by the time of opening
    std::vector<Cohorts::ClaimId> claims_;  ///< of the incident at the same place; no_claim: the pipeline's
    struct Crossing {
        bool is_crossed = false;
        std::int64_t since_ms = 0;
        std::int64_t looked_ms = 0;
        Timestamp time{};
    };
    std::array<Crossing, trouble_count> crossings_{};
    std::int64_t refreshed_ms_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace muster
