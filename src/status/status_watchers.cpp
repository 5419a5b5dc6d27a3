#include "status/status_watchers.h"

namespace muster {

std::shared_ptr<void> StatusWatchers::add(StatusStore::OnTransition on_transition, StatusStore::OnTouch on_touch) {
    auto watcher = std::make_shared<Watcher>();
    watcher->on_transition = std::move(on_transition);
    watcher->on_touch = std::move(on_touch);
    const std::lock_guard lock(mutex_);
    std::erase_if(watchers_, [](const auto& one) { return one.expired(); });
    watchers_.push_back(watcher);
    // The handle empties the callbacks under their lock.
    return {watcher.get(), [watcher](void*) {
                const std::lock_guard inner(watcher->mutex);
                watcher->on_transition = nullptr;
                watcher->on_touch = nullptr;
            }};
}

void StatusWatchers::tell(std::span<const StatusDocument> transitions, std::span<const StatusTouch> touches) {
    std::vector<std::shared_ptr<Watcher>> live;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& weak : watchers_) {
            if (auto watcher = weak.lock()) {
                live.push_back(std::move(watcher));
            }
        }
    }
    for (const auto& watcher : live) {
        const std::lock_guard lock(watcher->mutex);
        for (std::size_t i = 0; watcher->on_transition && i < transitions.size(); ++i) {
            watcher->on_transition(transitions[i]);
        }
        for (std::size_t i = 0; watcher->on_touch && i < touches.size(); ++i) {
            watcher->on_touch(touches[i]);
        }
    }
}

}  // namespace muster
