#include "api/slow_lane.h"

#include "api/problem.h"
#include "base/thread.h"

namespace muster {

SlowLane::SlowLane(MetricRegistry& metrics)
    : waiting_gauge_(metrics.gauge("muster_api_slow_waiting", "Questions to the history that wait for their turn.")),
      refused_(metrics.counter("muster_api_slow_refused_total", "Questions refused because too many waited.")) {}

SlowLane::~SlowLane() {
    stop();
}

void SlowLane::start() {
    thread_ = start_thread("api-slow", [this] { run(); });
}

bool SlowLane::post(std::function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        if (stopped_ || waiting_.size() == waiting_max) {
            refused_.Increment();
            return false;
        }
        waiting_.push_back(std::move(work));
        waiting_gauge_.Set(static_cast<double>(waiting_.size()));
    }
    changed_.notify_one();
    return true;
}

void SlowLane::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
        if (stopped_) {
            return;
        }
        const std::function<void()> work = std::move(waiting_.front());
        waiting_.pop_front();
        waiting_gauge_.Set(static_cast<double>(waiting_.size()));
        lock.unlock();
        work();
        lock.lock();
    }
}

void SlowLane::stop() {
    std::deque<std::function<void()>> dropped;  // outside of the lock: what they hold may call back
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        dropped.swap(waiting_);
    }
    changed_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

RouteHandler answer_aside(SlowLane& lane, std::function<HttpResponse(const ApiRequest&)> function) {
    return [&lane, function = std::move(function)](ApiRequest request, const Respond& respond) {
        const auto work = [function, request = std::move(request), respond] { respond(function(request)); };
        if (!lane.post(work)) {
            respond(problem(503, "too many questions to the history are waiting; ask again in a moment"));
        }
    };
}

}  // namespace muster
