#include "api/live_outbox.h"

#include <utility>

namespace muster {
namespace {

std::size_t push_bounded(std::deque<Frame>& queue, Frame frame, std::size_t most) {
    queue.push_back(std::move(frame));
    if (queue.size() <= most) {
        return 0;
    }
    queue.pop_front();
    return 1;
}

std::size_t replace(Frame& slot, Frame frame) {
    return std::exchange(slot, std::move(frame)) == nullptr ? 0 : 1;
}

}  // namespace

std::optional<LiveTopic> live_topic_from(std::string_view name) {
    static constexpr std::array<std::string_view, live_topic_count> names{"fleet", "regions", "changes", "alerts"};
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == name) {
            return static_cast<LiveTopic>(i);
        }
    }
    return std::nullopt;
}

std::size_t LiveOutbox::put_control(Frame frame) {
    return push_bounded(control_, std::move(frame), control_max);
}

std::size_t LiveOutbox::put(LiveTopic topic, Frame frame) {
    switch (topic) {
        case LiveTopic::fleet:
            return replace(fleet_, std::move(frame));
        case LiveTopic::regions:
            return replace(regions_, std::move(frame));
        case LiveTopic::changes:
            return push_bounded(changes_, std::move(frame), changes_max);
        case LiveTopic::alerts:
            return push_bounded(alerts_, std::move(frame), alerts_max);
    }
    return 0;
}

std::size_t LiveOutbox::put_device(const std::string& id, Frame frame) {
    if (devices_.size() >= devices_max && !devices_.contains(id)) {
        return 1;
    }
    return replace(devices_[id], std::move(frame));
}

void LiveOutbox::forget(LiveTopic topic) {
    switch (topic) {
        case LiveTopic::fleet:
            fleet_ = nullptr;
            break;
        case LiveTopic::regions:
            regions_ = nullptr;
            break;
        case LiveTopic::changes:
            changes_.clear();
            break;
        case LiveTopic::alerts:
            alerts_.clear();
            break;
    }
}

void LiveOutbox::forget_device(const std::string& id) {
    devices_.erase(id);
}

Frame LiveOutbox::take_front(std::deque<Frame>& queue) {
    Frame frame = std::move(queue.front());
    queue.pop_front();
    return frame;
}

Frame LiveOutbox::next() {
    for (std::deque<Frame>* queue : {&control_, &alerts_, &changes_}) {
        if (!queue->empty()) {
            return take_front(*queue);
        }
    }
    for (Frame* latest : {&fleet_, &regions_}) {
        if (*latest != nullptr) {
            return std::exchange(*latest, nullptr);
        }
    }
    return devices_.empty() ? nullptr : std::move(devices_.extract(devices_.begin()).mapped());
}

}  // namespace muster
