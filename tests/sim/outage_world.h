#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "alerts/region_rules.h"
#include "base/random.h"

namespace muster::sim {

/// One outage, as it really was.
struct OutageTruth {
    CauseKind kind = CauseKind::unexplained;
    std::vector<Incident::Condition> scope;  ///< empty: the pipeline, or devices that share nothing
    std::int64_t members = 0;
};

/// A seeded fleet on virtual time that suffers one outage, seen by the alerts role's judgement as the processor would
/// report it: status documents of each device, counts of each region once a second. Gateways and carriers are unevenly
/// spread over regions, a few percent of the devices are offline at any time and come and go, verdicts take from a
/// moment (broken socket) to over a minute (keep-alive, heartbeat). The same seed gives the same world.
class OutageWorld final {
 public:
    /// `kind`: what is to happen; where, to whom and how hard is the seed's to say. `devices`: 0 leaves that to the
    /// seed too.
    OutageWorld(std::uint64_t seed, CauseKind kind, std::size_t devices = 0);

    /// Calm, outage, recovery. What happened is in truth() and told().
    void run();

    [[nodiscard]] const OutageTruth& truth() const { return truth_; }
    /// Every incident that was ever opened, as it was last written, in the order of opening.
    [[nodiscard]] std::vector<Incident> told() const;
    /// The incident as it was first written, which is what pages.
    [[nodiscard]] const std::map<std::string, Incident>& first_told() const { return first_; }
    /// How alike the devices of the incident's scope and the truth's are: shared by those of either, 0..1.
    [[nodiscard]] double overlap(const Incident& incident) const;
    /// Ends the alerts role and starts it again on what the bus keeps.
    void restart();

    void run_calm(int seconds);
    void strike();
    /// The whole fleet, at once.
    void strike_all();
    /// Of the ways to lose a gateway: SIGKILL.
    void kill_a_gateway();
    void run_outage(int seconds);
    void recover();

 private:
    struct Device {
        StatusDocument document;
        std::string gateway;  ///< that held it when the outage struck
        bool hit = false;
        std::int64_t verdict_at_s = 0;  ///< when the processor will say so; 0: nothing is due
        std::int64_t back_at_s = 0;
    };

    void make_fleet(std::size_t count);
    void choose_outage();
    [[nodiscard]] static bool is_in_scope(const Device& device, const std::vector<Incident::Condition>& scope);
    void set_state(Device& device, PresenceState state, Cause cause, Overlays overlays = 0);
    void second(bool pipeline_runs = true);
    void background(Device& device);
    void due(Device& device);
    void report();
    void take_in();

    Random random_;
    std::optional<RegionRules> rules_;
    std::vector<Device> devices_;
    OutageTruth truth_;
    Cause verdict_ = Cause::connection_lost;
    double share_ = 1;   ///< of the devices in the scope
    int slowest_s_ = 1;  ///< verdict
    double background_ = 0.03;
    std::int64_t now_s_ = 0;
    std::int64_t silent_since_s_ = 0;
    std::int64_t offset_ = 0;
    std::map<std::string, RegionCounts> counts_;
    std::vector<std::string> gateways_;
    std::vector<std::string> carriers_;
    std::vector<std::string> models_;
    std::vector<std::string> firmwares_;
    std::vector<std::string> regions_;
    std::vector<Incident> changed_;
    std::map<std::string, Incident> first_;
    std::map<std::string, Incident> last_;
    std::vector<std::string> order_;
};

}  // namespace muster::sim
