#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "api/router.h"
#include "base/metrics.h"

namespace muster {

/// One thread for questions that read much of the history, in the order in which they came: the threads that serve
/// HTTP stay free for what is answered at once. Any thread.
class SlowLane final {
 public:
    static constexpr std::size_t waiting_max = 64;

    explicit SlowLane(MetricRegistry& metrics);
    ~SlowLane();
    SlowLane(const SlowLane&) = delete;
    SlowLane& operator=(const SlowLane&) = delete;

    void start();
    /// False, and `work` was not taken: waiting_max are waiting, or it has stopped.
    [[nodiscard]] bool post(std::function<void()> work);
    /// Ends after what is under way; what waits is dropped. Twice is fine.
    void stop();

 private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> waiting_;  // under mutex_
    bool stopped_ = false;                       // under mutex_
    Gauge& waiting_gauge_;
    Counter& refused_;
    std::thread thread_;
};

/// A handler whose function runs in the lane; 503 when too many wait.
[[nodiscard]] RouteHandler answer_aside(SlowLane& lane, std::function<HttpResponse(const ApiRequest&)> function);

}  // namespace muster
