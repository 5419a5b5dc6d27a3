#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "alerts/region_rules.h"

namespace muster::sim {

/// The alerts role of a simulated system, and what must hold of its incidents at any time: one cause is one incident.
/// Fed with what the processors say; one thread.
class IncidentJudge final {
 public:
    IncidentJudge();

    void on_document(const StatusDocument& document);
    void on_report(const RegionReport& report);
    /// A gateway was killed, suspended or cut off. At the shortened times of a simulation the ticks of another may then
    /// look late for a moment: each failure is at most one incident of each gateway.
    void on_failure() { ++failures_; }

    /// The first thing that is wrong; empty when nothing is.
    [[nodiscard]] const std::string& wrong() const { return wrong_; }
    [[nodiscard]] std::size_t incidents() const { return seen_.size(); }

 private:
    void judge();
    void take(const Incident& incident);
    void complain(std::string what);

    RegionRules rules_;
    std::vector<Incident> changed_;
    std::map<std::string, bool> seen_;  ///< incidents by id: open
    int failures_ = 0;
    std::map<std::string, int> losses_told_;  ///< by gateway
    std::string wrong_;
};

}  // namespace muster::sim
