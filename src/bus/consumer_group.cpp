#include "bus/consumer_group.h"

#include <algorithm>

#include "bus/consumer_signal.h"
#include "bus/embedded_topic.h"

namespace muster {

ConsumerGroup::Member ConsumerGroup::join(ConsumerSignal& signal, const std::vector<EmbeddedTopic*>& topics) {
    const std::lock_guard lock(mutex_);
    members_.push_back({++last_member_, &signal, topics});
    for (EmbeddedTopic* topic : topics) {
        add_slots(*topic);
    }
    spread();
    tell_all();
    return last_member_;
}

void ConsumerGroup::leave(Member member) {
    const std::lock_guard lock(mutex_);
    std::erase_if(members_, [member](const Membership& one) { return one.member == member; });
    for (Slot& slot : slots_) {
        if (slot.owner == member) {
            slot.owner = 0;
        }
    }
    spread();
    tell_all();
}

void ConsumerGroup::add_slots(EmbeddedTopic& topic) {
    if (std::ranges::any_of(slots_, [&topic](const Slot& slot) { return slot.what.topic == &topic; })) {
        return;
    }
    for (Partition partition = 0; partition < topic.partitions(); ++partition) {
        slots_.push_back({{&topic, partition}, 0, 0});
    }
}

void ConsumerGroup::spread() {
    std::vector<Member> readers;
    const EmbeddedTopic* topic = nullptr;
    for (Slot& slot : slots_) {
        if (slot.what.topic != topic) {
            topic = slot.what.topic;
            readers.clear();
            for (const Membership& one : members_) {
                if (std::ranges::find(one.topics, topic) != one.topics.end()) {
                    readers.push_back(one.member);
                }
            }
        }
        const auto partitions = static_cast<std::size_t>(topic->partitions());
        slot.target =
            readers.empty() ? 0 : readers[static_cast<std::size_t>(slot.what.partition) * readers.size() / partitions];
    }
}

void ConsumerGroup::tell_all() {
    generation_.fetch_add(1, std::memory_order_release);
    for (const Membership& one : members_) {
        one.signal->raise();
    }
}

std::vector<TopicPartition> ConsumerGroup::to_give_up(Member member) const {
    const std::lock_guard lock(mutex_);
    std::vector<TopicPartition> result;
    for (const Slot& slot : slots_) {
        if (slot.owner == member && slot.target != member) {
            result.push_back(slot.what);
        }
    }
    return result;
}

void ConsumerGroup::gave_up(Member member, const TopicPartition& given) {
    const std::lock_guard lock(mutex_);
    for (Slot& slot : slots_) {
        if (slot.what == given && slot.owner == member) {
            slot.owner = 0;
        }
    }
    tell_all();
}

std::vector<TopicPartition> ConsumerGroup::take(Member member) {
    const std::lock_guard lock(mutex_);
    std::vector<TopicPartition> result;
    for (Slot& slot : slots_) {
        if (slot.target == member && slot.owner == 0) {
            slot.owner = member;
            result.push_back(slot.what);
        }
    }
    return result;
}

}  // namespace muster
