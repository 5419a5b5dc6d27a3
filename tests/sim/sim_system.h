#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "contract/event.h"
#include "incident_judge.h"
#include "processor/partition_fold.h"
#include "sim_schedule.h"
#include "status/device_table.h"

namespace muster::sim {

/// Times that fit a short run; the proportions of the real ones.
[[nodiscard]] FoldOptions sim_fold_options(Partition partition);

/// A record on the simulated bus.
struct SimRecord {
    EventHeader header;
    std::string gateway;
    std::string device;
    std::string value;

    [[nodiscard]] EventRecord view(Offset offset) const;
};

/// A whole Muster on virtual time, in one thread: devices, gateways, a bus of partitions, a processor a partition with
/// a disk and checkpoints on the bus, and the stores. It does what a schedule says, heals, settles, and says what is
/// wrong with the end or was on the way. The same schedule gives the same run, to the byte.
class SimSystem final {
 public:
    SimSystem(std::uint64_t seed, const SimScenario& scenario);
    ~SimSystem();

    /// Runs to the end; the first thing that is wrong, empty when nothing is.
    [[nodiscard]] std::string run(const SimSchedule& schedule);

    [[nodiscard]] std::uint64_t records() const;
    [[nodiscard]] std::size_t incidents() const { return alerts_.incidents(); }
    [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_.size(); }

 private:
    using Truth = PresenceState;  // online or offline; never_seen: nothing of it has reached a bus

    struct Session {
        SessionEpoch epoch = 0;
        std::uint32_t gateway = 0;
        Incarnation incarnation = 0;
    };
    struct Device {
        std::string id;
        Session session;
        bool alive = false;   ///< connected and speaking
        bool frozen = false;  ///< connected and silent
        SessionEpoch last_epoch = 0;
        std::int64_t speak_at_ms = 0;
        std::int64_t truth_since_ms = 0;
        std::uint64_t writes = 0;
    };
    struct Outgoing {
        SimRecord record;
        Partition partition = 0;
        std::int64_t due_ms = 0;
        std::uint64_t message = 0;  ///< to be acknowledged to its device; 0: not
        bool twice = false;
    };
    struct Gateway {
        std::string name;
        std::int64_t skew_ms = 0;
        Incarnation incarnation = 1;
        bool alive = true;
        std::int64_t back_at_ms = 0;  ///< of a dead one
        std::int64_t suspended_until_ms = 0;
        std::int64_t cut_until_ms = 0;
        std::int64_t next_tick_ms = 0;
        std::uint64_t ticks = 0;
        std::uint64_t writes = 0;
        std::int64_t last_due_ms = 0;
        std::deque<Outgoing> outbox;
    };
    /// What a gateway finds out of one of its sessions, in its own time.
    struct Notice {
        std::int64_t at_ms = 0;
        std::size_t device = 0;
        Session session;
        Cause cause = Cause::none;
        bool with_will = false;
    };
    struct Processor {
        std::unique_ptr<PartitionFold> fold;  ///< null: dead
        std::int64_t back_at_ms = 0;
        std::int64_t paused_until_ms = 0;
        std::string disk;
        std::string on_bus;
        Timestamp checkpointed_at{};
        int checkpoints = 0;
    };

    void step(std::int64_t until_ms);
    void act(const SimAction& action);
    void heal();
    void revive(Gateway& gateway);
    void connect(std::size_t device, std::uint32_t gateway, std::uint64_t dice);
    void end(std::size_t device, const SimAction& action);
    void kill(Gateway& gateway, std::int64_t span_ms, std::uint64_t dice);
    void kill(Processor& processor, std::int64_t span_ms);
    void deliver_notices();
    void tick_gateways();
    void speak();
    void write(EventKind kind, std::uint32_t gateway, std::size_t device, SessionEpoch epoch, Cause cause,
               std::string value, std::uint64_t message = 0);
    void put(std::uint32_t gateway, Outgoing outgoing, std::uint64_t draw);
    void move_to_bus();
    void process();
    void take(Partition partition, const FoldOutput& out);
    void checkpoint(Processor& processor);
    void note_failure() { calm_since_ms_ = now_ms_; }
    void note_truth(Device& device) { device.truth_since_ms = now_ms_; }
    void complain(std::string what);

    [[nodiscard]] bool is_up(const Gateway& gateway) const;
    [[nodiscard]] bool holds(const Session& session) const;
    [[nodiscard]] Truth truth_of(const Device& device) const;
    [[nodiscard]] PresenceState shown(const Device& device) const;
    void judge_bounds();
    void judge_documents(const FoldOutput& out);
    void judge_the_end();
    void judge_replay();
    void judge_regions();

    const SimScenario scenario_;
    const std::uint64_t seed_;
    std::int64_t now_ms_ = 0;
    std::int64_t calm_since_ms_ = -1;  ///< -1: nothing has failed yet
    bool failing_ = false;             ///< something is down at present
    std::vector<Device> devices_;
    std::vector<Gateway> gateways_;
    std::vector<Notice> notices_;
    std::vector<std::deque<SimRecord>> bus_;
    std::vector<Processor> processors_;
    // The stores.
    DeviceTable status_;
    std::map<std::string, std::map<Offset, StatusDocument>> documents_;
    std::set<std::uint64_t> samples_;
    std::vector<std::map<std::string, RegionCounts>> reported_;
    std::set<std::uint64_t> acknowledged_;
    IncidentJudge alerts_;
    std::uint64_t messages_ = 0;
    std::string wrong_;
};

/// Leaves out what is not needed for a run to go wrong, as long as it goes wrong: first halves, then smaller parts,
/// then single actions. Bounded by `runs_max` runs.
[[nodiscard]] SimSchedule shortest(std::uint64_t seed, const SimScenario& scenario, SimSchedule schedule,
                                   int runs_max = 2000);

}  // namespace muster::sim
