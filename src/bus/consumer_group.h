#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "bus/bus.h"

namespace muster {

class ConsumerSignal;
class EmbeddedTopic;

struct TopicPartition {
    EmbeddedTopic* topic = nullptr;
    Partition partition = 0;
    bool operator==(const TopicPartition&) const = default;
};

/// Who of a group's members reads which partition. Each topic's partitions are spread evenly and in ranges, so that
/// members that read the same topics get the same partition numbers of all of them. A partition changes hands in two
/// steps: its owner gives it up in its own poll(), only then the next one takes it; so no two ever have it. Owned by
/// the bus; any thread.
class ConsumerGroup final {
 public:
    using Member = std::uint64_t;

    /// `signal` is raised when the member has something to give up or to take, until leave() returns.
    [[nodiscard]] Member join(ConsumerSignal& signal, const std::vector<EmbeddedTopic*>& topics);
    /// Gives up whatever the member still owns.
    void leave(Member member);

    /// Changes whenever a member may have something to give up or to take.
    [[nodiscard]] std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
    /// What the member owns and must give up.
    [[nodiscard]] std::vector<TopicPartition> to_give_up(Member member) const;
    void gave_up(Member member, const TopicPartition& given);
    /// Makes the member the owner of what is meant for it and nobody owns.
    [[nodiscard]] std::vector<TopicPartition> take(Member member);

 private:
    struct Slot {
        TopicPartition what;
        Member owner = 0;   ///< 0 = nobody
        Member target = 0;  ///< 0 = nobody
    };
    struct Membership {
        Member member;
        ConsumerSignal* signal;
        std::vector<EmbeddedTopic*> topics;
    };

    void add_slots(EmbeddedTopic& topic);
    void spread();
    void tell_all();

    std::atomic<std::uint64_t> generation_{0};
    mutable std::mutex mutex_;  ///< guards what follows
    Member last_member_ = 0;
    std::vector<Membership> members_;  ///< in the order of joining
    std::vector<Slot> slots_;          ///< of a topic together, by partition
};

}  // namespace muster
