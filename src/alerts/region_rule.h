#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/region_sums.h"
#include "alerts/report_clock.h"
#include "contract/incident.h"

namespace muster {

struct RegionRuleOptions {
    double raise_share = 0.10;         ///< DESIGN 3.4: offline share of a region above it …
    Millis hold{10'000};               ///< … for so long …
    std::int64_t population_min = 20;  ///< … with at least so many devices that count
    double clear_share = 0.08;         ///< clears under it
    double explained_share = 0.90;     ///< a child with so much of its parent's offline devices is the cause
    double critical_share = 0.50;      ///< from here on it is critical
    Millis update_interval{5000};      ///< figures of an open incident are written again at most so often
};

/// The rule on the offline share of regions, and the incidents that it makes: one cause is one incident. Pure: time is
/// that of the reports. Owned by the alerts role; one thread.
///
/// A region breaches when its share was above raise_share for `hold`, until it is under clear_share. Of the breaching
/// regions on one path only one gives its name: the top one, or, as long as a single child explains it, that child.
/// An incident is widened to a region above it when that becomes the cause, takes in other incidents on its path, and
/// ends when nothing within its region breaches any more. It is never narrowed: its name is how far it got.
class RegionRule final {
 public:
    static constexpr std::string_view name = "region_offline_share";
    static constexpr std::size_t timeline_max = 64;  ///< entries of an incident; later ones replace the last

    explicit RegionRule(RegionRuleOptions options = {}) : options_(options) {}

    /// An incident that an earlier run left open goes on.
    void adopt(const Incident& incident);
    /// While false reports are only summed: what the bus kept from before says nothing about how long anything lasted.
    void set_judging(bool judging) { judging_ = judging; }
    /// Appends to `changed` the incidents that opened, changed or ended. False: the report could not be used.
    bool on_report(const RegionReport& report, std::vector<Incident>& changed);

    [[nodiscard]] const std::vector<Incident>& open_incidents() const { return open_; }
    [[nodiscard]] const RegionSums& sums() const { return sums_; }

 private:
    struct Breach {
        std::int64_t since_ms = 0;  ///< elapsed time at which the share passed raise_share
        Timestamp crossed{};
        bool lasts = false;  ///< it has lasted for `hold`
    };

    void judge(std::vector<Incident>& changed);
    void judge_region(const std::string& region, const RegionCounts& counts);
    [[nodiscard]] bool breaches(std::string_view region) const;
    [[nodiscard]] bool anything_breaches_within(std::string_view region) const;
    [[nodiscard]] std::vector<std::string> causes() const;
    [[nodiscard]] std::string deepest_explanation(std::string_view region) const;
    void attribute(const std::string& cause, std::vector<Incident>& changed);
    void open(const std::string& region, std::vector<Incident>& changed);
    void widen(Incident& incident, const std::string& region);
    void resolve(Incident& incident, std::string text, std::vector<Incident>& changed);
    void refresh(Incident& incident);
    void refresh_all(std::vector<Incident>& changed);
    void note(Incident& incident, Timestamp time, std::string text) const;

    RegionRuleOptions options_;
    RegionSums sums_;
    ReportClock clock_;
    bool judging_ = true;
    std::int64_t judged_at_ms_ = 0;
    std::int64_t refreshed_at_ms_ = 0;
    std::map<std::string, Breach, std::less<>> breaches_;
    std::vector<Incident> open_;  ///< by the time of opening
};

}  // namespace muster
