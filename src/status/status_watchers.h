#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "status/status_store.h"

namespace muster {

/// Those who watch a status store. Any thread. Dropping a handle waits for a call under way, so that nobody is called
/// after.
class StatusWatchers final {
 public:
    [[nodiscard]] std::shared_ptr<void> add(StatusStore::OnTransition on_transition, StatusStore::OnTouch on_touch);
    void tell(std::span<const StatusDocument> transitions, std::span<const StatusTouch> touches);

 private:
    struct Watcher {
        std::mutex mutex;
        StatusStore::OnTransition on_transition;
        StatusStore::OnTouch on_touch;
    };

    std::mutex mutex_;
    std::vector<std::weak_ptr<Watcher>> watchers_;
};

}  // namespace muster
